/**
 * Mutation testing: `npm run test:mutation -- run` changes the room `run` in one place at a time, and expects a test of the room to fail
 * each time. Rooms and their tests: `scripts/DecidingRooms.mjs`. A run that was stopped goes on, and a mutant that was tried is not tried
 * again until its file changes; one that survived is.
 *
 * - `--share 0.2 --seed 1` tries a random fifth of the mutants;
 * - `--only Charge` takes files whose name has that in it;
 * - `--survivors` tries those again that survived, and no others;
 * - `--tests Exits,LiveRun` runs only tests whose file has one of these in its name: quick, where those are the new ones;
 * - `--alone` gives each mutant a process of its own: what tests leave in a process, such as a full cache, may hide a mutant;
 * - `--report` prints the results that there are, and runs nothing.
 *
 * Mutants are tried in a random order, those that were never tried first: what a stopped run has tried is a sample of the room. What is
 * evaluated once, as a module is loaded, is not mutated.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { decidingRooms, testsOf } from "./DecidingRooms.mjs"
import { instrument } from "./Mutants.mjs"
import { readResults, sampleDraw, textHash } from "./MutationResults.mjs"
import { folderWith, projectWith, root } from "./ProjectAside.mjs"

const packages = ["@stryker-mutator/instrumenter@9.6.1"]

const { positionals: rooms, values } = parseArgs({
  allowPositionals: true,
  options: {
    alone: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    report: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    share: { type: "string", default: "1" },
    survivors: { type: "boolean", default: false },
    tests: { type: "string", default: "" }
  }
})
const unknown = rooms.filter((room) => !(room in decidingRooms))
if (rooms.length === 0 || unknown.length > 0) {
  console.error(`Name rooms of ${Object.keys(decidingRooms).join(", ")}${unknown.length > 0 ? `, not ${unknown}` : ""}`)
  process.exit(2)
}

/** What mutants leave behind adds up. */
const mutantsOfProcess = values.alone ? 1 : 500

/** A test that blocks the process for longer than this has a loop that does not end. */
const patienceMillis = 120_000

const folder = values.report ? folderWith("mutation", packages) : projectWith("mutation", packages)
const kept = join(folder, "node_modules/.mutation")
mkdirSync(kept, { recursive: true })
const resultsOf = (room) => join(kept, `${room}.jsonl`)
const files = {
  coverageFile: join(kept, "coverage.json"),
  planFile: join(kept, "plan.json"),
  progressFile: join(kept, "progress")
}

const filesOf = (room) => readdirSync(join(root, "src", room)).filter((file) => file.includes(values.only))

/** All tests of a room are one file for vitest. */
const allTests = (room) => `import { describe } from "vitest"

${testsOf(room)
  .filter((file) => values.tests.split(",").some((name) => file.includes(name)))
  .map((file) => `describe(${JSON.stringify(file)}, async () => void (await import(${JSON.stringify(`./${file}`)})))`)
  .join("\n")}
`

const vitestConfig = `import config from "./vitest.config.js"

const { resolve, test } = config({ mode: "" })
export default {
  resolve,
  test: {
    include: ["mutation.test.ts"],
    runner: "./scripts/MutantRunner.mjs",
    pool: "forks",
    poolOptions: { forks: { singleFork: true, isolate: false } },
    setupFiles: ["fewer-examples.ts"],
    silent: true,
    testTimeout: test.testTimeout,
    teardownTimeout: 1000
  }
}
`

/** Property tests take a fifth of the examples. */
const fewerExamples = `import { FastCheck } from "effect"\n\nFastCheck.configureGlobal({ numRuns: 20 })\n`

const mutate = async (room) => {
  const { mutants, texts } = await instrument(
    folder,
    filesOf(room).map((file) => join(folder, "src", room, file))
  )
  const sources = texts.map(({ name }) => [name, readFileSync(name)])
  for (const { name, content } of texts) writeFileSync(name, content)
  writeFileSync(join(folder, "vitest.mutation.config.ts"), vitestConfig)
  writeFileSync(join(folder, "mutation.test.ts"), allTests(room))
  writeFileSync(join(folder, "fewer-examples.ts"), fewerExamples)
  rmSync(files.coverageFile, { force: true })
  const resultsFile = resultsOf(room)
  const before = new Map(readResults(resultsFile).map((result) => [result.key, result]))
  const isWanted = ({ key }) => (values.survivors ? isMissed(before.get(key)) : before.get(key)?.isDetected !== true)
  const draw = ({ key }) => sampleDraw(values.seed, key)
  let plan = mutants
    .filter((mutant) => draw(mutant) < Number(values.share) && isWanted(mutant))
    .sort((a, b) => before.has(a.key) - before.has(b.key) || draw(a) - draw(b))
  const linesBefore = linesIn(resultsFile).length
  while (plan.length > 0) {
    console.log(`${room}: ${plan.length} mutants to try`)
    await runTests(plan, resultsFile)
    const done = new Set(
      linesIn(resultsFile)
        .slice(linesBefore)
        .map((line) => JSON.parse(line).key)
    )
    const left = plan.filter(({ key }) => !done.has(key))
    if (left.length === plan.length) throw new Error(`The tests of ${room} do not run`)
    plan = left
  }
  for (const [name, text] of sources) writeFileSync(name, text)
}

const linesIn = (file) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [])

/** Runs tests for the mutants of the plan, in a new process. What blocks it is ended, and the mutant counts as one that was detected. */
const runTests = async (plan, resultsFile) => {
  writeFileSync(files.planFile, JSON.stringify(plan))
  rmSync(files.progressFile, { force: true })
  const vitest = spawn("npx", ["vitest", "run", "--config", "vitest.mutation.config.ts", "--reporter", "dot"], {
    cwd: folder,
    detached: true,
    env: { ...process.env, BOTANU_MUTATION: JSON.stringify({ ...files, resultsFile, mutantsOfProcess }) },
    stdio: ["ignore", "ignore", "inherit"]
  })
  const end = () => process.kill(-vitest.pid, "SIGKILL")
  process.once("exit", end)
  const watch = setInterval(() => {
    if (!existsSync(files.progressFile) || Date.now() - statSync(files.progressFile).mtimeMs < patienceMillis) return
    const { key, result } = plan.find(({ key }) => key === readFileSync(files.progressFile, "utf8"))
    appendFileSync(resultsFile, `${JSON.stringify({ key, ...result, status: "Timeout" })}\n`)
    end()
  }, 5000)
  await once(vitest, "exit")
  clearInterval(watch)
  process.off("exit", end)
}

/** Whether no test failed, or none came to the place. */
const isMissed = (result) => ["Survived", "NoCoverage"].includes(result?.status)

/** Detected mutants of those that count, as Stryker reckons. */
const row = (title, results) => {
  const detected = results.filter(({ isDetected }) => isDetected).length
  const missed = results.filter(isMissed).length
  const score = detected + missed === 0 ? "-" : `${((100 * detected) / (detected + missed)).toFixed(1)} %`
  return `${title.padEnd(24)} ${score.padStart(8)}  ${detected} detected, ${missed} survived`
}

/** Where a survivor is, and what it became. */
const describe = (room, { fileName, location: { start, end }, replacement, status }) => {
  const file = basename(fileName)
  const lines = readFileSync(join(root, "src", room, file), "utf8")
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
  for (const result of results.filter(isMissed)) console.log(describe(room, result))
  console.log()
  for (const [file, ofFile] of filesOf(room).map((file) => [
    file,
    results.filter(({ fileName }) => basename(fileName) === file)
  ])) {
    console.log(row(file, ofFile))
  }
  console.log(row(room, results))
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))
if (!values.report) for (const room of rooms) await mutate(room)
rooms.forEach(report)
