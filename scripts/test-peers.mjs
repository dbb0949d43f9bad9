/**
 * The tests with other versions of the peer dependencies: `npm run test:peers`, with the lowest and the newest that each range
 * allows. `npm run test:peers -- --core` runs the tests of the core alone, with the lowest and the newest `effect`.
 *
 * Each set of versions is installed once, into a folder of temporary files that stays.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { copyProject, installOnce, root } from "./ProjectAside.mjs"

const manifestOf = (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))
const { workspaces: _, ...manifest } = manifestOf(".")
const { peerDependencies } = manifest

/** What the tests need: those of the examples and of the page run the command, too. */
const { [manifest.name]: __, ...ofCommand } = manifestOf("command").dependencies
const devDependencies = { ...ofCommand, ...manifestOf("command").devDependencies, ...manifest.devDependencies }

const [argument, ...vitestArguments] = process.argv.slice(2)
const isCore = argument === "--core"
if (!isCore && argument !== undefined) vitestArguments.unshift(argument)

/** The lowest version of a range such as `^2.0.0 || ^3.0.0`. */
const lowestOf = (range) => range.match(/\d+\.\d+\.\d+/)[0]

/** The versions of a range that are published, the lowest first. */
const published = (name, range) => {
  const versions = [JSON.parse(execFileSync("npm", ["view", `${name}@${range}`, "version", "--json"]))].flat()
  return versions
    .filter((version) => !version.includes("-"))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
}

const newestOf = (name, range) => published(name, range).at(-1)

/** What `@effect/opentelemetry` of this line allows of a peer that both have: its tests cannot run with more. */
const allowedHere = JSON.parse(
  readFileSync(join(root, "node_modules/@effect/opentelemetry/package.json"), "utf8")
).peerDependencies

const newestHereOf = (name, range) => {
  const isOpenTelemetry = name.startsWith("@opentelemetry/")
  if (/^@opentelemetry\/(core|context-async-hooks)$/.test(name)) return newestOf(name, "^2.0.0")
  if (/^@opentelemetry\/exporter-/.test(name)) return newestOf(name, allowedHere["@opentelemetry/sdk-logs"])
  return newestOf(name, isOpenTelemetry ? (allowedHere[name] ?? range) : range)
}

/** OpenTelemetry 3 under what needs no SDK of it; the tests bring one of version 2, which has its own. */
const openTelemetry3 = () =>
  Object.fromEntries(
    ["@opentelemetry/core", "@opentelemetry/context-async-hooks"].map((name) => [name, newestOf(name, "^3.0.0")])
  )

/** Each peer at the version that `versionOf` gives. */
const peers = (versionOf) =>
  Object.fromEntries(Object.entries(peerDependencies).map(([name, range]) => [name, versionOf(name, range)]))

/** The packages of Effect that the tests use beside the peers, at the first version of their line: a later one may need later peers. */
const lowestCompanions = () =>
  Object.fromEntries(
    Object.entries(devDependencies)
      .filter(([name]) => name.startsWith("@effect/") && !(name in peerDependencies))
      .map(([name, version]) => [name, published(name, `~${version.replace(/\.\d+$/, ".0")}`)[0]])
  )

const sets = isCore
  ? [
      { title: "the lowest effect", versions: { effect: lowestOf(peerDependencies.effect) } },
      { title: "the newest effect", versions: { effect: newestOf("effect", peerDependencies.effect) } }
    ]
  : [
      {
        title: "the lowest peers",
        versions: { ...lowestCompanions(), ...peers((_, range) => lowestOf(range)) }
      },
      { title: "the newest peers", versions: peers(newestHereOf) },
      {
        title: "OpenTelemetry 3",
        versions: openTelemetry3(),
        nests: true,
        tests: ["test/opentelemetry/RunOpenTelemetry", "test/opentelemetry/RunContextSpanProcessor", "test/interop/"]
      }
    ]

/** What is about the project as it is here, and not about what it runs with. */
const projectTests = [
  "api",
  "architecture",
  "docs",
  "docstrings",
  "install-lines",
  "links",
  "readme",
  "reference",
  "sentences"
].map((name) => `${name}.test.ts`)
const coreRooms = ["baggage", "cost", "fiber", "lifecycle", "run", "schema", "tracking", "wire"]

const coreTests = () =>
  readdirSync(join(root, "test")).flatMap((name) => {
    if (coreRooms.includes(name)) return [`test/${name}/`]
    return name.endsWith(".test.ts") && !projectTests.includes(name) ? [`test/${name}`] : []
  })

/** The overrides of the project, which are for packages that ask for other versions, with the versions that are installed. */
const overridesWith = (installed, versions) => {
  const nested = Object.entries(manifest.overrides ?? {}).map(([name, of]) => [
    name,
    Object.fromEntries(Object.entries(of).map(([inner, version]) => [inner, installed[inner] ?? version]))
  ])
  return { ...Object.fromEntries(nested), ...versions }
}

/** Installs the versions, unless that was done before, and gives the folder. */
const install = (versions, nests) => {
  const ofTests = { ...devDependencies, ...versions }
  const installed = {
    ...manifest,
    devDependencies: ofTests,
    overrides: nests ? manifest.overrides : overridesWith(ofTests, versions)
  }
  const key = createHash("sha256").update(JSON.stringify(installed)).digest("hex").slice(0, 12)
  const folder = join(tmpdir(), `botanu-peers-${key}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify(installed))
  installOnce(folder, nests ? ["--legacy-peer-deps"] : [])
  return folder
}

const installedHere = (name) =>
  JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version

const run = ({ nests = false, tests: only, title, versions }) => {
  const different = Object.entries(versions).filter(([name, version]) => installedHere(name) !== version)
  console.log(`\n${title}: ${different.map((pair) => pair.join("@")).join(", ") || "those that are installed here"}`)
  // The other tests run with these.
  if (different.length === 0) return true
  const folder = install(versions, nests)
  copyProject(folder, ["package.json", "package-lock.json"])
  const tests = isCore
    ? ["--typecheck.enabled=false", "--poolOptions.forks.isolate=false", ...coreTests()]
    : [...(only ?? []), ...["package/**", ...projectTests].flatMap((path) => ["--exclude", `test/${path}`])]
  const { status } = spawnSync("npx", ["vitest", "run", ...vitestArguments, ...tests], {
    cwd: folder,
    stdio: "inherit"
  })
  return status === 0
}

process.exitCode = sets.map(run).every(Boolean) ? 0 : 1
