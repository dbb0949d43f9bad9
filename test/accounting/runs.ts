/**
 * Runs that make calls and end in every way there is, at a moment that the test chooses.
 */
import type { HttpClient } from "@effect/platform"
import { Data, Deferred, Effect, FastCheck, Schedule } from "effect"
import { Botanu, PriceBook, type Run, RunContext } from "../../src/index.js"
import { ids } from "../runs.js"
import { type CallPlan, make, model } from "./calls.js"

/** How a run ends: after its calls, or in the middle of a stream. */
export type Ending =
  | "with success"
  | "with a failure"
  | "at its deadline"
  | "over its budget"
  | "cancelled"
  | "interrupted"

export interface RunPlan {
  readonly name: string
  readonly calls: ReadonlyArray<CallPlan>
  /** The call that is under way when the run ends; none where it ends with success. */
  readonly lastCall: CallPlan
  /** After how many of its events. */
  readonly endsAfter: number
  readonly ending: Ending
  /** Whether the last call is made in a run inside of the run. */
  readonly isNested: boolean
  /** Whether a first attempt has failed after its calls. */
  readonly isRetried: boolean
}

export class Again extends Data.TaggedError("Again") {}
export class Broken extends Data.TaggedError("Broken") {}

/** Where the test and a run meet. */
export interface Meeting {
  /** The run is in the middle of its last call. */
  readonly reached: Deferred.Deferred<Run>
  /** The test has the run end. */
  readonly end: Deferred.Deferred<void>
}

export const meeting: Effect.Effect<Meeting> = Effect.all({
  reached: Deferred.make<Run>(),
  end: Deferred.make<void>()
})

export const deadline = "10 seconds"

/** A token costs a millionth of a dollar, so that only the dear call passes a budget of 500. */
export const prices = PriceBook.layer([
  { ...model, usd: { inputToken: PriceBook.perMillion(1), outputToken: PriceBook.perMillion(1) } }
])
const dearTokens = 1_000_000_000

/** A run by its plan. */
export const run = (
  url: string,
  plan: RunPlan,
  { end, reached }: Meeting
): Effect.Effect<void, unknown, HttpClient.HttpClient> => {
  const { calls, ending, endsAfter, isNested, isRetried, lastCall, name } = plan
  const body = Effect.gen(function* () {
    const own = yield* RunContext
    const { attempt } = own
    for (const call of calls) {
      const id = `${call.id}.${attempt}`
      yield* Effect.ignore(make(url, { ...call, id }))
    }
    if (isRetried && attempt === 1) return yield* new Again()
    if (ending === "with success") return
    const stop = Effect.zipRight(Deferred.succeed(reached, own), Effect.never)
    const underWay = make(url, lastCall, (count) => (count === endsAfter ? stop : Effect.void))
    const last = isNested ? Botanu.workflow(underWay, `Inside ${name}`, ids) : underWay
    const after = Effect.zipRight(Deferred.await(end), inTheEnd(url, plan))
    yield* Effect.all([last, after], { concurrency: "unbounded" })
  })
  return Botanu.workflow(body, name, {
    ...ids,
    ...(ending === "at its deadline" && { deadline }),
    ...(ending === "over its budget" && { budget: { usd: 500, children: true, retries: true } }),
    retry: { schedule: Schedule.recurs(1), while: (error: unknown) => error instanceof Again }
  })
}

const inTheEnd = (url: string, { ending, lastCall }: RunPlan) => {
  if (ending === "with a failure") return new Broken()
  if (ending !== "over its budget") return Effect.never
  return Effect.zipRight(
    make(url, { ...lastCall, id: `${lastCall.id}.dear`, inputTokens: dearTokens, answers: "whole", isForked: false }),
    Effect.never
  )
}

const answers = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.constant("in a stream" as const) },
  { weight: 2, arbitrary: FastCheck.constant("whole" as const) },
  FastCheck.constant("without usage" as const),
  FastCheck.constant("with a refusal" as const)
)

const tokens = FastCheck.integer({ min: 1, max: 1000 })

const events = FastCheck.array(tokens, { minLength: 1, maxLength: 3 }).map((parts) =>
  parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, part) => sum + part, 0))
)

const call = (id: string): FastCheck.Arbitrary<CallPlan> =>
  FastCheck.record({
    answers,
    events,
    inputTokens: tokens,
    isForked: FastCheck.boolean(),
    isTrackedTwice: FastCheck.boolean(),
    stops: FastCheck.option(FastCheck.constantFrom("cut", "left"))
  }).map(({ events, stops, ...plan }) => ({
    ...plan,
    id,
    outputTokens: events,
    cutAfter: stops === "cut" ? Math.ceil(events.length / 2) : undefined,
    takes: stops === "left" ? Math.ceil(events.length / 2) : undefined
  }))

const endings: ReadonlyArray<Ending> = [
  "with success",
  "with a failure",
  "at its deadline",
  "over its budget",
  "cancelled",
  "interrupted"
]

const runPlan = (name: string): FastCheck.Arbitrary<RunPlan> =>
  FastCheck.record({
    name: FastCheck.constant(name),
    calls: FastCheck.integer({ min: 0, max: 2 }).chain((count) =>
      FastCheck.tuple(...Array.from({ length: count }, (_, i) => call(`${name}.${i}`)))
    ),
    lastCall: call(`${name}.last`).map(
      (plan): CallPlan => ({ ...plan, answers: "in a stream", cutAfter: undefined, takes: undefined })
    ),
    ending: FastCheck.constantFrom(...endings),
    isNested: FastCheck.boolean(),
    isRetried: FastCheck.boolean()
  }).chain((plan) =>
    FastCheck.integer({ min: 1, max: plan.lastCall.outputTokens.length }).map((endsAfter) => ({ ...plan, endsAfter }))
  )

/** One to three runs at once, and the order in which they are made to end. */
export const interleaving: FastCheck.Arbitrary<ReadonlyArray<RunPlan>> = FastCheck.integer({ min: 1, max: 3 }).chain(
  (count) =>
    FastCheck.tuple(...Array.from({ length: count }, (_, i) => runPlan(`run ${i}`))).chain((plans) =>
      FastCheck.shuffledSubarray(plans, { minLength: plans.length })
    )
)

/** Many runs of many calls, each of which succeeds where nobody stops it. */
export const crowd: FastCheck.Arbitrary<ReadonlyArray<RunPlan>> = FastCheck.array(FastCheck.nat({ max: 3 }), {
  minLength: 8,
  maxLength: 8
}).chain((counts) =>
  FastCheck.tuple(
    ...counts.map((count, run) =>
      FastCheck.record({
        calls: FastCheck.tuple(...Array.from({ length: 3 + count }, (_, i) => call(`run ${run}.${i}`))),
        plan: runPlan(`run ${run}`)
      }).map(({ calls, plan }): RunPlan => ({ ...plan, calls, ending: "with success" }))
    )
  )
)

/** What the status of a run has to be, and that of the run inside of it which was under way. */
export const statuses: Readonly<Record<Ending, readonly [own: string, inner: string]>> = {
  "with success": ["success", ""],
  "with a failure": ["failure Broken", "canceled interrupted"],
  "at its deadline": ["timeout", "timeout"],
  "over its budget": ["failure BudgetExceeded", "canceled budget_exceeded"],
  cancelled: ["canceled operator", "canceled operator"],
  interrupted: ["canceled interrupted", "canceled interrupted"]
}
