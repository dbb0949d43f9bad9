/**
 * Every program in the README and on the pages in `docs/` compiles, runs, and prints what its page says.
 */
import { afterAll, describe, expect, it } from "vitest"
import { pages, programsOn, read } from "./markdown.js"
import { patienceMillis, writePrograms } from "./programs.js"

const onPages = ["README.md", ...pages].flatMap((page) =>
  programsOn(read(page)).map(({ code, prints }, index) => ({
    name: `program ${index + 1} of ${page}`,
    file: `${page.replaceAll(/\W/g, "-")}-${index + 1}.ts`,
    code,
    prints
  }))
)

const programs = writePrograms(".docs", onPages)

afterAll(programs.remove)

describe("the programs on our pages", () => {
  it("compile", { timeout: patienceMillis }, async () => {
    expect(onPages.length).toBeGreaterThan(0)
    await programs.compile()
  })

  it.each(onPages)("$name runs", { timeout: patienceMillis }, async ({ file, prints }) => {
    const { stderr, stdout } = await programs.run(file)
    expect(stderr).toBe("")
    if (prints !== undefined) expect(stdout).toBe(prints)
  })
})
