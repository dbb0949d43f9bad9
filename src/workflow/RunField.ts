/**
 * The field that a message which starts an execution carries beside the user's payload: the id of the run, and who sent it.
 */
import { Effect, Option, Schema, type Tracer } from "effect"
import { lines } from "../baggage/Carrier.js"
import * as TraceParent from "../baggage/TraceParent.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { extractFor } from "../lifecycle/IncomingRun.js"
import { injectWith, type OutgoingHeaders } from "../Propagation.js"
import { RunContext } from "../RunContext.js"
import { remoteSpanOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { isUuid, make as makeRunId, type Uuid } from "../run/RunId.js"
import { Header } from "../wire/Wire.js"

/** The name of the field. No name that a user gives begins like it. */
export const fieldName = "~botanu/run"

/** How the field is declared: what another version of this package sends is no reason to refuse the message. */
export const fieldSchema = Schema.optional(Schema.Unknown)

/** What the sender of an execution adds to its payload. An id that a duplicate message brings is never used. */
export const outgoing: Effect.Effect<unknown> = Effect.flatMap(makeRunId, (runId) =>
  Effect.withFiberRuntime((fiber) => {
    const run = currentRun(fiber.currentContext)
    const trace = fiber.currentSpan && TraceParent.fromSpan(fiber.currentSpan)
    const headers: Effect.Effect<OutgoingHeaders> =
      run === undefined
        ? Effect.succeed(trace === undefined ? {} : { [Header.traceparent]: trace })
        : Effect.provideService(injectWith({ mode: "full" }), RunContext, run)
    return Effect.map(headers, (headers) => ({ v: 1, runId, headers }))
  })
)

/** Who sent an execution. */
export interface Sender {
  /** The id that the run is to have; none where the sender gave none, so that one has to be made. */
  readonly runId: Uuid | undefined
  /** The run in which the execution was started. */
  readonly run: Run | undefined
  /** The span under which it was started. */
  readonly span: Tracer.ExternalSpan | undefined
}

/** What a message brought. Total: a field that cannot be read is one that is not there. */
export const incoming = (field: unknown): Effect.Effect<Sender> =>
  Effect.withFiberRuntime((fiber) => {
    const { headers, runId } = isRecord(field) ? field : {}
    const carrier = isRecord(headers) ? headers : {}
    const { report, run } = extractFor(fiber, carrier, undefined)
    const sender: Sender = {
      runId: typeof runId === "string" && isUuid(runId) ? runId : undefined,
      run: Option.getOrUndefined(run),
      span: Option.match(run, {
        onNone: () => TraceParent.toSpan(lines(carrier, Header.traceparent)),
        onSome: remoteSpanOf
      })
    }
    return report === undefined ? Effect.succeed(sender) : Effect.as(report, sender)
  })

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
