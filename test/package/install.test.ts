/**
 * What the pages say to install, installed by these lines: what is there then is imported and run.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest"
import { installsOn, read } from "../markdown.js"
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

it("runs with OpenTelemetry 3, by the line for it", async () => {
  const packages = installsOn(read("docs/opentelemetry.md")).find((line) => line.includes("@opentelemetry/core@3"))
  await install(project, [...(packages ?? []), "typescript@5"])
  for (const name of ["core", "context-async-hooks", "sdk-trace"]) {
    expect(await versionOf(`@opentelemetry/${name}`)).toMatch(/^3\./)
  }
  await run(project.folder, "node", "opentelemetry.mjs")
  await run(project.folder, bin("tsc", project.folder), "-p", "tsconfig.opentelemetry.json")
})

const versionOf = async (name: string): Promise<string> => {
  const manifest = await readFile(join(project.folder, "node_modules", name, "package.json"), "utf8")
  return (JSON.parse(manifest) as { readonly version: string }).version
}
