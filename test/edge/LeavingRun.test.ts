/**
 * An edge that does not trust a request, inside of one that has joined the run which the request brought.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Option, Tracer } from "effect"
import { distrusting } from "../../src/edge/ServerEdge.js"
import { isDistrusted } from "../../src/edge/Trust.js"
import { RunContext } from "../../src/index.js"
import { CurrentRequestEdge, type RequestEdge } from "../../src/lifecycle/Interruption.js"
import { makeRun, otherRunId } from "../runs.js"

const received = makeRun()
const remote = Tracer.externalSpan({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" })

const seen = Effect.withFiberRuntime<{ run: string | undefined; isDistrusted: boolean; parent: string | undefined }>(
  (fiber) =>
    Effect.sync(() => {
      const of = <I, S>(tag: Context.Tag<I, S>) => Option.getOrUndefined(Context.getOption(fiber.currentContext, tag))
      return { run: of(RunContext)?.runId, isDistrusted: isDistrusted(fiber), parent: of(Tracer.ParentSpan)?.spanId }
    })
)

/** What the inner edge's work sees, and whether the outer one learns that the request is not trusted. */
const behind = (outer: Partial<RequestEdge>, run = received) =>
  Effect.gen(function* () {
    const edge = { ...outer } as RequestEdge
    const work = Effect.withFiberRuntime<Effect.Effect.Success<typeof seen>>((fiber) => distrusting(fiber, () => seen))
    const result = yield* work.pipe(
      Effect.provideService(CurrentRequestEdge, edge),
      Effect.provideService(RunContext, run)
    )
    return { ...result, outer: edge.isDistrusted === true }
  })

const left = { run: undefined, isDistrusted: true, outer: true }

describe("the run that the outer edge joined", () => {
  it.effect("is left, with the trace of its sender", () =>
    Effect.gen(function* () {
      const result = yield* Effect.provideService(behind({ received }), Tracer.ParentSpan, remote)
      expect(result).toEqual({ ...left, parent: undefined })
    })
  )

  it.effect("is left where no span is open", () =>
    Effect.map(behind({ received }), (result) => expect(result).toEqual({ ...left, parent: undefined }))
  )

  it.effect("is left, and a span of this process is not", () =>
    Effect.gen(function* () {
      const { span, ...result } = yield* Effect.useSpan("request", (span) =>
        Effect.map(Effect.provideService(behind({ received }), Tracer.ParentSpan, span), (result) => ({
          ...result,
          span: span.spanId
        }))
      )
      expect(result).toEqual({ ...left, parent: span })
    })
  )
})

describe("another run", () => {
  const kept = { isDistrusted: false, outer: false, parent: undefined }

  it.effect("is not left where the outer edge joined none", () =>
    Effect.map(behind({}), (result) => expect(result).toEqual({ ...kept, run: received.runId }))
  )

  it.effect("is not left where it was started in the one that was joined", () =>
    Effect.map(behind({ received }, makeRun({ runId: otherRunId })), (result) =>
      expect(result).toEqual({ ...kept, run: otherRunId })
    )
  )
})
