/**
 * Every program on the pages in `docs/` compiles, runs, and prints what its page says.
 */
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { pages, programsOn, read } from "./markdown.js"

const root = fileURLToPath(new URL("..", import.meta.url))
// Within the project, so that programs find what they import. Compilers look into no folder whose name begins with a dot.
const folder = join(root, "test/.docs")
const patienceMillis = 120_000

const programs = pages.flatMap((page) =>
  programsOn(read(page)).map(({ code, prints }, index) => ({
    name: `program ${index + 1} of ${page}`,
    file: `${page.replaceAll(/\W/g, "-")}-${index + 1}.ts`,
    code,
    prints
  }))
)

const node = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, args, { cwd: root, timeout: patienceMillis })

const outputOf = async (error: unknown): Promise<never> => {
  const { stderr, stdout } = error as { readonly stderr: string; readonly stdout: string }
  throw new Error(`${stdout}${stderr}`)
}

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  for (const { code, file } of programs) writeFileSync(join(folder, file), code)
  const compilerOptions = { noUnusedLocals: false }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions,
      include: [],
      files: programs.map(({ file }) => file)
    })
  )
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the programs in docs/", () => {
  it("compile", { timeout: patienceMillis }, async () => {
    expect(programs.length).toBeGreaterThan(0)
    await node("node_modules/typescript/bin/tsc", "--noEmit", "-p", folder).catch(outputOf)
  })

  it.each(programs)("$name runs", { timeout: patienceMillis }, async ({ file, prints }) => {
    const { stderr, stdout } = await node("--import", "tsx", join(folder, file)).catch(outputOf)
    expect(stderr).toBe("")
    if (prints !== undefined) expect(stdout).toBe(prints)
  })
})
