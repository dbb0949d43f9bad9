/**
 * What users can import is what the API reports in `api/` say, in the types and at run time.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { apiReports } from "../scripts/ApiReport.js"
import { entryPoints, fullName, makeProgram, type PublicName, publicNames, root } from "../scripts/PublicNames.js"
import { read } from "./markdown.js"

const patienceMillis = 120_000

describe("the public surface", () => {
  let reports: ReadonlyMap<string, string>
  let names: ReadonlyArray<PublicName>

  beforeAll(() => {
    const program = makeProgram()
    names = publicNames(program)
    reports = apiReports(program)
  }, patienceMillis)

  it("is what the reports say; `npm run api` writes them", () => {
    const kept = readdirSync(join(root, "api")).map((file) => `api/${file}`)
    expect(kept.sort()).toEqual(Array.from(reports.keys()).sort())
    for (const [path, text] of reports) expect(read(path)).toBe(text)
  })

  it("is used by tests, each name, whether there is something at run time or not", () => {
    const unused = names.filter((name) => !isUsed(name)).map(fullName)
    expect(unused).toEqual([])
  })

  it("is in the change log, as far as it is new and there is something at run time", () => {
    const changes = read("CHANGELOG.md")
    const added = names.filter(({ docs, isValue }) => isValue && docs.since !== "0.1.0")
    const missing = added.filter(({ name, within }) => !changes.includes([...within, name].join(".")))
    expect(missing.map(fullName)).toEqual([])
  })

  it.each(entryPoints())("of $entry has nothing more at run time", async ({ entry, source }) => {
    const declared = names.filter((name) => name.entry === entry && name.isValue && !name.isStatic)
    const module = await import(pathToFileURL(join(root, source)).href)
    expect(namesAtRunTime(module).sort()).toEqual(
      declared.map(({ name, within }) => [...within, name].join(".")).sort()
    )
  })
})

const noUse = /^import [^"]*from "[^"]+"|^ *\/\*\*.*?\*\/|^ *\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"/gms

/**
 * The names that tests use, with the namespaces that they are in, as users write them. What tests import is no use; a comment or a text
 * is none either.
 */
const used = new Set(
  ["test", "command/test"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file))
    )
    .filter((file) => /\.m?ts$/.test(file))
    .map((file) => readFileSync(join(root, file), "utf8").replaceAll(noUse, ""))
    .flatMap((text) => text.match(/(?<![\w$.])[\w$]+(?:\.[\w$]+)*/g) ?? [])
    .flatMap((path) => path.split(".").map((_, index, parts) => parts.slice(0, index + 1).join(".")))
)

const isUsed = ({ name, within }: PublicName): boolean => used.has([...within, name].join("."))

/** What a module exports, and what is exported by the namespaces in it. */
const namesAtRunTime = (module: object, prefix = ""): Array<string> =>
  Object.entries(module).flatMap(([name, value]) =>
    isNamespace(value) ? namesAtRunTime(value, `${prefix}${name}.`) : [prefix + name]
  )

const isNamespace = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.prototype.toString.call(value) === "[object Module]"
