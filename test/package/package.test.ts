/**
 * The package as users get it: packed, installed into a project outside of this repository, compiled and run there.
 */
import { readdir, readFile } from "node:fs/promises"
import { dirname, join, posix } from "node:path"
import ts from "typescript"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }
import { integrations as leaning } from "../integrations.js"
import { bin, install, makeProject, type Project, remove, root, run } from "./project.js"

let project: Project
let consumer: string
let installed: string

beforeAll(async () => {
  project = await makeProject()
  consumer = project.folder
  installed = join(consumer, "node_modules", manifest.name)
  await install(project, [
    manifest.name,
    ...versionsOf("effect", "typescript"),
    ...compilers.map((version) => `typescript-${version}@npm:typescript@${version}`)
  ])
})

afterAll(() => remove(project))

/** The versions of TypeScript that the declarations are for: the lowest and the newest, or all of them. */
const compilers = (process.env["TYPESCRIPT_VERSIONS"] ?? "5.4 latest").split(" ")

/**
 * What a version of TypeScript objects to in a program and in the declarations of this package. Those of Effect need TypeScript 5.9
 * where they are checked too (`skipLibCheck: false`).
 */
const objections = async (version: string, config: string): Promise<ReadonlyArray<string>> => {
  const compiler = join(consumer, "node_modules", `typescript-${version}`, "bin/tsc")
  const output = await run(consumer, "node", compiler, "--pretty", "false", "-p", config).catch(
    ({ message }: Error) => {
      if (!/error TS\d+/.test(message)) throw new Error(message)
      return message
    }
  )
  return output
    .split("\n")
    .filter((line) => /error TS\d+/.test(line) && !/^node_modules\/(?!botanu-effect\/)/.test(line))
}

type Dependency = keyof typeof manifest.devDependencies

const versionsOf = (...names: ReadonlyArray<Dependency>): ReadonlyArray<string> =>
  names.map((name) => `${name}@${manifest.devDependencies[name]}`)

describe("the tarball", () => {
  it("holds the compiled code, its maps and the sources, and nothing else", async () => {
    const sources = await filesIn(join(root, "src"))
    const compiled = sources.flatMap((source) =>
      [".js", ".js.map", ".d.ts", ".d.ts.map"].map((extension) => `dist/${source.replace(/\.ts$/, extension)}`)
    )
    const expected = ["LICENSE", "README.md", "package.json", ...compiled, ...sources.map((source) => `src/${source}`)]
    expect(await filesIn(installed)).toEqual(expected.sort())
  })

  it("has maps that lead to the sources in it", async () => {
    const files = await filesIn(installed)
    const maps = files.filter((file) => file.endsWith(".map"))
    const targets = await Promise.all(
      maps.map(async (map) => {
        const { sources } = JSON.parse(await readFile(join(installed, map), "utf8")) as { sources: Array<string> }
        return sources.map((source) => posix.join(dirname(map), source))
      })
    )
    expect(targets.flat().filter((source) => !files.includes(source))).toEqual([])
  })

  it("satisfies publint", () => run(root, bin("publint"), "run", "--strict", project.tarball))

  it("satisfies attw, as a package of ES modules", () =>
    run(root, bin("attw"), "--profile", "esm-only", "--no-definitely-typed", project.tarball))
})

describe("the core", () => {
  it("imports nothing but effect, and what makes ids", async () => {
    const dist = join(installed, "dist")
    const modules = (await filesIn(dist)).filter((file) => file.endsWith(".js") && !isIntegration(file))
    const imported = await Promise.all(
      modules.map(async (module) =>
        (await importsOf(join(dist, module))).map((specifier) =>
          specifier.startsWith(".") ? posix.join(dirname(module), specifier) : specifier
        )
      )
    )
    expect(new Set(imported.flat().filter((specifier) => !modules.includes(specifier)))).toEqual(
      new Set(["effect", "uuidv7"])
    )
  })

  it("compiles without the types of Node", () => run(root, bin("tsc"), "-p", "test/package/tsconfig.core.json"))
})

/** What each folder of `src/` may import beside the core. */
const integrations: Readonly<Record<string, ReadonlyArray<string>>> = { ...leaning, report: [] }

/** Integrations that are made of another. */
const madeOf: Record<string, ReadonlyArray<string>> = { sql: ["ledger"] }

const isIntegration = (file: string): boolean => Object.keys(integrations).some((name) => file.startsWith(`${name}/`))

describe("an entry point", () => {
  it("is there for each folder with an index, and has its packages as optional peers", async () => {
    const sources = await filesIn(join(root, "src"))
    const entries = sources.filter((source) => source.endsWith("/index.ts")).map(dirname)
    expect(entries.sort()).toEqual(Object.keys(integrations).sort())
    expect(Object.keys(manifest.exports)).toEqual([
      ".",
      ...Object.keys(integrations).map((name) => `./${name}`),
      "./package.json"
    ])
    const optional = Object.keys(manifest.peerDependenciesMeta)
    expect(new Set(optional)).toEqual(new Set(Object.values(integrations).flat()))
    expect(Object.keys(manifest.peerDependencies).sort()).toEqual([...optional, "effect"].sort())
  })

  it.each(Object.entries(integrations))(
    "%s imports the core and its own packages, and no other integration",
    async (folder, packages) => {
      const dist = join(installed, "dist")
      const files = (await filesIn(join(dist, folder))).filter((file) => file.endsWith(".js"))
      const imports = (await Promise.all(files.map((file) => importsOf(join(dist, folder, file))))).flat()
      const own = imports.filter((specifier) => specifier.startsWith(".")).map((path) => posix.join(folder, path))
      const others = Object.keys(integrations).filter(
        (name) => name !== folder && integrations[name]?.length !== 0 && !madeOf[folder]?.includes(name)
      )
      expect(own.filter((path) => others.some((name) => path.startsWith(`${name}/`)))).toEqual([])
      const foreign = imports
        .filter((specifier) => !specifier.startsWith("."))
        .map((specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"))
      expect(new Set(foreign)).toEqual(new Set(["effect", ...packages]))
    }
  )
})

describe("in a project of its own", () => {
  it("cannot be imported but by its entry points", async () => {
    const paths = (await run(consumer, "node", "deep-imports.mjs")).trimEnd().split("\n")
    // Each file at the top is in the folder `.`, which is the core.
    expect(new Set(paths)).toEqual(new Set([".", "package.json"]))
  })

  it.each(["nodenext", "bundler"])("compiles with moduleResolution %s", async (resolution) => {
    await run(consumer, bin("tsc", consumer), "-p", `tsconfig.${resolution}.json`)
  })

  it.each(compilers)("compiles with TypeScript %s", async (version) => {
    for (const resolution of ["nodenext", "bundler"]) {
      expect([resolution, await objections(version, `tsconfig.${resolution}.json`)]).toEqual([resolution, []])
    }
  })

  it("runs in Node", async () => {
    expect(await run(consumer, "node", "program.mjs")).toMatch(/^[0-9a-f-]{36} success\n$/)
  })

  it("can be required from CommonJS", async () => {
    expect(await run(consumer, "node", "program.cjs")).toMatch(/^[0-9a-f-]{36} success\n$/)
  })

  describe("that has the packages which it integrates with", () => {
    beforeAll(() => install(project, versionsOf(...(Object.keys(manifest.peerDependenciesMeta) as Array<Dependency>))))

    it("compiles against all entry points, into declarations too", () =>
      run(consumer, bin("tsc", consumer), "-p", "tsconfig.edges.json"))

    it.each(compilers)("compiles against all entry points with TypeScript %s", async (version) => {
      expect(await objections(version, "tsconfig.edges.json")).toEqual([])
    })

    it("runs with all entry points", async () => {
      expect(await run(consumer, "node", "edges.mjs")).not.toContain("missing")
    })
  })
})

/** What a compiled module imports. */
const importsOf = async (file: string): Promise<ReadonlyArray<string>> =>
  ts.preProcessFile(await readFile(file, "utf8"), true, true).importedFiles.map(({ fileName }) => fileName)

const filesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((file) => posix.relative(folder, join(file.parentPath, file.name))).sort()
}
