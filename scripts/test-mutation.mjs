/**
 * Mutation testing with Stryker: `npm run test:mutation -- run` changes the room `run` in one place at a time, and expects a test of the
 * room to fail each time. Rooms and their tests: `scripts/DecidingRooms.mjs`. A run that was stopped goes on, and a mutant that was
 * detected is not tried again until its file changes.
 *
 * - `--share 0.2 --seed 1` tries a random fifth of the mutants;
 * - `--only Charge` takes files whose name has that in it;
 * - `--concurrency 2` is how many processes run tests;
 * - `--report` prints the results that there are, and runs nothing.
 *
 * What is evaluated once, as a module is loaded, is not mutated.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { decidingRooms, testsOf } from "./DecidingRooms.mjs"
import { readResults, textHash } from "./MutationResults.mjs"
import { folderWith, projectWith, root } from "./ProjectAside.mjs"

const stryker = "9.6.1"
const packages = ["core", "vitest-runner", "api"].map((name) => `@stryker-mutator/${name}@${stryker}`)

const { positionals: rooms, values } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: "string", default: "2" },
    only: { type: "string", default: "" },
    report: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    share: { type: "string", default: "1" }
  }
})
const unknown = rooms.filter((room) => !(room in decidingRooms))
if (rooms.length === 0 || unknown.length > 0) {
  console.error(`Name rooms of ${Object.keys(decidingRooms).join(", ")}${unknown.length > 0 ? `, not ${unknown}` : ""}`)
  process.exit(2)
}

const folder = values.report ? folderWith("mutation", packages) : projectWith("mutation", packages)
const kept = join(folder, "node_modules/.mutation")
mkdirSync(kept, { recursive: true })
const resultsOf = (room) => join(kept, `${room}.jsonl`)

const filesOf = (room) => readdirSync(join(root, "src", room)).filter((file) => file.includes(values.only))

const settings = (room) => ({
  packageManager: "npm",
  plugins: ["@stryker-mutator/vitest-runner", "./scripts/MutationPlugin.mjs"],
  testRunner: "vitest",
  vitest: { configFile: "vitest.mutation.config.ts", related: false },
  mutate: filesOf(room).map((file) => `src/${room}/${file}`),
  checkers: ["sample"],
  coverageAnalysis: "perTest",
  ignoreStatic: true,
  concurrency: Number(values.concurrency),
  timeoutMS: 20_000,
  // Outside of node_modules: there, vitest would run the setup of Stryker once for all files.
  tempDirName: "sandbox",
  reporters: ["progress-append-only", "results"]
})

/** The tests of the room's own folder come first: most mutants are detected there. Each process loads Effect once. */
const vitestConfig = (room) => `import { mergeConfig } from "vitest/config"
import config from "./vitest.config.js"

const files = ${JSON.stringify(testsOf(room))}
const place = ({ moduleId }) => files.findIndex((file) => moduleId.endsWith(file))

class InOrder {
  shard = (specifications) => specifications
  sort = (specifications) => [...specifications].sort((a, b) => place(a) - place(b))
}

const { include: _, ...test } = config.test
export default mergeConfig({ ...config, test }, {
  test: { include: files, isolate: false, setupFiles: ["fewer-examples.ts"], sequence: { sequencer: InOrder }, typecheck: { enabled: false } }
})
`

/** Property tests take a fifth of the examples. */
const fewerExamples = `import { FastCheck } from "effect"\n\nFastCheck.configureGlobal({ numRuns: 20 })\n`

const mutate = (room) => {
  writeFileSync(join(folder, "stryker.config.json"), JSON.stringify(settings(room)))
  writeFileSync(join(folder, "vitest.mutation.config.ts"), vitestConfig(room))
  writeFileSync(join(folder, "fewer-examples.ts"), fewerExamples)
  const sample = { results: resultsOf(room), share: Number(values.share), seed: values.seed }
  const { status } = spawnSync("npx", ["stryker", "run", "stryker.config.json"], {
    cwd: folder,
    env: { ...process.env, BOTANU_MUTATION: JSON.stringify(sample) },
    stdio: "inherit"
  })
  return status === 0
}

const count = (results, ...statuses) => results.filter(({ status }) => statuses.includes(status)).length

/** Detected mutants of those that count, as Stryker reckons. */
const row = (title, results) => {
  const detected = results.filter(({ isDetected }) => isDetected).length
  const missed = count(results, "Survived", "NoCoverage")
  const score = detected + missed === 0 ? "-" : `${((100 * detected) / (detected + missed)).toFixed(1)} %`
  return `${title.padEnd(24)} ${score.padStart(8)}  ${detected} detected, ${missed} survived`
}

/** Where a survivor is, and what it became. */
const describe = ({ fileName, location: { start, end }, replacement, status }) => {
  const file = basename(fileName)
  const lines = readFileSync(fileName, "utf8")
    .split("\n")
    .slice(start.line - 1, end.line)
  lines.push(lines.pop().slice(0, end.column - 1))
  const short = (text) => {
    const line = text.replaceAll(/\s+/g, " ")
    return line.length > 110 ? `${line.slice(0, 110)} …` : line
  }
  const note = status === "NoCoverage" ? "no test comes here: " : ""
  return `${file}:${start.line}:${start.column} ${note}${short(lines.join("\n").slice(start.column - 1))}  →  ${short(replacement)}`
}

const report = (room) => {
  const results = filesOf(room).flatMap((file) => {
    const text = textHash(join(root, "src", room, file))
    return readResults(resultsOf(room)).filter((result) => result.text === text && basename(result.fileName) === file)
  })
  console.log()
  for (const result of results.filter(({ status }) => ["Survived", "NoCoverage"].includes(status)))
    console.log(describe(result))
  console.log()
  for (const [file, ofFile] of filesOf(room).map((file) => [
    file,
    results.filter(({ fileName }) => basename(fileName) === file)
  ])) {
    console.log(row(file, ofFile))
  }
  console.log(row(room, results))
}

const failed = values.report ? [] : rooms.filter((room) => !mutate(room))
rooms.forEach(report)
if (failed.length > 0) console.log(`\nNot run to the end: ${failed.join(", ")}`)
process.exitCode = failed.length === 0 ? 0 : 1
