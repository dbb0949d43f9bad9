/**
 * A run across process boundaries, as headers: out with `inject`, in with `extract`.
 */
import { DateTime, Effect, Option, type Tracer } from "effect"
import * as Baggage from "./Baggage.js"
import * as BaggageHeader from "./BaggageHeader.js"
import { type PropagationMode, unsafePropagationMode } from "./BotanuConfig.js"
import { nowOf } from "./FiberClock.js"
import { foreignOf, rememberForeign } from "./ForeignBaggage.js"
import { furtherEntries, leanEntries, Run } from "./Run.js"
import * as RunBaggage from "./RunBaggage.js"
import { RunContext } from "./RunContext.js"
import { scopeOf } from "./RunScope.js"
import { trusted } from "./SchemaRecord.js"
import { Header, keyPrefix } from "./Wire.js"

/** Headers to send: `baggage`, and `traceparent` where a span is open. */
export type OutgoingHeaders = { readonly [name: string]: string }

/** Headers that came in: one text for a name, or several. Names are matched in any letter case. */
export type IncomingHeaders = { readonly [name: string]: string | ReadonlyArray<string> | undefined }

/**
 * The current run and trace as headers for any message. In lean mode the four identifying keys of the run, in full mode all of
 * it; foreign baggage that came in with the run goes out again. A run that is being stopped, or whose deadline has come, is
 * sent as cancelled.
 */
export const inject: Effect.Effect<OutgoingHeaders, never, RunContext> = Effect.flatMap(RunContext, (run) =>
  Effect.withFiberRuntime((fiber) => {
    const scope = scopeOf(fiber.currentContext, run)
    const cancelled = scope?.isCancelled || run.isPastDeadline(nowOf(fiber))
    const sent = cancelled && !run.cancelled ? trusted(Run, { ...run, cancelled: true }) : run
    const foreign = scope?.foreign ?? foreignOf(run)
    const headers: Record<string, string> = {
      [Header.baggage]: baggageHeader(sent, foreign, unsafePropagationMode(fiber))
    }
    const trace = fiber.currentSpan && traceparent(fiber.currentSpan)
    if (trace !== undefined) headers[Header.traceparent] = trace
    return Effect.succeed(headers)
  })
)

/**
 * The run that headers carry, for the edge of a program; to be joined with `RunContext.layer`. Lenient and total: a bad
 * optional key is left out, a bad or missing required one means that there is no run, and either is logged as a warning that
 * names the key. Foreign baggage is kept with the run.
 */
export const extract = (
  headers: IncomingHeaders,
  options?: BaggageHeader.ReadOptions
): Effect.Effect<Option.Option<Run>> =>
  Effect.suspend(() => {
    const lines = headerLines(headers, Header.baggage)
    if (lines.length === 0) return Effect.succeedNone
    const { baggage, dropped } = Baggage.decode(lines, options)
    return Effect.flatMap(DateTime.now, (now) => {
      const { problems, run } = received(baggage, now)
      const reports = [...droppedReports(dropped), ...problems.map(RunBaggage.describe)]
      return reports.length === 0
        ? Effect.succeed(run)
        : Effect.as(Effect.logWarning(`incoming baggage: ${reports.join("; ")}`), run)
    })
  })

/** @internal The header of a run: its identifying keys first, then foreign members, then its other keys. */
export const baggageHeader = (run: Run, foreign: Baggage.Baggage, mode: PropagationMode): string => {
  const writer = new BaggageHeader.Writer()
  for (const [key, value] of leanEntries(run)) writer.add(key, value)
  for (const [key, { properties, value }] of foreign.members) writer.add(key, value, properties)
  if (mode === "full") for (const [key, value] of furtherEntries(run)) writer.add(key, value)
  return writer.text
}

/** @internal The run that baggage carries. Baggage that says nothing of a run is no problem. */
export const received = (baggage: Baggage.Baggage, now: DateTime.Utc): RunBaggage.Received => {
  const received = RunBaggage.read(baggage, now)
  if (received.keys === 0) return { ...received, problems: [] }
  if (received.keys < baggage.members.size && Option.isSome(received.run)) {
    const foreign = new Map(Array.from(baggage.members).filter(([key]) => !key.startsWith(keyPrefix)))
    rememberForeign(received.run.value, Baggage.fromMembers(foreign))
  }
  return received
}

const headerLines = (headers: IncomingHeaders, name: string): ReadonlyArray<string> =>
  Object.entries(headers).flatMap(([key, value]) =>
    value === undefined || key.toLowerCase() !== name ? [] : typeof value === "string" ? [value] : value
  )

const droppedReports = (dropped: Baggage.Dropped): ReadonlyArray<string> => {
  if (dropped.count === 0) return []
  const first = dropped.first.map(({ member, reason }) => `member ${member}: ${reason}`)
  return [`${dropped.count} dropped (${first.join(", ")}${dropped.count > first.length ? ", …" : ""})`]
}

const traceId = /^(?!0{32})[0-9a-f]{32}$/
const spanId = /^(?!0{16})[0-9a-f]{16}$/

/** The span as a `traceparent` header (W3C Trace Context, section "traceparent Header"), unless it has no valid ids. */
const traceparent = (span: Tracer.AnySpan): string | undefined =>
  traceId.test(span.traceId) && spanId.test(span.spanId)
    ? `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
    : undefined
