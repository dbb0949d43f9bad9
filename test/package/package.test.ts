/**
 * The package as users get it: packed, installed into a project outside of this repository, compiled and run there. Needs
 * `npm run build` first, and the package registry.
 */
import { execFile } from "node:child_process"
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, posix } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import manifest from "../../package.json" with { type: "json" }

const patienceMillis = 60_000
vi.setConfig({ testTimeout: patienceMillis, hookTimeout: 2 * patienceMillis })

const root = fileURLToPath(new URL("../..", import.meta.url))

let consumer: string
let tarball: string
let installed: string

beforeAll(async () => {
  consumer = await mkdtemp(join(tmpdir(), "botanu-consumer-"))
  tarball = join(consumer, `${manifest.name}-${manifest.version}.tgz`)
  installed = join(consumer, "node_modules", manifest.name)
  await cp(join(root, "test/package/consumer"), consumer, { recursive: true })
  await run(root, "npm", "pack", "--ignore-scripts", "--pack-destination", consumer)
  const { effect, typescript } = manifest.devDependencies
  const packages = [tarball, `effect@${effect}`, `typescript@${typescript}`]
  await run(consumer, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", ...packages)
})

afterAll(() => rm(consumer, { recursive: true, force: true }))

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

  it("satisfies publint", () => run(root, bin("publint"), "run", "--strict", tarball))

  it("satisfies attw, as a package of ES modules", () =>
    run(root, bin("attw"), "--profile", "esm-only", "--no-definitely-typed", tarball))
})

describe("the core", () => {
  it("imports nothing but effect, and what makes ids", async () => {
    const modules = (await readdir(join(installed, "dist"))).filter((file) => file.endsWith(".js"))
    const code = await Promise.all(modules.map((file) => readFile(join(installed, "dist", file), "utf8")))
    const imports = code.flatMap((text) => Array.from(text.matchAll(importedModule), ([, specifier]) => specifier))
    const core = modules.map((file) => `./${file}`)
    expect(new Set(imports.filter((specifier) => !core.includes(`${specifier}`)))).toEqual(
      new Set(["effect", "uuidv7"])
    )
  })

  it("compiles without the types of Node", () => run(root, bin("tsc"), "-p", "test/package/tsconfig.core.json"))
})

describe("in a project of its own", () => {
  it.each(["nodenext", "bundler"])("compiles with moduleResolution %s", async (resolution) => {
    await run(consumer, bin("tsc", consumer), "-p", `tsconfig.${resolution}.json`)
  })

  it("runs in Node", async () => {
    expect(await run(consumer, "node", "program.mjs")).toMatch(/^[0-9a-f-]{36} success\n$/)
  })

  it("can be required from CommonJS", async () => {
    expect(await run(consumer, "node", "program.cjs")).toMatch(/^[0-9a-f-]{36} success\n$/)
  })
})

const importedModule = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g

const bin = (name: string, project = root): string => join(project, "node_modules/.bin", name)

const filesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((file) => posix.relative(folder, join(file.parentPath, file.name))).sort()
}

/** What a command says on its standard output. Fails with all that it says. */
const run = async (folder: string, command: string, ...args: ReadonlyArray<string>): Promise<string> => {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: folder, timeout: patienceMillis })
    return stdout
  } catch (error) {
    const { message, stdout } = error as Error & { readonly stdout: string }
    throw new Error(`${message}\n${stdout}`)
  }
}
