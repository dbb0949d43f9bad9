/**
 * A run that came in, read from headers or baggage, and the warning about what was wrong with them.
 */
import { type DateTime, type Effect, Option } from "effect"
import * as Baggage from "../baggage/Baggage.js"
import * as BaggageHeader from "../baggage/BaggageHeader.js"
import { fromMembers } from "../baggage/BaggageMembers.js"
import * as Carrier from "../baggage/Carrier.js"
import * as TraceParent from "../baggage/TraceParent.js"
import * as BoundedWarning from "../fiber/BoundedWarning.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { forwardedWith, isReceived, ReceivedContext, remember, type Sender } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import * as RunBaggage from "../run/RunBaggage.js"
import { Header, Key, keyPrefix } from "../wire/Wire.js"

/** What `extract` gives, and the warning that it logs, if there is one. */
export const extractFor = (
  fiber: AnyFiber,
  headers: Carrier.IncomingHeaders | undefined,
  options: BaggageHeader.ReadOptions | undefined
): Extracted => {
  let unread = undefined as Carrier.Unreadable | undefined
  const lines = Carrier.lines(headers, Header.baggage, (what) => {
    unread = what
  })
  if (lines.length === 0) return unread === undefined ? nothing : unreadable[unread]
  const { baggage, dropped } = Baggage.decode(lines, options)
  // Read where it is asked for, and without the other headers, which may hold secrets and would stay as long as the run.
  const traces = Carrier.lines(headers, Header.traceparent)
  return receiveFor(fiber, baggage, () => TraceParent.toSpan(traces), dropped)
}

/** The same, of baggage that was read. */
export const receiveFor = (
  fiber: AnyFiber,
  baggage: Baggage.Baggage,
  sender: Sender,
  dropped: Baggage.Dropped = BaggageHeader.nothingDropped
): Extracted => {
  const { problems, run } = received(baggage, nowOf(fiber), sender)
  const isSound = dropped.count === 0 && problems.length === 0
  return {
    run,
    report: isSound ? undefined : BoundedWarning.warn("incoming baggage", reportsOf(dropped, problems))
  }
}

/**
 * The warning about a run that is tried again and came in with its four identifying keys only: the number of its attempt, its
 * root and its parent did not travel. None for any other run.
 */
export const lostLineage = (previous: Run): Effect.Effect<void> | undefined =>
  isReceived(previous) && !forwardedWith(previous).isFull
    ? BoundedWarning.warnOnce("retryOf", {
        kind: "lean",
        text:
          `run ${previous.runId} came in lean mode, so its attempt number, its root and its parent are not known; the next one is ` +
          'counted as attempt 2. Send it with Propagation.injectWith({ mode: "full" })'
      })
    : undefined

interface Extracted {
  readonly run: Option.Option<Run>
  readonly report: Effect.Effect<void> | undefined
}

const nothing = { run: Option.none<Run>(), report: undefined }

const unreadableFor = (what: Carrier.Unreadable, text: string): Extracted => ({
  run: Option.none(),
  report: BoundedWarning.warnOnce("incoming baggage", { kind: `shape of ${what}`, text })
})

const unreadable: Record<Carrier.Unreadable, Extracted> = {
  value: unreadableFor(
    "value",
    "the header is of a shape that cannot be read: expected text, bytes, an attribute of an SQS or SNS message, or an array of these"
  ),
  headers: unreadableFor(
    "headers",
    "the headers are of a shape that cannot be read: expected a record, an iterable of names and values, or these in turns"
  )
}

/** The run that baggage carries, and who sent it. Baggage that says nothing of a run is no problem. */
export const received = (baggage: Baggage.Baggage, now: DateTime.Utc, sender?: Sender): RunBaggage.Received => {
  const received = RunBaggage.read(baggage, now)
  if (received.keys === 0) return { ...received, problems: [] }
  if (Option.isSome(received.run)) {
    const isMore = received.keys < baggage.members.size
    const foreign = isMore ? membersThat(baggage, (key) => !key.startsWith(keyPrefix)) : Baggage.empty
    const unknown = isMore ? membersThat(baggage, isUnknown) : Baggage.empty
    const isFull = received.keys > identifyingKeys
    remember(received.run.value, new ReceivedContext(foreign, unknown, isFull, received.step, sender))
  }
  return received
}

const identifyingKeys = 4
const knownKeys: ReadonlySet<string> = new Set(Object.values(Key))

const isUnknown = (key: string): boolean => key.startsWith(keyPrefix) && !knownKeys.has(key)

const membersThat = (baggage: Baggage.Baggage, holds: (key: string) => boolean): Baggage.Baggage =>
  fromMembers(new Map(Array.from(baggage.members).filter(([key]) => holds(key))))

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
