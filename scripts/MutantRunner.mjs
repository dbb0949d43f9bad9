/**
 * A runner of vitest for `scripts/test-mutation.mjs`. It loads the tests of a room once and runs them for one mutant after the other, in
 * one process: only those that come to the mutant's place, until one fails. Those that failed for mutants nearby come first, then the quick
 * ones. To start vitest anew for each mutant takes a hundred times as long.
 *
 * A test that failed must pass again without the mutant, when the runs that it left active are forgotten. If it does not, the mutant left
 * something else behind, or it was the test. Then this process has no use for the test any more, and mutants that other tests do not detect
 * are tried again in a new process, one of them as its first.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { GlobalValue } from "effect"
import { VitestTestRunner } from "vitest/runners"
import { getFn, getHooks } from "vitest/suite"
import { readResults } from "./MutationResults.mjs"

/** Tests may put others in their place. */
const { clearTimeout, performance, setTimeout } = globalThis

/** What the mutated text reads and counts. */
globalThis.__stryker__ ??= {}
const state = Object.assign(globalThis.__stryker__, { mutantCoverage: { static: {}, perTest: {} } })

/** As with Stryker: a test that comes to the place of a mutant a hundred times as often does not end. */
const hitFactor = 100

/** So many tests of a process may have become useless. */
const maxSpoiled = 20

/** A test that takes longer than this hangs. */
const patienceMillis = (usualMillis) => 5000 + 10 * usualMillis

const { coverageFile, mutantsOfProcess, planFile, progressFile, resultsFile } = JSON.parse(process.env.BOTANU_MUTATION)

export default class MutantRunner extends VitestTestRunner {
  async runSuite(file) {
    const tests = new Map(testsIn(file))
    for (const suite of new Set(Array.from(tests.values()).flatMap(({ suites }) => suites))) {
      for (const hook of getHooks(suite).beforeAll) await hook(suite)
    }
    if (!existsSync(coverageFile)) writeFileSync(coverageFile, JSON.stringify(await this.cover(tests)))
    await this.tryMutants(
      tests,
      JSON.parse(readFileSync(coverageFile, "utf8")),
      JSON.parse(readFileSync(planFile, "utf8"))
    )
  }

  /** How long each test takes, and how often it comes to each mutant. A test that passes only once cannot be used. */
  async cover(tests) {
    const millis = {}
    for (const [name, test] of tests) {
      state.currentTestId = name
      const failure = await this.run(test, test.task.timeout)
      state.currentTestId = undefined
      const start = performance.now()
      const second = failure ?? (await this.run(test, test.task.timeout))
      if (second === undefined) millis[name] = performance.now() - start
      else log(`Left out, as it fails ${failure ? "without a mutant" : "the second time"}: ${name}`, second)
    }
    return { millis, hits: state.mutantCoverage.perTest, atLoad: state.mutantCoverage.static }
  }

  async tryMutants(tests, coverage, plan) {
    const kills = readResults(resultsFile).filter(({ status }) => status === "Killed")
    const spoiled = new Set()
    let tried = 0
    for (const mutant of plan) {
      const isFirst = tried++ === 0
      const result = await this.tryMutant(mutant, { tests, coverage, kills, spoiled, isFirst })
      if (result !== undefined) {
        const line = { key: mutant.key, ...mutant.result, ...result }
        appendFileSync(resultsFile, `${JSON.stringify(line)}\n`)
        if (line.status === "Killed") kills.push(line)
      }
      if (tried === mutantsOfProcess || spoiled.size > maxSpoiled) return
    }
  }

  /** Gives nothing where a test decides that does not pass in this process any more. */
  async tryMutant({ id, key, result }, { tests, coverage: { atLoad, hits, millis }, kills, spoiled, isFirst }) {
    const chances = chancesAt(result, kills)
    const worth = (name) => (chances.get(name) ?? 0) / millis[name]
    const covering = Object.keys(millis)
      .filter((name) => hits[name]?.[id] !== undefined)
      .sort((a, b) => worth(b) - worth(a) || millis[a] - millis[b])
    if (covering.length === 0) return { status: id in atLoad ? "Ignored" : "NoCoverage" }
    for (const name of covering) {
      if (spoiled.has(name)) continue
      const test = tests.get(name)
      writeFileSync(progressFile, key)
      Object.assign(state, { activeMutant: id, hitCount: 0, hitLimit: hitFactor * hits[name][id] })
      const failure = await this.run(test, patienceMillis(millis[name]))
      state.activeMutant = undefined
      if (failure === undefined && state.hitCount <= state.hitLimit) continue
      forgetActiveRuns()
      const isSure = (await this.run(test, patienceMillis(millis[name]))) === undefined
      if (!isSure) spoiled.add(name)
      if (!isSure) log(`Left something behind: ${key} in ${name}`)
      if (isSure || isFirst) return { status: failure === hung ? "Timeout" : "Killed", test: name }
    }
    return covering.some((name) => spoiled.has(name)) ? undefined : { status: "Survived" }
  }

  /** What a test failed with. What its suites prepare before all tests is prepared once for all mutants. */
  async run(test, patienceMillis) {
    let timer
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, patienceMillis, hung)
    })
    const failure = await Promise.race([this.runToEnd(test), patience])
    clearTimeout(timer)
    return failure
  }

  async runToEnd({ suites, task }) {
    const cleanups = []
    let failure = await failureOf(async () => {
      await this.onBeforeTryTask(task)
      for (const suite of suites) {
        for (const hook of getHooks(suite).beforeEach) cleanups.unshift(await hook(task.context, suite))
      }
      await getFn(task)()
      await this.onAfterTryTask(task)
    })
    for (const suite of suites.toReversed()) {
      for (const hook of getHooks(suite).afterEach)
        failure = (await failureOf(() => hook(task.context, suite))) ?? failure
    }
    const finished = [
      ...cleanups.filter((cleanup) => typeof cleanup === "function"),
      ...(task.onFinished ?? []).toReversed()
    ]
    for (const end of finished) failure = (await failureOf(end)) ?? failure
    task.onFinished = undefined
    task.onFailed = undefined
    if (task.fails) return failure === undefined ? new Error("It was to fail") : undefined
    return failure
  }
}

/** Tests that expect no active run would fail for those of a test that failed before its end. */
const forgetActiveRuns = () => {
  const registry = GlobalValue.globalValue("botanu/ActiveRuns", () => ({}))
  for (const list of Object.values(registry)) list.clear()
}

/** Console output of tests is silenced. */
const log = (text, error = "") => writeSync(2, `${text} ${error}\n`)

const hung = new Error("The test hangs")

const failureOf = async (part) => {
  try {
    await part()
  } catch (error) {
    return error ?? new Error("Nothing was thrown")
  }
}

/** How much speaks for each test that it fails for a mutant at this place: each mutant that it failed for, the nearer the more. */
const chancesAt = ({ fileName, location: { start } }, kills) => {
  const chances = new Map()
  for (const kill of kills) {
    const distance = kill.fileName === fileName ? Math.abs(kill.location.start.line - start.line) : farLines
    chances.set(kill.test, (chances.get(kill.test) ?? 0) + 1 / (1 + distance))
  }
  return chances
}

/** How far apart two files of a room count as. */
const farLines = 200

/** The tests in a suite by their names, each with the suites that it is in, the outermost first. */
const testsIn = (suite, outer = []) =>
  suite.tasks.flatMap((task, index) => {
    if (!["run", "queued"].includes(task.mode)) return []
    const suites = [...outer, suite]
    const place = `${index} ${task.name}`
    return task.type === "suite"
      ? testsIn(task, suites).map(([name, test]) => [`${place} > ${name}`, test])
      : [[place, { suites, task }]]
  })
