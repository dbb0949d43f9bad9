import { describe, expect, it } from "@effect/vitest"
import { Effect, type Fiber, FiberRef, HashMap, Option, Tracer } from "effect"
import { makeSpanFor, makeUnseenSpanFor, withRefFor } from "../../src/fiber/NewSpan.js"
import { tracerDown } from "../brokenTracer.js"

const thisFiber = Effect.withFiberRuntime<Fiber.RuntimeFiber<unknown, unknown>>((fiber) => Effect.succeed(fiber))

/** `effect` with the names of the spans that its tracer makes. */
const seeing = <A>(effect: (names: ReadonlyArray<string>) => Effect.Effect<A>) =>
  Effect.flatMap(Effect.tracer, (tracer) => {
    const names: Array<string> = []
    const own = Tracer.make({
      span: (name, ...rest) => {
        names.push(name)
        return tracer.span(name, ...rest)
      },
      context: (execution) => execution()
    })
    return Effect.withTracer(effect(names), own)
  })

describe("a span that is made at once", () => {
  it.effect("is the one that Effect.makeSpan makes: of the fiber's tracer, below its span, with its annotations", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const parent = yield* Effect.currentSpan
      const options = { kind: "consumer", attributes: { own: 1 } } as const
      for (const span of [makeSpanFor(fiber, "made", options), yield* Effect.makeSpan("made", options)]) {
        expect(span).toMatchObject({ name: "made", kind: "consumer", status: { _tag: "Started" } })
        expect(Option.getOrThrow(span.parent)).toBe(parent)
        expect(Object.fromEntries(span.attributes)).toEqual({ own: 1, team: "support" })
      }
    }).pipe(Effect.withSpan("parent"), Effect.annotateSpans("team", "support"))
  )

  it.effect("throws what the tracer throws", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      expect(() => makeSpanFor(fiber, "made", {})).toThrow("tracer down")
    }).pipe(Effect.withTracer(Tracer.make({ span: tracerDown, context: (execution) => execution() })))
  )

  it.effect("is seen by no tracer where that is asked for", () =>
    seeing((names) =>
      Effect.map(thisFiber, (fiber) => {
        expect(makeUnseenSpanFor(fiber, "unseen").name).toBe("unseen")
        makeSpanFor(fiber, "seen", {})
        expect(names).toEqual(["seen"])
      })
    )
  )
})

describe("a reference that holds another value for a moment", () => {
  it.effect("holds afterwards what it held before, also where something throws", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const ref = FiberRef.currentTracerSpanAnnotations
      const before = fiber.getFiberRef(ref)
      const other = HashMap.make(["team", "billing"])
      expect(withRefFor(fiber, ref, other, () => fiber.getFiberRef(ref))).toBe(other)
      expect(() => withRefFor(fiber, ref, other, tracerDown)).toThrow()
      expect(fiber.getFiberRef(ref)).toBe(before)
      expect(yield* Effect.spanAnnotations).toBe(before)
    }).pipe(Effect.annotateSpans("team", "support"))
  )
})
