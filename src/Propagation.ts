/**
 * A run across process boundaries, as headers: out with `inject`, in with `extract`.
 */
import { type DateTime, Effect, Option, type Tracer } from "effect"
import * as Baggage from "./baggage/Baggage.js"
import * as BaggageHeader from "./baggage/BaggageHeader.js"
import * as Carrier from "./baggage/Carrier.js"
import * as TraceParent from "./baggage/TraceParent.js"
import * as BoundedWarning from "./fiber/BoundedWarning.js"
import { type AnyFiber, nowOf } from "./fiber/CurrentFiber.js"
import { scopeOf } from "./lifecycle/RunScope.js"
import { RunContext } from "./RunContext.js"
import { type PropagationMode, propagationModeFor } from "./run/BotanuConfig.js"
import { foreignBaggageOf, remember } from "./run/RemoteContext.js"
import { furtherEntries, leanEntries, Run } from "./run/Run.js"
import * as RunBaggage from "./run/RunBaggage.js"
import { makeUnsafe } from "./schema/SchemaRecord.js"
import { Header, keyPrefix } from "./wire/Wire.js"

/** Headers to send: `baggage`, and `traceparent` where a span is open. */
export type OutgoingHeaders = { readonly [name: string]: string }

export type { IncomingHeaders } from "./baggage/Carrier.js"

/** What a carrier has room for. */
export interface InjectOptions {
  /**
   * The most bytes that the value of `baggage` may take; 8192 at most. Members are sent whole, the identifying keys of the run
   * first; where those alone take more, there is no `baggage`, and that is logged.
   * @default 8192
   */
  readonly maxBytes?: number | undefined
}

/** The current run and trace as headers, within what a carrier has room for; else as `inject`. */
export const injectWith = ({ maxBytes }: InjectOptions): Effect.Effect<OutgoingHeaders, never, RunContext> =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime((fiber) => {
      const headers: Record<string, string> = {}
      const trace = fiber.currentSpan && TraceParent.fromSpan(fiber.currentSpan)
      const baggage = baggageHeaderFor(fiber, run, maxBytes)
      if (baggage !== undefined) headers[Header.baggage] = baggage
      if (trace !== undefined) headers[Header.traceparent] = trace
      return baggage === undefined ? Effect.as(doesNotFit(run, maxBytes), headers) : Effect.succeed(headers)
    })
  )

/**
 * The current run and trace as headers for any message. In lean mode the four identifying keys of the run, in full mode all of
 * it; foreign baggage that came in with the run goes out again. A run that is being stopped, or whose deadline has come, is
 * sent as cancelled.
 */
export const inject: Effect.Effect<OutgoingHeaders, never, RunContext> = injectWith({})

const doesNotFit = (run: Run, maxBytes: number | undefined): Effect.Effect<void> =>
  BoundedWarning.warn("outgoing baggage", [
    { kind: "budget", text: `run ${run.runId} does not fit into ${maxBytes} bytes, so it was not sent` }
  ])

/**
 * The run that headers carry, for the edge of a program; to be joined with `Botanu.resume` or `RunContext.layer`. Lenient and
 * total: a bad optional key is left out, a bad or missing required one means that there is no run, and either is logged as a
 * warning that names the key, at most once a second. Foreign baggage and the sender's span are kept with the run.
 */
export const extract = (
  headers: Carrier.IncomingHeaders | undefined,
  options?: BaggageHeader.ReadOptions
): Effect.Effect<Option.Option<Run>> =>
  Effect.withFiberRuntime((fiber) => {
    const { report, run } = extractFor(fiber, headers, options)
    return report === undefined ? Effect.succeed(run) : Effect.as(report, run)
  })

/** @internal What `extract` gives, and the warning that it logs, if there is one. */
export const extractFor = (
  fiber: AnyFiber,
  headers: Carrier.IncomingHeaders | undefined,
  options: BaggageHeader.ReadOptions | undefined
): Extracted => {
  const lines = Carrier.lines(headers, Header.baggage)
  if (lines.length === 0) return nothing
  const { baggage, dropped } = Baggage.decode(lines, options)
  return receiveFor(fiber, baggage, () => TraceParent.toSpan(Carrier.lines(headers, Header.traceparent)), dropped)
}

/** @internal The same, of baggage that was read. */
export const receiveFor = (
  fiber: AnyFiber,
  baggage: Baggage.Baggage,
  sender: () => Tracer.ExternalSpan | undefined,
  dropped: Baggage.Dropped = BaggageHeader.nothingDropped
): Extracted => {
  const { problems, run } = received(baggage, nowOf(fiber), sender)
  const isSound = dropped.count === 0 && problems.length === 0
  return {
    run,
    report: isSound ? undefined : BoundedWarning.warn("incoming baggage", reportsOf(dropped, problems))
  }
}

interface Extracted {
  readonly run: Option.Option<Run>
  readonly report: Effect.Effect<void> | undefined
}

const nothing = { run: Option.none<Run>(), report: undefined }

/** @internal The `baggage` header of a run as a fiber that works on it sends it; none where its identifying keys do not fit. */
export const baggageHeaderFor = (fiber: AnyFiber, run: Run, maxBytes?: number | undefined): string | undefined => {
  const scope = scopeOf(fiber.currentContext, run)
  const sent = isCancelledFor(fiber, run) && !run.cancelled ? makeUnsafe(Run, { ...run, cancelled: true }) : run
  return baggageHeader(sent, scope?.foreignBaggage ?? foreignBaggageOf(run), propagationModeFor(fiber), maxBytes)
}

/** @internal Whether a run is sent as cancelled by a fiber that works on it. */
export const isCancelledFor = (fiber: AnyFiber, run: Run): boolean =>
  scopeOf(fiber.currentContext, run)?.isCancelled === true || run.isPastDeadline(nowOf(fiber))

/**
 * @internal The header of a run: its identifying keys first, then foreign members, then its other keys. None where the
 * identifying keys do not fit.
 */
export const baggageHeader = (
  run: Run,
  foreign: Baggage.Baggage,
  mode: PropagationMode,
  maxBytes?: number | undefined
): string | undefined => {
  const writer = new BaggageHeader.Writer(maxBytes)
  for (const [key, value] of leanEntries(run)) if (!writer.add(key, value)) return undefined
  for (const [key, { properties, value }] of foreign.members) writer.add(key, value, properties)
  if (mode === "full") for (const [key, value] of furtherEntries(run)) writer.add(key, value)
  return writer.text
}

/** @internal The run that baggage carries, and who sent it. Baggage that says nothing of a run is no problem. */
export const received = (
  baggage: Baggage.Baggage,
  now: DateTime.Utc,
  sender: () => Tracer.ExternalSpan | undefined = () => undefined
): RunBaggage.Received => {
  const received = RunBaggage.read(baggage, now)
  if (received.keys === 0) return { ...received, problems: [] }
  if (Option.isSome(received.run)) {
    const span = sender()
    const foreignBaggage = received.keys < baggage.members.size ? withoutOurs(baggage) : Baggage.empty
    if (span !== undefined || foreignBaggage !== Baggage.empty) remember(received.run.value, { foreignBaggage, span })
  }
  return received
}

const withoutOurs = (baggage: Baggage.Baggage): Baggage.Baggage =>
  Baggage.fromMembers(new Map(Array.from(baggage.members).filter(([key]) => !key.startsWith(keyPrefix))))

const reportsOf = (
  dropped: Baggage.Dropped,
  problems: ReadonlyArray<RunBaggage.Problem>
): ReadonlyArray<BoundedWarning.Report> => [
  ...droppedReports(dropped),
  ...problems.map((problem) => ({ kind: problem.key, text: RunBaggage.describe(problem) }))
]

const droppedReports = (dropped: Baggage.Dropped): ReadonlyArray<BoundedWarning.Report> => {
  if (dropped.count === 0) return []
  const first = dropped.first.map(({ member, reason }) => `member ${member}: ${reason}`)
  return [
    {
      kind: "dropped",
      text: `${dropped.count} dropped (${first.join(", ")}${dropped.count > first.length ? ", …" : ""})`
    }
  ]
}
