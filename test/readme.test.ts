import { describe, expect, it } from "vitest"
import { programsOn, read } from "./markdown.js"

describe("the README", () => {
  const readme = read("README.md")

  it("begins with the program in examples/, which has eight lines", () => {
    const example = read("examples/first-run.ts")
    expect(programsOn(readme)[0]?.code).toBe(example)
    expect(example.trimEnd().split("\n")).toHaveLength(8)
  })

  it("and CONTRIBUTING name commands that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Record<string, string> }
    const text = readme + read("CONTRIBUTING.md")
    const named = Array.from(text.matchAll(/npm run ([a-z:]+)/g), ([, script]) => script ?? "")
    for (const script of [...named, "start", "test"]) expect(scripts).toHaveProperty([script])
  })
})
