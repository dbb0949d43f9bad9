/**
 * What is wrong with a ledger.
 */
import type { Ledger } from "botanu-effect/ledger"
import type { RunRecord } from "botanu-effect/report"

/** Calls that have no price, of one model and for one reason. */
export interface Unpriced {
  /** The model that answered, else that was asked for, else the provider. */
  readonly name: string
  readonly reason: string
  readonly calls: number
  /** Sums by the name of the quantity, such as `inputTokens`. */
  readonly quantities: ReadonlyMap<string, number>
}

/** The findings in a ledger. */
export interface Diagnosis {
  /** Runs that read back. */
  readonly runs: number
  /** Lines by the problem with them, with the files that they are in. */
  readonly problems: ReadonlyMap<string, { readonly lines: number; readonly segments: ReadonlyArray<string> }>
  /** Records that writers counted as lost. */
  readonly lost: number
  /** Runs that started and have not completed. */
  readonly endless: ReadonlyArray<RunRecord.RunRecord>
  /** The most calls first. */
  readonly unpriced: ReadonlyArray<Unpriced>
  /** Nested runs that started more than a second before their parent, and retries that did before the attempt before them. */
  readonly skewed: ReadonlyArray<RunRecord.RunRecord>
}

const toleratedSkewMillis = 1000

/** What is wrong with the contents of a ledger. */
export const of = ({ lost, problems, records }: Ledger.Contents): Diagnosis => {
  const byId = new Map(records.map((record) => [record.run.runId, record]))
  const startsBefore = (record: RunRecord.RunRecord, id: RunRecord.RunRecord["run"]["runId"] | undefined): boolean => {
    const other = id === undefined ? undefined : byId.get(id)
    if (other === undefined) return false
    return other.run.startTime.epochMillis - record.run.startTime.epochMillis > toleratedSkewMillis
  }
  return {
    runs: records.length,
    problems: problemsOf(problems),
    lost,
    endless: records.filter(({ completed }) => completed === undefined),
    unpriced: unpricedOf(records),
    skewed: records.filter(
      (record) => startsBefore(record, record.run.parentRunId) || startsBefore(record, record.run.retryOfRunId)
    )
  }
}

const problemsOf = (problems: Ledger.Contents["problems"]): Diagnosis["problems"] => {
  const found = new Map<string, { lines: number; segments: Array<string> }>()
  for (const { problem, segment } of problems) {
    const known = found.get(problem) ?? { lines: 0, segments: [] }
    known.lines += 1
    if (!known.segments.includes(segment)) known.segments.push(segment)
    found.set(problem, known)
  }
  return found
}

const unpricedOf = (records: ReadonlyArray<RunRecord.RunRecord>): ReadonlyArray<Unpriced> => {
  const found = new Map<string, { name: string; reason: string; calls: number; quantities: Map<string, number> }>()
  for (const { completed } of records) {
    for (const { cost, usage } of completed?.usages ?? []) {
      if (cost._tag === "Priced") continue
      const name = usage.responseModel ?? usage.model ?? usage.provider
      const key = JSON.stringify([name, cost.reason])
      const known = found.get(key) ?? { name, reason: cost.reason, calls: 0, quantities: new Map<string, number>() }
      known.calls += 1
      for (const [quantity, amount] of Object.entries({ ...usage, ...usage.toolCalls, ...usage.other })) {
        if (typeof amount !== "number" || notQuantities.has(quantity)) continue
        known.quantities.set(quantity, (known.quantities.get(quantity) ?? 0) + amount)
      }
      found.set(key, known)
    }
  }
  return Array.from(found.values()).sort(
    (one, other) => other.calls - one.calls || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0)
  )
}

/** Numbers of a usage that say how the call went, and not how much it consumed. */
const notQuantities: ReadonlySet<string> = new Set(["durationMs", "attempt"])
