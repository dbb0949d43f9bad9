/**
 * Records of runs to report on.
 */
import { BigDecimal, Schema } from "effect"
import { CompletedRun, Cost, CostTotals, Outcome, Run, type RunStatus, Usage } from "../../src/index.js"
import { RunRecord } from "../../src/report/index.js"
import { instant, makeRun } from "../runs.js"
import { usd } from "../usages.js"

const id = Schema.decodeSync(Run.fields.runId)

/** The id of a run, by a small number. */
export const idOf = (number: number) => id(`019abc12-0000-7000-8000-${String(number).padStart(12, "0")}`)

export const base = 1_770_000_000_000

/** A call, in seconds after `base`. */
export interface CallOptions {
  readonly model?: string
  readonly step?: string
  /** No price where absent. */
  readonly usd?: string
  readonly end?: number
  readonly durationMs?: number
  readonly status?: Usage.UsageStatus
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly errorType?: string
}

/** A run, in seconds after `base`. */
export interface RecordOptions {
  readonly n: number
  readonly parent?: number
  readonly root?: number
  readonly attempt?: number
  readonly event?: string
  readonly customer?: string
  readonly workflow?: string
  readonly version?: string
  readonly tenant?: string
  readonly start?: number
  /** The run has not completed where absent. */
  readonly end?: number
  readonly status?: RunStatus
  readonly outcome?: RunStatus | "none"
  readonly details?: Partial<ConstructorParameters<typeof Outcome.Outcome>[0]>
  readonly calls?: ReadonlyArray<CallOptions>
  readonly errorClass?: string
  readonly reason?: string
  readonly annotations?: Readonly<Record<string, string | number | boolean>>
  readonly deadline?: number
}

export const record = (options: RecordOptions): RunRecord.RunRecord => {
  const { attempt = 1, calls = [], end, n, parent, root = n, start = n, status = "success" } = options
  const run = makeRun({
    runId: idOf(n),
    rootRunId: idOf(root),
    attempt,
    eventId: options.event ?? "ticket-42",
    customerId: options.customer ?? "bigretail",
    workflow: options.workflow ?? "Customer Support",
    startTime: instant(base + start * 1000),
    ...(options.version !== undefined && { workflowVersion: options.version }),
    ...(options.tenant !== undefined && { tenantId: options.tenant }),
    ...(parent !== undefined && { parentRunId: idOf(parent) }),
    ...(options.deadline !== undefined && { deadline: instant(base + options.deadline * 1000) }),
    ...(attempt > 1 && { retryOfRunId: idOf(root) })
  })
  if (end === undefined) return RunRecord.started(run)
  const usages = calls.map((call) => recorded(call, end))
  const unpriced = usages.filter(({ cost }) => cost._tag === "Unpriced").length
  return RunRecord.fromCompleted(
    new CompletedRun({
      run,
      status,
      endTime: instant(base + end * 1000),
      durationMs: (end - start) * 1000,
      usages,
      totals: new CostTotals({
        usd: calls.reduce((sum, call) => BigDecimal.sum(sum, usd(call.usd ?? "0")), usd("0")),
        inputTokens: 0,
        outputTokens: 0,
        calls: calls.length,
        unpricedCalls: unpriced
      }),
      ...(options.outcome !== "none" && {
        outcome: new Outcome.Outcome({ status: options.outcome ?? status, ...options.details })
      }),
      ...(options.errorClass !== undefined && { errorClass: options.errorClass }),
      ...(options.annotations !== undefined && { annotations: options.annotations }),
      ...(options.reason !== undefined && { cancellationReason: options.reason })
    })
  )
}

const recorded = (call: CallOptions, end: number): Usage.RecordedUsage =>
  new Usage.RecordedUsage({
    usage: new Usage.Usage({
      kind: "llm",
      provider: "openai",
      operation: "chat",
      model: call.model ?? "quill-2",
      ...(call.step !== undefined && { step: call.step }),
      time: instant(base + (call.end ?? end) * 1000),
      status: call.status ?? "success",
      requests: 1,
      ...(call.durationMs !== undefined && { durationMs: call.durationMs }),
      ...(call.inputTokens !== undefined && { inputTokens: call.inputTokens }),
      ...(call.outputTokens !== undefined && { outputTokens: call.outputTokens }),
      ...(call.errorType !== undefined && { errorType: call.errorType })
    }),
    cost:
      call.usd === undefined
        ? new Cost.Unpriced({ reason: "unknown_model", usd: usd("0") })
        : new Cost.Priced({ usd: usd(call.usd) })
  })
