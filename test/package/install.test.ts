/**
 * What the pages say to install, installed by these lines: what is there then is imported and run.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { installsOn, packagesIn, pages, programsOn, read } from "../markdown.js"
import { bin, install, makeProject, type Project, remove, run } from "./project.js"

let packed: Project
let project: Project

beforeAll(async () => {
  packed = await makeProject()
})

beforeEach(async () => {
  project = await makeProject(packed.tarball)
})

afterEach(() => remove(project))

afterAll(() => remove(packed))

const readme = installsOn(read("README.md"))
const completed = /^[0-9a-f-]{36} success\n$/

describe("the README", () => {
  it("installs what its entry points and tests import", async () => {
    for (const packages of readme) await install(project, packages)
    expect(await run(project.folder, "node", "program.mjs")).toMatch(completed)
    expect(await run(project.folder, "node", "edges.mjs")).not.toContain("missing")
    await imports(readme.flat().filter((name) => !name.includes("vitest")))
    await run(project.folder, bin("vitest", project.folder), "run")
  })

  it("has a line that works with pnpm", async () => {
    await install(project, readme[0] ?? [], ["npx", "--yes", "pnpm@10", "add"])
    expect(await run(project.folder, "node", "program.mjs")).toMatch(completed)
    expect(await run(project.folder, "node", "program.cjs")).toMatch(completed)
  })
})

// Pages without programs of their own, and those for the core alone, have the README's first line.
it.each(pages.filter((page) => packagesIn(programsOn(read(page))).length > 2))(
  "%s installs what its programs import",
  async (page) => {
    const text = read(page)
    await install(project, installsOn(text)[0] ?? [])
    await imports(packagesIn(programsOn(text)))
  }
)

it("runs with OpenTelemetry 3, by the line for it", async () => {
  const packages = installsOn(read("docs/opentelemetry.md")).find((line) => line.includes("@opentelemetry/core@3"))
  await install(project, [...(packages ?? []), "typescript@5"])
  for (const name of ["core", "context-async-hooks", "sdk-trace"]) {
    expect(await versionOf(`@opentelemetry/${name}`)).toMatch(/^3\./)
  }
  await run(project.folder, "node", "opentelemetry.mjs")
  await run(project.folder, bin("tsc", project.folder), "-p", "tsconfig.opentelemetry.json")
})

it("fails beside Effect 4 with what to install", async () => {
  await install(project, ["botanu-effect", "effect@4"], ["npm", "install", "--legacy-peer-deps", "--prefer-offline"])
  for (const program of ["program.mjs", "program.cjs"]) {
    await expect(run(project.folder, "node", program)).rejects.toThrow("Run: npm install effect@3\n")
  }
})

const versionOf = async (name: string): Promise<string> => {
  const manifest = await readFile(join(project.folder, "node_modules", name, "package.json"), "utf8")
  return (JSON.parse(manifest) as { readonly version: string }).version
}

const imports = (packages: ReadonlyArray<string>) => {
  const names = packages.map((name) => name.replace(/(?<=.)@.*$/, ""))
  return run(project.folder, "node", "--input-type=module", "-e", names.map((name) => `import "${name}"`).join("\n"))
}
