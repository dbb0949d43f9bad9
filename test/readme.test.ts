import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { programsOn, read } from "./markdown.js"

const root = new URL("..", import.meta.url)
describe("the first example of the README", () => {
  const readme = read("README.md")
  const example = read("examples/first-run.ts")
  const [first] = programsOn(readme)

  it("is the program in examples/, in under 20 lines", () => {
    expect(first?.code).toBe(example)
    expect(example.trimEnd().split("\n").length).toBeLessThan(20)
  })

  it("prints what the README says", async () => {
    const { stderr, stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "examples/first-run.ts"],
      { cwd: fileURLToPath(root) }
    )
    expect(stdout).toBe(first?.prints)
    expect(stderr).toBe("")
  })

  it("names commands that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Record<string, string> }
    const named = Array.from(readme.matchAll(/npm run ([a-z:]+)/g), ([, script]) => script ?? "")
    for (const script of [...named, "start", "test"]) expect(scripts).toHaveProperty([script])
  })
})
