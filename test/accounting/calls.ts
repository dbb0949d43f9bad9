/**
 * Calls of the provider, tracked; each takes in what comes, and says so to the provider.
 */
import { HttpBody, HttpClient, HttpClientRequest } from "@effect/platform"
import { Effect, Schema, Stream } from "effect"
import { Llm, RunContext } from "../../src/index.js"
import type { CallRequest } from "./Provider.js"

/** A call as it is planned. */
export interface CallPlan extends Omit<CallRequest, "runId"> {
  /** Whether another `Llm.track` is around the one of the call. */
  readonly isTrackedTwice: boolean
  /** Whether a fiber of its own takes in the stream. */
  readonly isForked: boolean
  /** After how many events the client takes no more. */
  readonly takes?: number | undefined
}

const Told = Schema.parseJson(Schema.Struct({ inputTokens: Schema.Int, outputTokens: Schema.Int }))
const Answer = Schema.Struct({
  usage: Schema.optional(Schema.Struct({ inputTokens: Schema.Int, outputTokens: Schema.Int }))
})

export const model = { provider: "loopback", model: "quill-2" }

/** The provider refused a call. */
class Refused extends Schema.TaggedError<Refused>()("Refused", { status: Schema.Int }) {}

/** Makes a call. `afterEvent` comes after each event of a stream was taken in, and before the provider hears of it. */
export const make = (
  url: string,
  plan: CallPlan,
  afterEvent: (count: number) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<void, unknown, RunContext | HttpClient.HttpClient> => {
  const called = plan.answers === "in a stream" ? streamed(url, plan, afterEvent) : whole(url, plan)
  const tracked = plan.isTrackedTwice ? Llm.track(called, { ...model, usage: () => undefined }) : called
  return plan.isForked ? Effect.flatMap(Effect.fork(tracked), (fiber) => fiber) : tracked
}

const ask = (url: string, plan: CallPlan) =>
  Effect.gen(function* () {
    const { runId } = yield* RunContext
    const client = yield* HttpClient.HttpClient
    const { isForked: _, isTrackedTwice: __, takes: ___, ...request } = plan
    return yield* client.execute(
      HttpClientRequest.post(`${url}/call`, { body: HttpBody.unsafeJson({ ...request, runId }) })
    )
  })

const saysTaken = (url: string, { id }: CallPlan) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    client.execute(HttpClientRequest.post(`${url}/taken`, { body: HttpBody.unsafeJson({ id }) }))
  ).pipe(
    Effect.flatMap(({ text }) => text),
    Effect.orDie
  )

const whole = (url: string, plan: CallPlan) =>
  Effect.gen(function* () {
    const response = yield* ask(url, plan)
    if (response.status !== 200) return yield* new Refused({ status: response.status })
    return yield* Effect.flatMap(response.json, Schema.decodeUnknown(Answer))
  }).pipe(
    Llm.track({
      ...model,
      clientRequestId: plan.id,
      usage: (answer: typeof Answer.Type) => answer.usage
    }),
    Effect.ensuring(saysTaken(url, plan))
  )

const streamed = (url: string, plan: CallPlan, afterEvent: (count: number) => Effect.Effect<void>) => {
  const events = Stream.unwrap(Effect.map(ask(url, plan), ({ stream }) => stream)).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line.startsWith("data: ")),
    Stream.mapEffect((line) => Schema.decode(Told)(line.slice(6)))
  )
  let count = 0
  return Llm.track(events, { ...model, clientRequestId: plan.id, usage: (told) => told }).pipe(
    Stream.tap(() =>
      Effect.suspend(() => {
        count += 1
        // What it does not ask for it does not get.
        return Effect.zipRight(afterEvent(count), count === plan.takes ? Effect.void : saysTaken(url, plan))
      })
    ),
    Stream.take(plan.takes ?? Number.MAX_SAFE_INTEGER),
    Stream.runDrain
  )
}
