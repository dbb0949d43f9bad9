/**
 * Which span is OpenTelemetry's active one at the steps of a run: the same, whether the tracer is called at each step or once for a span.
 */
import { expect, it, vi } from "@effect/vitest"
import { trace } from "@opentelemetry/api"
import { Effect, Layer, Queue, Tracer } from "effect"
import { Botanu } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { onlyActivatesSpans } from "../../src/opentelemetry/OtelContextTracer.js"
import { sdk } from "../observed.js"
import { ids } from "../runs.js"
import { calledOnceForSpan } from "./calledOnceForSpan.js"

/** The name of the active span, or what is known of one of another process. */
const active = () => {
  const span = trace.getActiveSpan()
  if (span === undefined || "name" in span) return span?.name
  const { isRemote, spanId, traceFlags, traceState } = span.spanContext()
  return { isRemote, spanId, traceFlags, traceState: traceState?.serialize() }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const look = Effect.all([
  Effect.sync(active),
  Effect.zipRight(Effect.yieldNow(), Effect.sync(active)),
  Effect.promise(() => turn().then(active)),
  Effect.sync(active)
])

const hidden = { context: Tracer.DisablePropagation.context(true) }

const remote = (spanId: string, sampled: boolean) =>
  Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId, sampled })

const places: Record<string, Effect.Effect<unknown, unknown>> = {
  "in the run's own": look,
  "in one": look.pipe(Effect.withSpan("one")),
  "in one, and after it": Effect.all([
    look,
    look.pipe(Effect.withSpan("one")),
    look,
    look.pipe(Effect.withSpan("two"))
  ]),
  "in one of another": Effect.all([look, look.pipe(Effect.withSpan("inner")), look]).pipe(Effect.withSpan("outer")),
  "below one of another process": Effect.all([
    look.pipe(Effect.withParentSpan(remote("b7ad6b7169203331", true))),
    look.pipe(Effect.withParentSpan(remote("b7ad6b7169203332", false))),
    look
  ]),
  "in one that is not propagated": Effect.all([look, look.pipe(Effect.withSpan("hidden", hidden)), look]).pipe(
    Effect.withSpan("outer")
  ),
  "in one that is not propagated, in none": look.pipe(Effect.withSpan("hidden", { ...hidden, root: true })),
  "in two in turns": Effect.all(
    ["one", "two"].map((name) => Effect.zip(look, look).pipe(Effect.withSpan(name))),
    { concurrency: 2 }
  ),
  "in a child run, and after it": Effect.all([look, look.pipe(Botanu.workflow("Child", ids)), look]),
  "where another fiber resumes": Effect.gen(function* () {
    const queue = yield* Queue.unbounded<number>()
    const taken = Queue.take(queue).pipe(Effect.zipRight(look), Effect.withSpan("taker"))
    const offered = Effect.zipRight(Queue.offer(queue, 1), look).pipe(Effect.withSpan("giver"))
    return yield* Effect.all([taken, offered], { concurrency: 2 })
  }),
  "in detached work": Effect.all([look, Botanu.detached(look.pipe(Effect.withSpan("detached"))), look])
}

const ours = RunOpenTelemetry.layer({ propagateTo: [] })

it.live.each(Object.entries(places))("%s", ([, place]) =>
  Effect.gen(function* () {
    const run = place.pipe(Botanu.workflow("W", ids))
    const atEachStep = yield* Effect.provide(run, Layer.merge(ours, sdk().layer))
    const onceForSpan = yield* Effect.provide(run, Layer.merge(ours, calledOnceForSpan(sdk().layer)))
    expect(onceForSpan).toEqual(atEachStep)
  })
)

it.live("a tracer is called once for a span", () =>
  Effect.gen(function* () {
    const called = vi.fn()
    const counting = (tracer: Tracer.Tracer) =>
      onlyActivatesSpans({
        ...tracer,
        context: (execution, fiber) => {
          called(fiber.currentSpan?._tag === "Span" && fiber.currentSpan.name)
          return tracer.context(execution, fiber)
        }
      })
    const tracer = Layer.unwrapEffect(Effect.map(Effect.tracer, (tracer) => Layer.setTracer(counting(tracer)))).pipe(
      Layer.provide(sdk().layer)
    )
    const work = Effect.repeatN(Effect.zipRight(Effect.yieldNow(), Effect.promise(turn)), 50).pipe(
      Effect.withSpan("one")
    )
    yield* work.pipe(Botanu.workflow("W", ids), Effect.provide(Layer.merge(ours, tracer)))
    expect(called.mock.calls.filter(([name]) => name === "one")).toHaveLength(1)
  })
)
