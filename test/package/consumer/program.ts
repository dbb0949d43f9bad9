/**
 * What a user's program looks like to the compiler. It is exported with `declaration` on, so that all inferred types must
 * have names that a user can reach.
 */
import {
  type Baggage,
  Botanu,
  BotanuConfig,
  type BudgetExceeded,
  type CompletedRun,
  type DeadlineExceeded,
  type InvalidRunContext,
  Llm,
  Outcome,
  Propagation,
  type Run,
  RunContext,
  RunExporter,
  RunId,
  RunStatus,
  type Usage
} from "botanu-effect"
import { Context, Data, Effect, Layer, Option, Schedule, Schema, Stream } from "effect"

interface Ticket {
  readonly id: string
  readonly orgId: string
}

class DraftError extends Data.TaggedError("DraftError")<{ readonly reason: string }> {}

class Model extends Context.Tag("consumer/Model")<
  Model,
  { readonly draft: (id: string) => Effect.Effect<string, DraftError> }
>() {}

export const answer = (ticket: Ticket) =>
  Effect.gen(function* () {
    const run = yield* RunContext
    const model = yield* Model
    const draft = yield* model.draft(run.eventId)
    yield* Outcome.emit(RunStatus.SUCCESS, { valueType: "tickets_resolved", valueAmount: 1, confidence: 0.9 })
    return draft
  }).pipe(
    Botanu.workflow("Customer Support", {
      eventId: ticket.id,
      customerId: ticket.orgId,
      deadline: "30 seconds",
      retry: Schedule.recurs(2)
    })
  )

export const answer2 = Botanu.fn("Customer Support", {
  eventId: (ticket: Ticket) => ticket.id,
  customerId: (ticket) => ticket.orgId
})(function* (ticket) {
  const model = yield* Model
  return yield* model.draft(ticket.id)
})

interface Reply {
  readonly tokens: number
}

export const tracked = Llm.track({
  provider: "openai",
  model: "quill-2",
  usage: (reply: Reply) => ({ outputTokens: reply.tokens })
})
export const trackedEffect = tracked(Effect.succeed({ tokens: 3 }))
export const trackedStream = tracked(Stream.make({ tokens: 3 }))
export const bounded = (ticket: Ticket) =>
  Botanu.workflow(trackedEffect, "Customer Support", {
    eventId: ticket.id,
    customerId: ticket.orgId,
    budget: { usd: "0.50", children: true, retries: true, warnAt: 0.8 }
  })

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <_ extends true>() => {}

same<
  Same<
    ReturnType<typeof answer>,
    Effect.Effect<string, DraftError | Outcome.InvalidOutcome | InvalidRunContext | DeadlineExceeded, Model>
  >
>()
same<Same<ReturnType<typeof answer2>, Effect.Effect<string, DraftError | InvalidRunContext, Model>>>()

same<Same<ReturnType<typeof bounded>, Effect.Effect<{ tokens: number }, InvalidRunContext | BudgetExceeded>>>()
same<Same<typeof trackedStream, Stream.Stream<{ tokens: number }, never, RunContext>>>()
export const consumed = (usage: Usage.Consumption) => usage.outputTokens

// @ts-expect-error: outside of a workflow nobody provides the run
Effect.runSync(Effect.map(RunContext, (run) => run.runId))

export const outgoing = Propagation.inject
export const incoming = (headers: Propagation.IncomingHeaders) =>
  Effect.flatMap(
    Propagation.extract(headers),
    Option.match({
      onNone: () => Effect.void,
      onSome: (run) => Effect.provide(outgoing, RunContext.layer(run))
    })
  )

export const fromHeader = Schema.decode(RunContext.FromHeader)
export const baggageOf = (run: Run): Baggage.Baggage => run.toBaggage("lean")

export const exporter = RunExporter.layer({
  export: (completed: CompletedRun) => Effect.log(completed.run.runId, completed.status)
})
export const layer = Layer.mergeAll(exporter, RunExporter.layerMemory, BotanuConfig.layer, RunId.layerSeeded(1))
export const attributesOf = (run: Run) => run.toSpanAttributes()
