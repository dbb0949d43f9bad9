import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, HashMap, Logger, Option, Schema, Stream } from "effect"
import { Botanu, BotanuConfig, Llm, Propagation, RunContext, Usage } from "../src/index.js"
import { completedRuns, endedSpans, observed } from "./observed.js"
import { ids, leanHeader, makeRun } from "./runs.js"

const inRun = Botanu.workflow("Support", ids)
const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })

/** The steps of the spans, by name. */
const stepsOfSpans = Effect.map(endedSpans, (spans) =>
  spans.map(({ attributes, name }) => [name, attributes["botanu.step"]])
)

const usage = { kind: "other", provider: "p", operation: "o" } as const

const call = Effect.succeed({ input: 3 }).pipe(
  Llm.track({ provider: "openai", model: "m", usage: ({ input }: { input: number }) => ({ inputTokens: input }) })
)

describe("a step", () => {
  it.effect("is a span, and on the spans, log lines and usages below it, in forked fibers too, and on no other", () => {
    const lines: Array<readonly [unknown, unknown]> = []
    const logger = Logger.make(({ annotations, message }) => {
      lines.push([String(message), Option.getOrUndefined(HashMap.get(annotations, "botanu.step"))])
    })
    return Effect.gen(function* () {
      const inside = Effect.all([
        Effect.log("in"),
        Effect.void.pipe(Effect.withSpan("inner")),
        call,
        Effect.flatMap(Effect.fork(Usage.record(usage)), Fiber.join)
      ])
      yield* Effect.all([inside.pipe(Botanu.step("retrieval")), Usage.record(usage), Effect.log("out")]).pipe(inRun)
      expect(yield* stepsOfSpans).toEqual([
        ["inner", "retrieval"],
        ["chat m", "retrieval"],
        ["botanu.step/retrieval", "retrieval"],
        ["botanu.run/Support", undefined]
      ])
      const [inner, , step, run] = yield* endedSpans
      expect(inner?.parentSpanContext?.spanId).toBe(step?.spanContext().spanId)
      expect(step?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId)
      expect(step?.attributes["botanu.run_id"]).toBe(run?.attributes["botanu.run_id"])
      expect(lines).toEqual([
        ["in", "retrieval"],
        ["out", undefined]
      ])
      const [completed] = yield* completedRuns
      expect(completed?.usages.map(({ usage }) => [usage.kind, usage.step])).toEqual([
        ["llm", "retrieval"],
        ["other", "retrieval"],
        ["other", undefined]
      ])
    }).pipe(Effect.provide([observed, Logger.replace(Logger.defaultLogger, logger)]))
  })

  it.effect("gives way to the one inside of it, and comes back", () =>
    Effect.gen(function* () {
      const named = (name: string) => Effect.withSpan(Effect.void, name)
      yield* Effect.all([named("a"), named("b").pipe(Botanu.step("inner")), named("c")]).pipe(
        Botanu.step("outer"),
        inRun
      )
      expect((yield* stepsOfSpans).slice(0, 5)).toEqual([
        ["a", "outer"],
        ["b", "inner"],
        ["botanu.step/inner", "inner"],
        ["c", "outer"],
        ["botanu.step/outer", "outer"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the runs that are started in it as a part", () =>
    Effect.gen(function* () {
      yield* Usage.record(usage).pipe(Botanu.workflow("Search", ids), Botanu.step("retrieval"), inRun)
      expect((yield* stepsOfSpans).slice(0, 1)).toEqual([["botanu.run/Search", "retrieval"]])
      const [search] = yield* completedRuns
      expect(search?.usages.map(({ usage }) => usage.step)).toEqual(["retrieval"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is that of the call's begin, whoever ends it", () =>
    Effect.gen(function* () {
      const stream = Stream.make(1, 2).pipe(
        Llm.track({ provider: "openai", model: "m", usage: () => ({ inputTokens: 1 }) }),
        Botanu.step("draft")
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* Stream.toPull(stream)
          yield* Effect.ignore(pull)
        })
      ).pipe(Botanu.step("other"), inRun)
      const [completed] = yield* completedRuns
      expect(completed?.usages.map(({ usage }) => usage.step)).toEqual(["draft"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("may be a stream: it lasts until its end, and is not on what its consumer does", () =>
    Effect.gen(function* () {
      const span = (name: string) => Effect.withSpan(Effect.void, name)
      const stream = Stream.make(1, 2).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.all([span("produced"), Usage.record(usage)])),
        Stream.onStart(span("opened")),
        Botanu.step("retrieval")
      )
      const elements: Array<number> = []
      yield* Stream.runForEach(stream, (element) => {
        elements.push(element)
        return span("consumed")
      }).pipe(inRun)
      expect(elements).toEqual([1, 2])
      expect(yield* stepsOfSpans).toEqual([
        ["opened", "retrieval"],
        ["produced", "retrieval"],
        ["consumed", undefined],
        ["produced", "retrieval"],
        ["consumed", undefined],
        ["botanu.step/retrieval", "retrieval"],
        ["botanu.run/Support", undefined]
      ])
      const spans = yield* endedSpans
      const nameOf = (id: string | undefined) => spans.find((span) => span.spanContext().spanId === id)?.name
      expect(spans.map((span) => nameOf(span.parentSpanContext?.spanId))).toEqual([
        "botanu.step/retrieval",
        "botanu.step/retrieval",
        "botanu.run/Support",
        "botanu.step/retrieval",
        "botanu.run/Support",
        "botanu.run/Support",
        undefined
      ])
      const [completed] = yield* completedRuns
      expect(completed?.usages.map(({ usage }) => usage.step)).toEqual(["retrieval", "retrieval"])
    }).pipe(Effect.provide(observed))
  )

  for (const [which, source] of [
    ["fails", Stream.fail("broken")],
    ["is left early", Stream.make(1, 2, 3).pipe(Stream.rechunk(1))]
  ] as ReadonlyArray<readonly [string, Stream.Stream<number, string>]>) {
    it.effect(`ends once where its stream ${which}`, () =>
      Effect.gen(function* () {
        const closing = Usage.record(usage).pipe(Effect.ignore, Effect.withSpan("closed"))
        const left = source.pipe(Stream.ensuring(closing), Botanu.step("retrieval"), Stream.take(1))
        yield* Effect.exit(Stream.runDrain(left)).pipe(inRun)
        expect((yield* stepsOfSpans)[0]).toEqual(["closed", "retrieval"])
        const [completed] = yield* completedRuns
        expect(completed?.usages.map(({ usage }) => usage.step)).toEqual(["retrieval"])
        expect((yield* stepsOfSpans).filter(([name]) => name === "botanu.step/retrieval")).toHaveLength(1)
      }).pipe(Effect.provide(observed))
    )
  }

  for (const name of ["", "a\u0000b", "x".repeat(257)]) {
    it.effect(`is none by a name such as ${JSON.stringify(name.slice(0, 8))}, which is logged; the work is done`, () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make<unknown, void>(({ message }) => {
          lines.push(String(message))
        })
        const effect = Effect.succeed(1).pipe(Botanu.step(name))
        const stream = Stream.runCollect(Stream.make(1).pipe(Botanu.step(name)))
        const [one, all] = yield* Effect.all([effect, stream]).pipe(
          inRun,
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        expect([one, [...all]]).toEqual([1, [1]])
        expect(lines).toHaveLength(1)
        expect(lines[0]).toMatch(/^step: name: expected/)
        expect((yield* stepsOfSpans).map(([span]) => span)).toEqual(["botanu.run/Support"])
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("the step on the wire", () => {
  it.effect("is sent in full mode, inside of a step", () =>
    Effect.gen(function* () {
      const both = Effect.all([Propagation.inject, Propagation.inject.pipe(Botanu.step("re-rank 1"))])
      const [outside, inside] = yield* Botanu.resume(both, makeRun())
      expect(outside["baggage"]).toBe(`${leanHeader},botanu.environment=production`)
      expect(inside["baggage"]).toBe(`${leanHeader},botanu.environment=production,botanu.step=re-rank%201`)
    }).pipe(Effect.provide(full))
  )

  it.effect("is not sent in lean mode", () =>
    Effect.gen(function* () {
      const sent = yield* Botanu.resume(Propagation.inject.pipe(Botanu.step("retrieval")), makeRun())
      expect(sent["baggage"]).toBe(leanHeader)
    })
  )

  it.effect("goes on as it came, is on what is made in the run, and gives way to a step here", () =>
    Effect.gen(function* () {
      const incoming = yield* Propagation.extract({ baggage: `${leanHeader},botanu.step=retrieval` })
      const run = Option.getOrThrow(incoming)
      const inside = Effect.all([
        Effect.withSpan(Propagation.inject, "joined"),
        Propagation.inject.pipe(inRun),
        Effect.withSpan(Propagation.inject, "own").pipe(Botanu.step("draft"))
      ])
      const sent = yield* inside.pipe(Botanu.resume(run), Botanu.step("here"), inRun)
      expect(sent.map(({ baggage }) => /botanu\.step=([^,]*)/.exec(baggage ?? "")?.[1])).toEqual([
        "retrieval",
        "retrieval",
        "draft"
      ])
      const spans = Object.fromEntries(yield* stepsOfSpans)
      expect(spans).toMatchObject({ joined: "retrieval", own: "draft" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("is none of a run that came without one, in whatever step it is joined", () =>
    Effect.gen(function* () {
      const sent = Effect.withSpan(Propagation.inject, "joined").pipe(Botanu.resume(makeRun()))
      const headers = yield* sent.pipe(Botanu.step("here"), inRun)
      expect(headers["baggage"]).not.toContain("step")
      expect(Object.fromEntries(yield* stepsOfSpans)["joined"]).toBeUndefined()
    }).pipe(Effect.provide([observed, full]))
  )

  it.effect("is left out where it is bad, and refused by the strict Schema, which names it", () =>
    Effect.gen(function* () {
      const header = `${leanHeader},botanu.step=`
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: header }))
      const { baggage } = yield* Propagation.inject.pipe(Botanu.resume(run))
      expect(baggage).not.toContain("botanu.step")
      const error = yield* Effect.flip(Schema.decode(RunContext.FromHeader)(header))
      expect(error.message).toContain("botanu.step: expected non-empty text")
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
  )
})
