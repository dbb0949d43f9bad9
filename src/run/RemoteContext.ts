/**
 * What came in beside a run that was received: what goes out again with the run and with the runs inside of it, and the span of
 * the sender.
 */
import type { Tracer } from "effect"
import { type Baggage, empty } from "../baggage/BaggageMembers.js"
import * as PrivateField from "./PrivateField.js"
import { makeRunUnsafe, Run } from "./Run.js"

/** What goes out again with a run that came in, and with the runs inside of it. */
export interface Forwarded {
  /** Baggage of others. */
  readonly foreignBaggage: Baggage
  /** Members with our prefix that this version does not know. */
  readonly unknownMembers: Baggage
  /** Whether more than the identifying keys came in. Then more than these goes out, whatever the mode is here. */
  readonly isFull: boolean
}

export interface RemoteContext extends Forwarded {
  readonly span: Tracer.ExternalSpan | undefined
  /** The step of the run in which it was sent. */
  readonly step: string | undefined
}

/** What came in beside a run, whose sender is read where it is asked for. */
export class ReceivedContext implements RemoteContext {
  private known: Tracer.ExternalSpan | undefined = undefined

  constructor(
    readonly foreignBaggage: Baggage,
    readonly unknownMembers: Baggage,
    readonly isFull: boolean,
    readonly step: string | undefined,
    private sender: Sender | undefined
  ) {}

  get span(): Tracer.ExternalSpan | undefined {
    if (this.sender !== undefined) {
      this.known = this.sender()
      this.sender = undefined
    }
    return this.known
  }
}

/** Reads the span of the sender. */
export type Sender = () => Tracer.ExternalSpan | undefined

const remembered = PrivateField.make<RemoteContext>()

/** Where the copies of this package that a process may hold find it: one may read what another one sends. */
const key = Symbol.for("botanu/RemoteContext")

Object.defineProperty(Run.prototype, key, {
  get(this: Run) {
    return remembered.get(this)
  }
})

const contextOf = (run: Run): RemoteContext | undefined => (run as { readonly [key]?: RemoteContext | undefined })[key]

const nothing: RemoteContext = {
  foreignBaggage: empty,
  unknownMembers: empty,
  isFull: false,
  span: undefined,
  step: undefined
}

/** Remembers what came in beside a run that was received. */
export const remember = (run: Run, context: RemoteContext): void => {
  remembered.set(run, context)
}

/** The run without its deadline and its cancellation, with what came in beside it. */
export const withoutLimits = (run: Run): Run => {
  if (run.deadline === undefined && !run.cancelled) return run
  const { cancelledAt: _, deadline: __, ...fields } = run
  const unlimited = makeRunUnsafe({ ...fields, cancelled: false })
  const context = contextOf(run)
  if (context !== undefined) remember(unlimited, context)
  return unlimited
}

/** Whether a run came in, from another process or from a message. */
export const isReceived = (run: Run): boolean => contextOf(run) !== undefined

/** What goes out again with a run; nothing where it did not come in. */
export const forwardedWith = (run: Run | undefined): Forwarded => (run && contextOf(run)) ?? nothing

/** The step in which the sender of a run sent it. */
export const remoteStepOf = (run: Run): string | undefined => contextOf(run)?.step

/** The span under which the sender of a run sent it. */
export const remoteSpanOf = (run: Run): Tracer.ExternalSpan | undefined => contextOf(run)?.span
