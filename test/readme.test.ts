import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"

const root = new URL("..", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")

const blocksOf = (markdown: string, language: string): ReadonlyArray<string> =>
  Array.from(markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms")), ([, block]) => block ?? "")

describe("the first example of the README", () => {
  const readme = read("README.md")
  const example = read("examples/first-run.ts")

  it("is the program in examples/, in under 20 lines", () => {
    expect(blocksOf(readme, "ts")[0]).toBe(example)
    expect(example.trimEnd().split("\n").length).toBeLessThan(20)
  })

  it("prints what the README says", async () => {
    const { stderr, stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "examples/first-run.ts"],
      { cwd: fileURLToPath(root) }
    )
    expect(stdout).toBe(blocksOf(readme, "text")[0])
    expect(stderr).toBe("")
  })

  it("names commands that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Record<string, string> }
    const named = Array.from(readme.matchAll(/npm run ([a-z:]+)/g), ([, script]) => script ?? "")
    for (const script of [...named, "start", "test"]) expect(scripts).toHaveProperty([script])
  })
})
