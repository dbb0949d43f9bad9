/**
 * Runs, made of the spans of runs and of their calls.
 */
import { CompletedRun, CostTotals, type PriceBook, RunStatus, Usage } from "botanu-effect"
import { BigDecimal, DateTime, Either, Schema } from "effect"
import { callOf, callsBeside, costOf, type ImportedCall } from "./ImportedUsage.js"
import type { AttributeValue, OtlpSpan } from "./OtlpSpan.js"

/** The spans of files, by the run that they belong to. */
export class SpanCollection {
  private readonly runs = new Map<string, { span: OtlpSpan | undefined; calls: Array<OtlpSpan> }>()

  /** Takes a span; one of no run is left out. */
  add(span: OtlpSpan): void {
    const runId = span.attributes.get("botanu.run_id")
    if (typeof runId !== "string") return
    const key = runId.toLowerCase()
    const known = this.runs.get(key) ?? { span: undefined, calls: [] }
    if (isRunSpan(span)) known.span ??= span
    else known.calls.push(span)
    this.runs.set(key, known)
  }

  /** The completed runs, and what could not be made one. */
  completed(prices: PriceBook.Service): ImportedRuns {
    const runs: Array<CompletedRun> = []
    const refused: Array<string> = []
    let withoutRun = 0
    for (const { calls, span } of this.runs.values()) {
      if (span === undefined) {
        withoutRun += calls.length
        continue
      }
      const run = completedOf(span, calls, prices)
      if (typeof run === "string") refused.push(run)
      else runs.push(run)
    }
    return { runs, refused, withoutRun }
  }
}

export interface ImportedRuns {
  readonly runs: ReadonlyArray<CompletedRun>
  /** Why a span of a run is none: a field, and what was expected. */
  readonly refused: ReadonlyArray<string>
  /** Spans of runs whose own span is in none of the files. */
  readonly withoutRun: number
}

/** The SDKs name the span of a run so, or put the events of its life on it. */
const isRunSpan = ({ events, name }: OtlpSpan): boolean =>
  name.startsWith("botanu.run/") ||
  events.some(({ name }) => name === "botanu.run.started" || name === "botanu.run.completed")

const statuses: ReadonlySet<string> = new Set(Object.values(RunStatus))

/** Names of statuses in earlier versions of the SDKs. */
const aliases: Readonly<Record<string, string>> = {
  failed: "failure",
  error: "failure",
  abandoned: "canceled",
  cancelled: "canceled"
}

const statusOf = (value: AttributeValue | undefined): string | undefined => {
  if (typeof value !== "string") return undefined
  const status = aliases[value.toLowerCase()] ?? value.toLowerCase()
  return statuses.has(status) ? status : undefined
}

/** The value of the first of these attributes that a span has. */
const valueIn =
  ({ attributes }: OtlpSpan) =>
  (...names: ReadonlyArray<string>): AttributeValue | undefined =>
    names.map((name) => attributes.get(name)).find((value) => value !== undefined)

const completedOf = (
  span: OtlpSpan,
  spans: ReadonlyArray<OtlpSpan>,
  prices: PriceBook.Service
): CompletedRun | string => {
  const of = valueIn(span)
  const completed = span.events.find(({ name }) => name === "botanu.run.completed")?.attributes
  const runId = String(of("botanu.run_id"))
  const run = defined({
    runId,
    workflow: of("botanu.workflow", "botanu.use_case"),
    eventId: of("botanu.event_id"),
    customerId: of("botanu.customer_id"),
    environment: of("botanu.environment") ?? "unknown",
    workflowVersion: of("botanu.workflow.version"),
    tenantId: of("botanu.tenant_id"),
    parentRunId: of("botanu.parent_run_id"),
    rootRunId: of("botanu.root_run_id") ?? runId,
    attempt: Number(of("botanu.attempt") ?? 1),
    retryOfRunId: of("botanu.retry_of_run_id"),
    startTime: iso(span.startMillis),
    deadline: secondsOf(of("botanu.run.deadline_ts")),
    cancelled: of("botanu.run.cancelled") === true,
    cancelledAt: secondsOf(of("botanu.run.cancelled_at"))
  })
  const status = statusOf(completed?.get("status")) ?? (span.isError ? "failure" : "success")
  const outcome = outcomeOf(emittedOn(span, spans), status)
  const errorClass = completed?.get("error_class") ?? (status === "failure" ? of("error.type") : undefined)
  const calls = spans.flatMap((span) => callOf(span) ?? [])
  const record = defined({
    run,
    status,
    outcome,
    errorClass: errorClass === undefined ? undefined : String(errorClass),
    endTime: iso(span.endMillis),
    durationMs: Math.max(0, span.endMillis - span.startMillis),
    traceId: /^[0-9a-f]{32}$/i.test(span.traceId) ? span.traceId.toLowerCase() : undefined,
    annotations: annotationsOf(span)
  })
  const decoded = decodeCompleted(record)
  if (Either.isLeft(decoded))
    return (
      decoded.left.message
        .split("\n")
        .slice(-1)[0]
        ?.replace(/^[\s│├└─]+/, "") ?? runId
    )
  return withCalls(decoded.right, [...calls, ...callsBeside(span, calls)], prices)
}

/** The other SDKs put an outcome on the span that is current where it is emitted, which may be that of a call. The last one counts. */
const emittedOn = (run: OtlpSpan, spans: ReadonlyArray<OtlpSpan>): OtlpSpan => {
  const isEmitted = ({ events }: OtlpSpan) => events.some(({ name }) => name === "botanu.outcome_emitted")
  if (isEmitted(run)) return run
  return (
    spans
      .filter(isEmitted)
      .reduce<OtlpSpan | undefined>(
        (last, span) => (last === undefined || span.endMillis >= last.endMillis ? span : last),
        undefined
      ) ?? run
  )
}

/** What a span says of an outcome. The SDK for Python says no status: it is that of the run, as where a run fails after a success. */
const outcomeOf = (span: OtlpSpan, runStatus: string): Record<string, unknown> | undefined => {
  const of = valueIn(span)
  const emitted = statusOf(of("botanu.outcome.status", "botanu.outcome"))
  const details = defined({
    valueType: of("botanu.outcome.value_type"),
    valueAmount: of("botanu.outcome.value_amount"),
    confidence: of("botanu.outcome.confidence"),
    reason: of("botanu.outcome.reason", "botanu.outcome.reason_code"),
    errorType: of("botanu.outcome.error_type", "botanu.outcome.error_class")
  })
  if (emitted === undefined && Object.keys(details).length === 0) return undefined
  const status = emitted === undefined || (emitted === "success" && runStatus !== "success") ? runStatus : emitted
  return { status, ...details }
}

const decodeCompleted = Schema.decodeUnknownEither(CompletedRun, { errors: "first" })

const withCalls = (
  completed: CompletedRun,
  calls: ReadonlyArray<ImportedCall>,
  prices: PriceBook.Service
): CompletedRun => {
  const recorded = calls.map(
    (call) => new Usage.RecordedUsage({ usage: call.usage, cost: costOf(call, prices, completed.run) })
  )
  const unpriced = { unknown_model: 0, no_price_for_kind: 0, no_usage: 0 }
  let [usd, inputTokens, outputTokens, unpricedCalls] = [BigDecimal.make(0n, 0), 0, 0, 0]
  for (const { cost, usage } of recorded) {
    usd = BigDecimal.sum(usd, cost.usd)
    inputTokens += usage.inputTokens ?? 0
    outputTokens += usage.outputTokens ?? 0
    if (cost._tag === "Priced") continue
    unpricedCalls += 1
    unpriced[cost.reason] += 1
  }
  return new CompletedRun({
    ...completed,
    usages: recorded,
    totals: new CostTotals({
      usd: BigDecimal.normalize(usd),
      inputTokens,
      outputTokens,
      calls: recorded.length,
      unpricedCalls,
      ...(unpricedCalls > 0 && { unpriced })
    })
  })
}

const annotationsOf = ({ attributes }: OtlpSpan): Record<string, AttributeValue> | undefined => {
  const found = defined({
    team: attributes.get("botanu.team"),
    costCenter: attributes.get("botanu.cost_center"),
    region: attributes.get("botanu.region")
  }) as Record<string, AttributeValue>
  return Object.keys(found).length === 0 ? undefined : found
}

const iso = (millis: number): string => DateTime.formatIso(DateTime.unsafeMake(Math.round(millis)))

const secondsOf = (value: AttributeValue | undefined): string | undefined => {
  const millis = Number(value ?? Number.NaN) * 1000
  return Number.isFinite(millis) && Math.abs(millis) <= 8.64e15 ? iso(millis) : undefined
}

const defined = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
