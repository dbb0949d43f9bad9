/**
 * One event as the page shows it: a timeline in rows, the charges of its calls, and what came of it.
 */
import { CompletedRun, Cost, Run, type Usage } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
import { BigDecimal, Schema } from "effect"
import type { EventRecords } from "./LedgerMirror.js"
import type * as Page from "./PageApi.js"

/** The detail of an event, without what the list knows of it. */
export const of = ({ amendments, records }: EventRecords) => {
  const [event] = BusinessEvent.fromRecords(records, amendments)
  if (event === undefined) return undefined
  const { charges, rows } = timelineOf(event)
  return {
    workflowVersion: event.chains[0].attempts[0].run.workflowVersion ?? null,
    outcomes: outcomesOf(event),
    rows,
    charges,
    text: RunTree.lines(event).join("\n"),
    records: [
      ...event.runs.map(({ completed, run }) =>
        completed === undefined ? encodeRun(run) : encodeCompleted(completed)
      ),
      ...event.amendments.map((amendment) => encodeAmendment(amendment as Ledger.OutcomeAmendment))
    ]
  }
}

const encodeRun = Schema.encodeSync(Run)
const encodeCompleted = Schema.encodeSync(CompletedRun)
const encodeAmendment = Schema.encodeSync(Ledger.OutcomeAmendment)

const outcomesOf = (event: BusinessEvent.BusinessEvent): Page.EventDetail["outcomes"] => {
  const { final } = event.chains[event.chains.length - 1] as BusinessEvent.Chain
  const recorded = final.completed?.outcome
  const details = (outcome: BusinessEvent.BusinessEvent["outcome"]) => ({
    reason: outcome?.reason ?? outcome?.errorType ?? null,
    valueType: outcome?.valueType ?? null,
    valueAmount: outcome?.valueAmount ?? null,
    confidence: outcome?.confidence ?? null
  })
  return [
    ...event.amendments
      .map(({ at, by, outcome }) => ({
        status: outcome.status,
        atMs: at.epochMillis,
        by,
        attempt: null,
        ...details(outcome)
      }))
      .reverse(),
    {
      status: final.completed === undefined ? RunRecord.statusOf(final) : (recorded?.status ?? null),
      atMs: final.completed?.endTime.epochMillis ?? null,
      by: null,
      attempt: final.run.attempt,
      ...details(recorded),
      reason:
        recorded?.reason ??
        recorded?.errorType ??
        final.completed?.errorClass ??
        final.completed?.cancellationReason ??
        null
    }
  ]
}

const timelineOf = (event: BusinessEvent.BusinessEvent) => {
  const rows: Array<Page.TimelineRow> = []
  const charges: Array<Page.CallCharges> = []
  const isOneChain = event.chains.length === 1
  const latest = event.chains[event.chains.length - 1] as BusinessEvent.Chain

  const add = (node: RunTree.Node, depth: number, parent: number | null, isOutermost: boolean): void => {
    const id = rows.length
    if (node._tag === "Wait") {
      rows.push({
        ...blank,
        id,
        kind: "wait",
        depth,
        parent,
        title: "Wait",
        detail: "before the next attempt",
        startMs: node.start,
        endMs: node.end
      })
      return
    }
    if (node._tag === "Call") {
      const { cost, usage } = node.recorded
      rows.push({
        ...blank,
        id,
        kind: usage.kind === "llm" ? "call" : "data",
        depth,
        parent,
        title: usage.step ?? usage.operation,
        detail: detailOf(usage),
        startMs: node.start ?? null,
        endMs: node.end,
        status: usage.status === "success" ? null : usage.status === "interrupted" ? "canceled" : "failure",
        note: callNote(usage),
        usd: Cost.format(cost.usd),
        calls: 1,
        unpricedCalls: cost._tag === "Unpriced" ? 1 : 0
      })
      charges.push(chargesOf(id, usage, cost))
      return
    }
    const { completed, run } = node.record
    const status = RunRecord.statusOf(node.record)
    const hasNested = node.children.some(({ _tag }) => _tag === "Run")
    const attempt = `${isOutermost && isOneChain ? "A" : "a"}ttempt ${run.attempt}`
    const inside = BusinessEvent.costOf(recordsIn(node))
    rows.push({
      ...blank,
      id,
      kind: "run",
      depth,
      parent,
      title: isOutermost && isOneChain ? attempt : run.workflow,
      detail: isOutermost
        ? isOneChain
          ? run.workflow
          : attempt
        : run.attempt > 1
          ? `nested run, ${attempt}`
          : "nested run",
      startMs: run.startTime.epochMillis,
      endMs: completed?.endTime.epochMillis ?? null,
      status,
      note: runNote(node.record, event.attempts > 1 && isOutermost && node.record === latest.final),
      usd: Cost.format(node.own.usd),
      calls: node.own.calls,
      unpricedCalls: node.own.unpricedCalls,
      withNested: hasNested
        ? { usd: Cost.format(inside.usd), calls: inside.calls, unpricedCalls: inside.unpricedCalls }
        : null,
      deadlineMs: status === "timeout" ? (run.deadline?.epochMillis ?? completed?.endTime.epochMillis ?? null) : null,
      runId: run.runId,
      rootRunId: run.rootRunId,
      traceId: completed?.traceId ?? null
    })
    for (const child of node.children) add(child, depth + 1, id, false)
  }
  for (const node of RunTree.fromEvent(event)) add(node, 0, null, true)
  return { rows, charges }
}

const blank = {
  detail: "",
  startMs: null,
  endMs: null,
  status: null,
  note: "",
  usd: "0",
  calls: 0,
  unpricedCalls: 0,
  withNested: null,
  deadlineMs: null,
  runId: null,
  rootRunId: null,
  traceId: null
} as const

const recordsIn = ({ children, record }: RunTree.RunNode): ReadonlyArray<RunRecord.RunRecord> => [
  record,
  ...children.flatMap((child) => (child._tag === "Run" ? recordsIn(child) : []))
]

const detailOf = (usage: Usage.Usage): string => {
  if (usage.kind === "llm") return usage.responseModel ?? usage.model ?? usage.provider
  const target = usage.collection ?? usage.bucket ?? usage.destination ?? usage.database
  const rows = usage.rowsReturned ?? usage.rowsAffected
  const count = rows === undefined ? undefined : `${rows} ${rows === 1 ? "row" : "rows"}`
  return [[usage.provider, target].filter((part) => part !== undefined).join(" "), count]
    .filter((part) => part !== undefined)
    .join(", ")
}

const callNote = (usage: Usage.Usage): string => {
  if (usage.status === "success") return ""
  const kept = usage.requests === 0 ? "" : ", usage kept"
  return usage.status === "interrupted" ? `aborted${kept}` : `${usage.errorType ?? "failure"}${kept}`
}

const runNote = (record: RunRecord.RunRecord, isFinal: boolean): string => {
  const { completed, run } = record
  const status = RunRecord.statusOf(record)
  if (completed === undefined) return status
  if (status === "failure") return completed.errorClass ?? "failure"
  if (status === "timeout") {
    const seconds =
      run.deadline === undefined ? undefined : (run.deadline.epochMillis - run.startTime.epochMillis) / 1000
    return seconds === undefined ? "deadline" : `deadline ${Number(seconds.toFixed(1))} s`
  }
  if (status === "canceled")
    return ["canceled", completed.cancellationReason].filter((part) => part !== undefined).join(", ")
  return isFinal ? "final attempt" : ""
}

const chargesOf = (row: number, usage: Usage.Usage, cost: Cost.Cost): Page.CallCharges => {
  const quantities: Readonly<Record<string, unknown>> = { ...usage }
  return {
    row,
    name: usage.responseModel ?? usage.model ?? usage.provider,
    provider: usage.provider,
    usd: Cost.format(cost.usd),
    isUnpriced: cost._tag === "Unpriced",
    reason: cost._tag === "Unpriced" ? cost.reason : null,
    missing:
      cost._tag === "Priced"
        ? []
        : missingOf(usage, cost).map((meter) => {
            const quantity = quantities[meter]
            return { meter, quantity: typeof quantity === "number" ? quantity : null }
          }),
    charges: cost.charges.map((charge) => ({
      meter: charge.meter,
      quantity: charge.quantity,
      unit: charge.unit,
      unitPrice: BigDecimal.format(BigDecimal.normalize(charge.unitPrice)),
      usd: Cost.format(charge.usd),
      source: charge.price.source,
      entry: charge.price.entry ?? null,
      tier: charge.price.tier ?? null,
      fromMs: charge.price.from?.epochMillis ?? null
    }))
  }
}

/** The meters without a price. Where no price was found at all, they are the quantities of the call. */
const missingOf = (usage: Usage.Usage, cost: Cost.Unpriced): ReadonlyArray<string> => {
  if (cost.missing !== undefined && cost.missing.length > 0) return cost.missing
  const priced = new Set(cost.charges.map(({ meter }) => meter))
  return Object.entries(usage).flatMap(([name, value]) =>
    typeof value === "number" && !notQuantities.has(name) && !priced.has(name) && value > 0 ? [name] : []
  )
}

const notQuantities: ReadonlySet<string> = new Set(["durationMs", "attempt", "requests"])
