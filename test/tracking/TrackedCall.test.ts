/**
 * A call is recorded once, however it ends: an effect or a stream, on whatever fiber, of whatever kind.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, FiberRef, Schedule, Stream, TestClock } from "effect"
import { Botanu, Data, Llm, RunContext, RunExporter, Usage } from "../../src/index.js"
import { brokenTracer, tracerDown } from "../brokenTracer.js"
import { completedRuns, endedSpans, logging, observed, onlyRun, spanOf } from "../observed.js"
import { ids } from "../runs.js"
import { allUsages, costText, perToken, quill, spanNamed, spend, usagesOf } from "../usages.js"

const run = Botanu.workflow("Customer Support", ids)

/** Says so much of each element: the tokens that came out until then. */
const counting = {
  ...quill,
  usage: (_: number, { outputTokens = 0 }: Usage.Consumption) => ({ outputTokens: outputTokens + 1 })
}

const elements = (count: number): Stream.Stream<number> => Stream.rechunk(Stream.range(1, count), 1)

/** The essence of all usages: how each ended, what was told of it, and its error. */
const endings = Effect.map(allUsages, (usages) =>
  usages.map(({ errorType, outputTokens, status }) => [
    status,
    outputTokens,
    ...(errorType === undefined ? [] : [errorType])
  ])
)

class Refused {
  readonly _tag = "Refused"
  constructor(readonly status: number) {}
}

describe("calls of a forEach in which an item fails", () => {
  /** A call that is under way when the second one fails; its finalizer takes a second. */
  const slow = Effect.zipRight(Usage.report({ inputTokens: 7 }), Effect.never).pipe(
    Effect.onInterrupt(() => Effect.sleep("1 second")),
    Llm.track(quill)
  )
  const failing = Effect.fail("no").pipe(Effect.delay("1 second"), Llm.track(quill))
  const callOf = (index: number) => (index === 1 ? failing : slow)
  const indices = [0, 1, 2, 3, 4]
  const works: Record<string, Effect.Effect<unknown, unknown, RunContext>> = {
    "a bound": Effect.forEach(indices, callOf, { concurrency: 2 }),
    "a bound, and one inside": Effect.forEach(
      indices,
      (index) => Effect.forEach([index], callOf, { concurrency: 2, batching: true }),
      { concurrency: 2 }
    ),
    "a bound, in Effect.all": Effect.all(indices.map(callOf), { concurrency: 2, discard: true }),
    "a bound, in work that joins the run": Effect.flatMap(RunContext, (run) =>
      Botanu.resume(Effect.forEach(indices, callOf, { concurrency: 2 }), run)
    )
  }

  for (const [bound, work] of Object.entries(works)) {
    it.effect(`are on the record of its run with ${bound}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.exit(run(work)))
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        const usages = yield* allUsages
        expect(usages.map(({ inputTokens, status }) => [status, inputTokens])).toEqual([
          ["failure", undefined],
          ["interrupted", 7]
        ])
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("an effect", () => {
  const told = { ...quill, usage: (outputTokens: number) => ({ outputTokens }) }
  const ends: ReadonlyArray<
    readonly [how: string, work: Effect.Effect<number, unknown, Usage.CurrentCall>, ending: ReadonlyArray<unknown>]
  > = [
    ["succeeds", Effect.succeed(5), ["success", 5]],
    ["succeeds later", Effect.delay(Effect.succeed(5), "1 second"), ["success", 5]],
    ["fails", Effect.fail(new RangeError("x")), ["failure", undefined, "RangeError"]],
    ["fails with text", Effect.fail("no"), ["failure", undefined, "string"]],
    ["dies", Effect.die(new TypeError("x")), ["failure", undefined, "TypeError"]],
    [
      "throws",
      Effect.sync(() => {
        throw new SyntaxError("x")
      }),
      ["failure", undefined, "SyntaxError"]
    ],
    ["is interrupted by itself", Effect.interrupt, ["interrupted", undefined]],
    [
      "fails with what it said",
      Effect.zipRight(Usage.report({ outputTokens: 2 }), Effect.fail("no")),
      ["failure", 2, "string"]
    ],
    [
      "dies with what it said",
      Effect.zipRight(Usage.report({ outputTokens: 2 }), Effect.die("no")),
      ["failure", 2, "string"]
    ],
    [
      "dies while it is interrupted",
      Effect.ensuring(Effect.interrupt, Effect.die("full")),
      ["failure", undefined, "string"]
    ]
  ]
  for (const [how, work, ending] of ends) {
    it.effect(`that ${how}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.exit(run(Llm.track(work, told))))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        expect(yield* endings).toEqual([ending])
      }).pipe(Effect.provide(observed))
    )
  }

  const interruptions: ReadonlyArray<
    readonly [by: string, options: object, act: (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Effect.Effect<unknown>]
  > = [
    ["its caller", {}, Fiber.interrupt],
    ["the deadline of its run", { deadline: "1 second" }, () => TestClock.adjust("1 second")],
    [
      "Botanu.cancel",
      {},
      () =>
        Effect.flatMap(Botanu.activeRuns, (runs) =>
          Effect.forEach(runs, ({ runId }) => Botanu.cancel(runId, "operator"))
        )
    ]
  ]
  for (const [by, options, act] of interruptions) {
    it.effect(`interrupted in the middle by ${by} counts with what was told until then`, () =>
      Effect.gen(function* () {
        const call = Llm.track(Effect.zipRight(Usage.report({ outputTokens: 3 }), Effect.never), quill)
        const fiber = yield* Effect.fork(Botanu.workflow(call, "W", { ...ids, ...options }))
        yield* Effect.yieldNow()
        yield* act(fiber)
        yield* Fiber.await(fiber)
        expect(yield* endings).toEqual([["interrupted", 3]])
      }).pipe(Effect.provide(observed))
    )

    it.effect(`and so does a stream interrupted by ${by}`, () =>
      Effect.gen(function* () {
        const call = Llm.track(Stream.concat(elements(3), Stream.never), counting)
        const fiber = yield* Effect.fork(Botanu.workflow(Stream.runDrain(call), "W", { ...ids, ...options }))
        yield* Effect.yieldNow()
        yield* act(fiber)
        yield* Fiber.await(fiber)
        expect(yield* endings).toEqual([["interrupted", 3]])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("interrupted by a budget counts with what was told until then", () =>
    Effect.gen(function* () {
      const call = Llm.track(Effect.zipRight(Usage.report({ outputTokens: 3 }), Effect.never), quill)
      const stream = Llm.track(Stream.concat(elements(2), Stream.never), counting)
      const work = Effect.all([call, Stream.runDrain(stream), Effect.zipRight(Effect.yieldNow(), spend(2))], {
        concurrency: "unbounded"
      })
      yield* Effect.exit(Botanu.workflow(work, "W", { ...ids, budget: { usd: 1, children: true, retries: true } }))
      expect((yield* onlyRun).completed).toMatchObject({ status: "failure", errorClass: "BudgetExceeded" })
      expect((yield* endings).slice(1).sort()).toEqual([
        ["interrupted", 2],
        ["interrupted", 3]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that is uninterruptible ends as it does", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        run(Effect.uninterruptible(Llm.track(Effect.delay(Effect.succeed(5), "1 second"), told)))
      )
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      expect(yield* endings).toEqual([["success", 5]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("keeps its result, its error, its services and its interruptibility", () =>
    Effect.gen(function* () {
      const ref = yield* FiberRef.make(0)
      const track = Llm.track(quill)
      const work = Effect.gen(function* () {
        yield* track(FiberRef.set(ref, 1))
        const changed = yield* FiberRef.get(ref)
        const failed = yield* Effect.either(track(Effect.fail("no" as const)))
        const isInterruptible = yield* track(Effect.checkInterruptible(Effect.succeed))
        const isUninterruptible = yield* Effect.uninterruptible(track(Effect.checkInterruptible(Effect.succeed)))
        return { changed, failed, isInterruptible, isUninterruptible }
      })
      expect(yield* run(work)).toEqual({
        changed: 1,
        failed: Either.left("no"),
        isInterruptible: true,
        isUninterruptible: false
      })
    }).pipe(Effect.scoped, Effect.provide(observed))
  )

  it.effect("run twice is two calls", () =>
    Effect.gen(function* () {
      const call = Llm.track(Effect.succeed(1), told)
      yield* run(Effect.zipRight(call, call))
      expect(yield* endings).toHaveLength(2)
    }).pipe(Effect.provide(observed))
  )
})

describe("a stream", () => {
  type Consumed = (stream: Stream.Stream<number, unknown, RunContext>) => Effect.Effect<unknown, unknown, RunContext>
  const boom = Effect.fail(new Refused(404))
  const ends: ReadonlyArray<
    readonly [how: string, stream: Stream.Stream<number, unknown>, consume: Consumed, ending: ReadonlyArray<unknown>]
  > = [
    ["to its end", elements(3), Stream.runDrain, ["success", 3]],
    ["in one chunk", Stream.make(1, 2, 3), Stream.runDrain, ["success", 3]],
    ["without elements", Stream.empty, Stream.runDrain, ["success", undefined]],
    ["up to the second element", elements(9), (stream) => Stream.runDrain(Stream.take(stream, 2)), ["interrupted", 2]],
    ["up to its first element", elements(9), Stream.runHead, ["interrupted", 1]],
    [
      "until it fails",
      Stream.concat(elements(3), Stream.fail(new RangeError("x"))),
      Stream.runDrain,
      ["failure", 3, "RangeError"]
    ],
    ["until it dies", Stream.concat(elements(3), Stream.die("x")), Stream.runDrain, ["failure", 3, "string"]],
    [
      "until it interrupts itself",
      Stream.concat(elements(3), Stream.fromEffect(Effect.interrupt)),
      Stream.runDrain,
      ["interrupted", 3]
    ],
    // Whatever ends the consumer is not the provider's doing.
    [
      "until its consumer fails",
      elements(9),
      Stream.runForEach((n) => (n === 2 ? boom : Effect.void)),
      ["interrupted", 2]
    ],
    [
      "until a step after it fails",
      elements(9),
      (stream) => Stream.runDrain(Stream.mapEffect(stream, () => boom)),
      ["interrupted", 1]
    ],
    [
      "until its consumer dies",
      elements(9),
      Stream.runForEach((n) => (n === 2 ? Effect.die("x") : Effect.void)),
      ["interrupted", 2]
    ],
    [
      "until its consumer interrupts itself",
      elements(9),
      Stream.runForEach((n) => (n === 2 ? Effect.interrupt : Effect.void)),
      ["interrupted", 2]
    ],
    [
      "until it times out",
      Stream.concat(elements(3), Stream.never),
      (stream) => Effect.timeout(Stream.runDrain(stream), "1 second"),
      ["interrupted", 3]
    ],
    [
      "behind a buffer",
      elements(3),
      (stream) => Stream.runDrain(Stream.buffer(stream, { capacity: 16 })),
      ["success", 3]
    ]
  ]
  for (const [how, stream, consume, ending] of ends) {
    it.effect(`consumed ${how}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.exit(run(consume(Llm.track(stream, counting)))))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        expect(yield* endings).toEqual([ending])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("gives its elements as they come, in their chunks", () =>
    Effect.gen(function* () {
      const chunks = yield* run(
        Stream.runCollect(Stream.chunks(Llm.track(Stream.concat(Stream.make(1, 2), Stream.make(3)), counting)))
      )
      expect(JSON.parse(JSON.stringify(chunks)).values.map(({ values }: { values: unknown }) => values)).toEqual([
        [1, 2],
        [3]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that was not begun is no call", () =>
    Effect.gen(function* () {
      yield* run(Effect.sync(() => Llm.track(elements(3), counting)))
      expect(yield* endings).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("run twice is two calls, each with its own sum", () =>
    Effect.gen(function* () {
      const stream = Llm.track(elements(3), counting)
      yield* run(Effect.all([Stream.runDrain(stream), Stream.runDrain(Stream.take(stream, 1))], { concurrency: 2 }))
      expect((yield* endings).sort()).toEqual([
        ["interrupted", 1],
        ["success", 3]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("retried after a failure is a call for each try", () =>
    Effect.gen(function* () {
      let tries = 0
      const flaky = Stream.suspend(() =>
        ++tries < 3 ? Stream.concat(elements(tries), Stream.fail("again")) : elements(5)
      )
      yield* run(Stream.runDrain(Stream.retry(Llm.track(flaky, counting), Schedule.recurs(5))))
      expect(yield* endings).toEqual([
        ["failure", 1, "string"],
        ["failure", 2, "string"],
        ["success", 5]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("of several answers, as one that is tried again inside of the call, is a call for each, by their ids", () =>
    Effect.gen(function* () {
      const begun = (id: string) => ({ providerRequestId: id, inputTokens: 10, outputTokens: 1 })
      const answers = Stream.make<Array<Usage.Consumption>>(
        begun("a"),
        { outputTokens: 2 },
        begun("b"),
        { providerRequestId: "b", outputTokens: 5 },
        { providerRequestId: "c" },
        { outputTokens: 6 }
      )
      const soFars: Array<number | undefined> = []
      const call = Llm.track(answers, {
        ...quill,
        usage: (said, soFar) => {
          soFars.push(soFar.outputTokens)
          return said
        }
      })
      yield* run(Stream.runDrain(call))
      const usages = yield* allUsages
      expect(usages.map(({ attempt, inputTokens, outputTokens }) => [attempt, inputTokens, outputTokens])).toEqual([
        [1, 10, 2],
        [2, 10, 5],
        [3, undefined, 6]
      ])
      expect(soFars).toEqual([undefined, 1, 2, 1, 5, undefined])
    }).pipe(Effect.provide(observed))
  )

  it.effect("consumed in a forked fiber is one call of the run", () =>
    Effect.gen(function* () {
      yield* run(Effect.flatMap(Effect.fork(Stream.runDrain(Llm.track(elements(4), counting))), Fiber.join))
      expect(yield* endings).toEqual([["success", 4]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("forked and left behind ends with the run, and is on its record", () =>
    Effect.gen(function* () {
      const stream = Llm.track(Stream.concat(elements(2), Stream.never), counting)
      yield* run(Effect.zipRight(Effect.fork(Stream.runDrain(stream)), Effect.yieldNow()))
      expect(yield* endings).toEqual([["interrupted", 2]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("started by one fiber and consumed by another stands on the run that started it", () =>
    Effect.gen(function* () {
      const work = Effect.gen(function* () {
        const pull = yield* Stream.toPull(Llm.track(elements(2), counting))
        yield* pull
        const inner = Botanu.workflow(Effect.exit(Effect.forever(pull)), "Inner", ids)
        yield* Effect.flatMap(Effect.fork(inner), Fiber.join)
      })
      yield* run(Effect.scoped(work))
      expect(yield* usagesOf("Inner")).toEqual([[]])
      expect((yield* usagesOf("Customer Support"))[0]).toMatchObject([{ status: "success", outputTokens: 2 }])
    }).pipe(Effect.provide(observed))
  )

  it.effect("left to a daemon that outlives the run comes too late: on its span and in the log", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const go = yield* Deferred.make<number>()
      const stream = Llm.track(Stream.concat(elements(1), Stream.fromEffect(Deferred.await(go))), counting)
      const daemon = yield* run(Effect.forkDaemon(Stream.runDrain(stream)))
      yield* Deferred.succeed(go, 2)
      yield* Fiber.join(daemon)
      expect((yield* onlyRun).completed.usages).toEqual([])
      expect((yield* spanNamed("chat quill-2")).attributes["gen_ai.usage.output_tokens"]).toBe(2)
      expect(lines).toEqual(["usage of openai (chat quill-2; unknown_model, 0 USD known) came after the run was over"])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })
})

describe("a call that fails", () => {
  const refused: ReadonlyArray<readonly [what: string, error: unknown, requests: number]> = [
    ["a status of 400", new Refused(400), 0],
    ["a status of 429 in a response", { _tag: "HttpError", response: { status: 429 } }, 0],
    ["a status of 529 in an Error", Object.assign(new Error("overloaded"), { status: 529 }), 0],
    ["a status of 200", new Refused(200), 1],
    ["a status that is text", { status: "429" }, 1],
    ["a response without a status", { response: null }, 1],
    ["no status", new Error("socket hang up"), 1],
    ["text", "429", 1],
    ["null", null, 1]
  ]
  for (const [what, error, requests] of refused) {
    const known = requests === 0 ? "costs nothing" : "has no known cost"
    for (const kind of ["effect", "stream"] as const) {
      it.effect(`with ${what} ${known}: ${kind}`, () =>
        Effect.gen(function* () {
          const call =
            kind === "effect"
              ? Llm.track(Effect.fail(error), quill)
              : Stream.runDrain(Llm.track(Stream.fail(error), quill))
          yield* Effect.exit(run(call))
          const { totals, usages } = (yield* onlyRun).completed
          expect(usages.map(({ cost, usage }) => [usage.status, usage.requests, costText(cost)])).toEqual([
            ["failure", requests, requests === 0 ? "0" : "unknown_model"]
          ])
          expect(totals.unpricedCalls).toBe(requests)
        }).pipe(Effect.provide(observed))
      )
    }
  }

  it.effect("was served where it was told to have consumed anything, whatever the status", () =>
    Effect.gen(function* () {
      const fail = Effect.fail(new Refused(500))
      const query = Data.trackDatabase({ system: "BigQuery", operation: "SELECT" })
      yield* Effect.exit(run(Llm.track(Effect.zipRight(Usage.report({ inputTokens: 1 }), fail), quill)))
      yield* Effect.exit(run(query(Effect.zipRight(Usage.report({ bytesScanned: 1_000 }), fail))))
      expect((yield* allUsages).map(({ requests }) => requests)).toEqual([1, 1])
    }).pipe(Effect.provide(observed))
  )

  it.effect("with a defect was not refused, whatever its status", () =>
    Effect.gen(function* () {
      yield* Effect.exit(run(Llm.track(Effect.die(new Refused(429)), quill)))
      expect((yield* allUsages).map(({ requests }) => requests)).toEqual([1])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is refused where isRefused says so, and not where it does not", () =>
    Effect.gen(function* () {
      const isRefused = (error: unknown) => error === "quota"
      for (const error of ["quota", new Refused(429)]) {
        yield* Effect.exit(run(Llm.track(Effect.fail(error), { ...quill, isRefused })))
      }
      expect((yield* allUsages).map(({ requests }) => requests)).toEqual([0, 1])
    }).pipe(Effect.provide(observed))
  )
})

describe("trouble with an option is logged, and harms neither the call nor its record", () => {
  const trouble = () => {
    throw new Error("my mistake")
  }

  it.effect("the usage option of an effect", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      expect(yield* run(Llm.track(Effect.succeed(7), { ...quill, usage: trouble }))).toBe(7)
      expect(yield* endings).toEqual([["success", undefined]])
      expect(lines).toEqual(['the usage option of "chat quill-2" failed: Error: my mistake'])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("the usage option of a stream, for the elements for which it throws", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const usage = (n: number) => (n === 2 ? tracerDown() : { outputTokens: n })
      expect(yield* run(Stream.runCount(Llm.track(elements(3), { ...quill, usage })))).toBe(3)
      expect(yield* endings).toEqual([["success", 3]])
      expect(lines).toHaveLength(1)
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("a usage option that says nothing, or what makes no sense", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const odd = [undefined, null, 5, "ten", { outputTokens: "ten" }, { outputTokens: Object.create(null) }]
      for (const said of odd) {
        const call = { ...quill, usage: () => said as never }
        yield* run(Llm.track(Effect.succeed(1), call))
        yield* run(Stream.runDrain(Llm.track(Stream.make(1), call)))
      }
      expect(yield* endings).toEqual(Array(2 * odd.length).fill(["success", undefined]))
      expect(lines.filter((line) => line.startsWith("usage of openai; outputTokens: expected"))).toHaveLength(4)
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("the isRefused option", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const call = Llm.track(Effect.fail(new Refused(429)), { ...quill, isRefused: trouble })
      expect(yield* Effect.flip(run(call))).toBeInstanceOf(Refused)
      expect((yield* allUsages).map(({ requests }) => requests)).toEqual([1])
      expect(lines).toEqual(['the isRefused option of "chat quill-2" failed: Error: my mistake'])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  const kinds: ReadonlyArray<readonly [kind: string, call: Effect.Effect<number, unknown, RunContext>]> = [
    ["an effect", Llm.track(Effect.succeed(3), { ...quill, usage: () => ({ outputTokens: 3 }) })],
    ["a stream", Stream.runCount(Llm.track(elements(3), counting))]
  ]
  for (const [kind, call] of kinds) {
    it.effect(`a tracer that throws: ${kind}`, () => {
      const tracer = brokenTracer({
        attribute: (key) => (key.startsWith("gen_ai.usage") ? tracerDown() : undefined),
        end: tracerDown
      })
      return Effect.gen(function* () {
        expect(yield* run(call)).toBe(3)
        expect(yield* endings).toEqual([["success", 3]])
        expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success"])
      }).pipe(Effect.withTracer(tracer), Effect.provide([RunExporter.layerMemory, logging([])]))
    })
  }
})

describe("the span of a call", () => {
  it.effect("stands in the run's, carries the run, and ends with what was consumed and what it cost", () =>
    Effect.gen(function* () {
      const call = Llm.track(Effect.withSpan(Effect.succeed(2), "inside"), {
        ...quill,
        usage: (outputTokens) => ({ outputTokens })
      })
      yield* run(call).pipe(Effect.provide(perToken("0.25")))
      const { completed, span: runSpan } = yield* onlyRun
      const span = yield* spanNamed("chat quill-2")
      expect(span.parentSpanContext?.spanId).toBe(runSpan.spanContext().spanId)
      expect((yield* spanNamed("inside")).parentSpanContext?.spanId).toBe(span.spanContext().spanId)
      expect(span.attributes).toMatchObject({
        "botanu.run_id": completed.run.runId,
        "gen_ai.usage.output_tokens": 2,
        "botanu.usage.cost_usd": 0.5
      })
      expect(span.attributes).not.toHaveProperty("botanu.usage.unpriced")
    }).pipe(Effect.provide(observed))
  )

  it.effect("of a stream is around what the stream does, until it ends", () =>
    Effect.gen(function* () {
      const stream = Llm.track(
        Stream.mapEffect(elements(2), (n) => Effect.withSpan(Effect.succeed(n), `element ${n}`)),
        counting
      )
      yield* run(Stream.runForEach(stream, () => Effect.void.pipe(Effect.withSpan("consumer"))))
      const { span: runSpan } = yield* onlyRun
      const span = yield* spanNamed("chat quill-2")
      expect((yield* spanNamed("element 2")).parentSpanContext?.spanId).toBe(span.spanContext().spanId)
      for (const consumer of (yield* endedSpans).filter(({ name }) => name === "consumer")) {
        expect(consumer.parentSpanContext?.spanId).toBe(runSpan.spanContext().spanId)
      }
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the error of a call that failed, and none of one that was abandoned", () =>
    Effect.gen(function* () {
      yield* Effect.exit(run(Llm.track(Effect.fail(new RangeError("x")), { ...quill, operation: "failed" })))
      const abandoned = Llm.track(elements(3), { ...quill, operation: "abandoned" })
      yield* Effect.exit(run(Stream.runForEach(abandoned, () => Effect.fail("full"))))
      const failed = yield* spanNamed("failed quill-2")
      expect([failed.status.code, failed.attributes["error.type"]]).toEqual([2, "RangeError"])
      const { attributes, status } = yield* spanNamed("abandoned quill-2")
      expect([status.code, attributes["error.type"]]).toEqual([1, undefined])
    }).pipe(Effect.provide(observed))
  )

  it.effect("does not say of an unknown cost that it is zero, but why it is unknown", () =>
    Effect.gen(function* () {
      yield* run(Llm.track(Effect.void, quill))
      const { attributes } = yield* spanNamed("chat quill-2")
      expect(attributes["botanu.usage.unpriced"]).toBe("unknown_model")
      expect(attributes).not.toHaveProperty("botanu.usage.cost_usd")
      expect(attributes).not.toHaveProperty("gen_ai.usage.input_tokens")
    }).pipe(Effect.provide(observed))
  )

  it.effect("takes the time that the call takes", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(run(Llm.track(Effect.sleep("1500 millis"), quill)))
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.join(fiber)
      expect((yield* spanNamed("chat quill-2")).duration).toEqual([1, 500_000_000])
      expect((yield* allUsages).map(({ time }) => time.epochMillis)).toEqual([1_500])
    }).pipe(Effect.provide(observed))
  )
})

describe("every wrapper", () => {
  const select = { system: "pg", operation: "SELECT" }
  const get = { system: "s3", operation: "GET" }
  const send = { system: "sqs", operation: "send", destination: "tickets" }
  const tool = { operation: "execute_tool", tool: "search" } as const
  const usage = (outputTokens: number) => ({ outputTokens })
  const effect = Effect.succeed(4)
  const stream = Stream.make(1, 4)
  const forms: ReadonlyArray<readonly [form: string, call: Effect.Effect<unknown, unknown, RunContext>]> = [
    ["Llm.track, effect first", Llm.track(effect, { ...quill, usage })],
    ["Llm.track, effect last", effect.pipe(Llm.track({ ...quill, usage }))],
    ["Llm.track, stream first", Stream.runDrain(Llm.track(stream, { ...quill, usage }))],
    ["Llm.track, stream last", Stream.runDrain(stream.pipe(Llm.track({ ...quill, usage })))],
    ["Llm.track of a tool, effect first", Llm.track(effect, { ...tool, usage })],
    ["Llm.track of a tool, stream last", Stream.runDrain(stream.pipe(Llm.track({ ...tool, usage })))],
    ["Data.trackDatabase, effect first", Data.trackDatabase(effect, { ...select, usage })],
    ["Data.trackDatabase, effect last", effect.pipe(Data.trackDatabase({ ...select, usage }))],
    ["Data.trackDatabase, stream first", Stream.runDrain(Data.trackDatabase(stream, { ...select, usage }))],
    ["Data.trackDatabase, stream last", Stream.runDrain(stream.pipe(Data.trackDatabase({ ...select, usage })))],
    ["Data.trackStorage, effect first", Data.trackStorage(effect, { ...get, usage })],
    ["Data.trackStorage, effect last", effect.pipe(Data.trackStorage({ ...get, usage }))],
    ["Data.trackStorage, stream first", Stream.runDrain(Data.trackStorage(stream, { ...get, usage }))],
    ["Data.trackStorage, stream last", Stream.runDrain(stream.pipe(Data.trackStorage({ ...get, usage })))],
    ["Data.trackMessaging, effect first", Data.trackMessaging(effect, { ...send, usage })],
    ["Data.trackMessaging, effect last", effect.pipe(Data.trackMessaging({ ...send, usage }))],
    ["Data.trackMessaging, stream first", Stream.runDrain(Data.trackMessaging(stream, { ...send, usage }))],
    ["Data.trackMessaging, stream last", Stream.runDrain(stream.pipe(Data.trackMessaging({ ...send, usage })))]
  ]
  for (const [form, call] of forms) {
    it.effect(`${form}: one usage, one span`, () =>
      Effect.gen(function* () {
        yield* run(call)
        expect(yield* endings).toEqual([["success", 4]])
        const { completed, span: own } = yield* onlyRun
        const [span, ...more] = (yield* endedSpans).filter((span) => span !== own)
        expect(more).toEqual([])
        expect(span?.attributes["gen_ai.usage.output_tokens"]).toBe(4)
        expect((yield* spanOf(completed)).attributes["botanu.run.output_tokens"]).toBe(4)
      }).pipe(Effect.provide(observed))
    )
  }
})

it.effect("a usage says how long its call took", () =>
  Effect.gen(function* () {
    const call = Llm.track(Effect.delay(Effect.void, "1500 millis"), { ...quill, usage: () => ({ outputTokens: 1 }) })
    const fiber = yield* Effect.fork(run(call))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(fiber)
    expect((yield* usagesOf("Customer Support")).flat().map(({ durationMs }) => durationMs)).toEqual([1500])
  }).pipe(Effect.provide(observed))
)
