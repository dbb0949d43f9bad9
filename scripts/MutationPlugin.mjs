/**
 * A plugin of Stryker for `scripts/test-mutation.mjs`. It leaves out mutants that are not in the sample and those that were detected
 * before, and writes each result down as it comes, so that a run that was stopped goes on.
 */
import { appendFileSync } from "node:fs"
import { commonTokens, declareClassPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin"
import { readResults, sampleDraw, textHash } from "./MutationResults.mjs"

const { results, share, seed } = JSON.parse(process.env["BOTANU_MUTATION"])

const leftOut = { status: "compileError", reason: "not in the sample, or detected before" }

class Sample {
  static inject = tokens(commonTokens.options)

  async init() {
    this.detected = new Set(readResults(results).flatMap(({ key, isDetected }) => (isDetected ? [key] : [])))
  }

  group = async (mutants) => [mutants.map(({ id }) => id)]

  check = async (mutants) =>
    Object.fromEntries(mutants.map((mutant) => [mutant.id, this.isTried(mutant) ? { status: "passed" } : leftOut]))

  isTried(mutant) {
    const key = keyOf(mutant, 0)
    return sampleDraw(seed, key) < share && !this.detected.has(key)
  }
}

class Results {
  static inject = tokens(commonTokens.options)

  onMutantTested(mutant) {
    const { fileName, location, replacement, status } = mutant
    if (status === "CompileError") return
    const line = { key: keyOf(mutant, 1), text: textHash(fileName), fileName, location, replacement, status }
    appendFileSync(results, `${JSON.stringify(line)}\n`)
  }
}

/** What names a mutant: where it is in this text of the file, and what it puts there. Reports count lines and columns from 1. */
const keyOf = ({ fileName, location: { start, end }, replacement }, first) =>
  [
    textHash(fileName),
    ...[start, end].flatMap(({ line, column }) => [line - first, column - first]),
    replacement
  ].join()

export const strykerPlugins = [
  declareClassPlugin(PluginKind.Checker, "sample", Sample),
  declareClassPlugin(PluginKind.Reporter, "results", Results)
]
