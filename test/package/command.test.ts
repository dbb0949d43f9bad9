/**
 * The command as it is published, installed beside the library as it is published. It needs `npm run build` and
 * `npm run build:command` first, and the package registry.
 */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import manifest from "../../command/package.json" with { type: "json" }
import { installsOn, programsOn, read } from "../markdown.js"
import { bin, install, makeProject, type Project, remove, root, run } from "./project.js"

let project: Project

/** The tarball of the command, which depends on the library as it is packed here, and on nothing that is in this repository. */
const packCommand = async ({ folder, tarball }: Project): Promise<string> => {
  const copy = join(folder, "command")
  await mkdir(copy)
  for (const name of ["dist", "README.md"]) await cp(join(root, "command", name), join(copy, name), { recursive: true })
  const dependencies = { ...manifest.dependencies, "botanu-effect": `file:${tarball}` }
  await writeFile(join(copy, "package.json"), JSON.stringify({ ...manifest, dependencies }))
  await run(copy, "npm", "pack", "--ignore-scripts", "--pack-destination", folder)
  return join(folder, `${manifest.name}-${manifest.version}.tgz`)
}

/** A report without what differs from day to day and from machine to machine: its first line, and durations in seconds. */
const withoutTimes = (report: string) => report.replace(/^.*\n/, "").replaceAll(/ +\d+\.\d(?= +0\.\d{4} )/g, " s")

beforeAll(async () => {
  project = await makeProject()
  await install(project, [project.tarball, "effect@3", "@effect/platform@0.97", "@effect/platform-node@0.108"])
  await install(project, [await packCommand(project)])
})

afterAll(() => remove(project))

describe("the command that is installed", () => {
  it("shows its help and its version", async () => {
    expect(await run(project.folder, bin("botanu", project.folder), "--help")).toContain("report")
    expect(await run(project.folder, bin("botanu", project.folder), "--version")).toContain(manifest.version)
  })

  it("reports on a ledger that a program wrote beside it", async () => {
    await run(project.folder, "node", "ledger.mjs")
    const report = await run(
      project.folder,
      bin("botanu", project.folder),
      "report",
      "--format",
      "csv",
      "--by",
      "workflow"
    )
    expect(report).toContain("Customer Support")
    const event = await run(project.folder, bin("botanu", project.folder), "event", "ticket-42")
    expect(event).toContain("success")
  })

  it("shows a newcomer his first report, step by step", async () => {
    const page = read("docs/getting-started.md")
    const [program] = programsOn(page)
    await install(
      project,
      installsOn(page)
        .flat()
        .filter((name) => /^(tsx|typescript|@types\/)/.test(name))
    )
    await writeFile(join(project.folder, "answer.ts"), program?.code ?? "")
    await rm(join(project.folder, "botanu-ledger"), { recursive: true, force: true })
    expect(await run(project.folder, bin("tsx", project.folder), "answer.ts")).toBe(
      "3 tickets are in ./botanu-ledger\n"
    )
    const [, shown = ""] = page.match(/^```text\n(\.\/botanu-ledger .*?)^```$/ms) ?? []
    expect(withoutTimes(await run(project.folder, bin("botanu", project.folder), "report"))).toBe(withoutTimes(shown))
    const event = await run(project.folder, bin("botanu", project.folder), "event", "ticket-43")
    expect(event).toContain("Attempt 2")
    expect(event).toContain(page.match(/^Cost {6}.*$/m)?.[0])
    const [, compilerLine = ""] = page.match(/^npx tsc (.*)$/m) ?? []
    expect(await run(project.folder, bin("tsc", project.folder), ...compilerLine.split(" "))).toBe("")
  })

  it("holds nothing of the sources of the library", async () => {
    const names = await run(
      project.folder,
      "tar",
      "-tzf",
      join(project.folder, `${manifest.name}-${manifest.version}.tgz`)
    )
    expect(names).not.toContain("node_modules")
    expect(names).toContain("package/dist/main.js")
    expect(await readFile(join(project.folder, "node_modules/botanu/package.json"), "utf8")).not.toContain("file:..")
  })
})
