/**
 * What is on record, in the terms of the provider's log.
 */
import { BigDecimal } from "effect"
import type { CompletedRun } from "../../src/index.js"
import type { Served } from "./Provider.js"

/** What stands on record of each call, by its id, as the log of the provider has it. */
export const recorded = (runs: ReadonlyArray<CompletedRun>): ReadonlyMap<string, Served> => {
  const calls = new Map<string, Served>()
  for (const { run, usages } of runs) {
    for (const { usage } of usages) {
      const id = usage.clientRequestId ?? "none"
      if (calls.has(id)) throw new Error(`call ${id} is on record twice`)
      const { inputTokens, outputTokens } = usage
      calls.set(id, {
        runId: run.runId,
        told: inputTokens === undefined || outputTokens === undefined ? undefined : { inputTokens, outputTokens },
        isRefused: usage.requests === 0
      })
    }
  }
  return calls
}

/** What was served costs together, and of how many calls nobody knows it. */
export const sumOf = (served: Iterable<Served>) => {
  let tokens = 0
  let untold = 0
  for (const { isRefused, told } of served) {
    if (told !== undefined) tokens += told.inputTokens + told.outputTokens
    else if (!isRefused) untold += 1
  }
  return { usd: BigDecimal.make(BigInt(tokens), 6), untold }
}
