/**
 * Whatever throws on the way, the program's own result comes through, and the run is recorded once.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, Option, Tracer } from "effect"
import { Botanu, RunExporter } from "../../src/index.js"
import { brokenTracer, tracerDown } from "../brokenTracer.js"
import { completedRuns } from "../observed.js"
import { ids } from "../runs.js"

const throwing = (): never => {
  throw new Error("down")
}

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const hostileTag = () =>
  Object.defineProperty({ name: "Hostile" }, "_tag", {
    get: throwing
  })

const withTracer = (tracer: Tracer.Tracer) => Layer.setTracer(tracer)

const dyingExporter = RunExporter.layer({ export: () => Effect.die("exporter down") })
const throwingExporter = RunExporter.layer({ export: throwing })
const throwingLogger = Logger.replace(Logger.defaultLogger, Logger.make(throwing))

type Outcome = () => Botanu.OutcomeOfResult

interface Seam {
  readonly layer?: Layer.Layer<never>
  readonly outcome?: Outcome
}

const seams: Record<string, Seam> = {
  "the outcome option, which throws": { outcome: throwing },
  "the outcome option, which gives nothing": { outcome: (() => undefined) as never as Outcome },
  "the outcome option, which gives a proxy that was revoked": { outcome: revoked as never as Outcome },
  "the outcome option, which gives no status": { outcome: () => ({ status: "fine" as "success" }) },
  "span() of the tracer": { layer: withTracer(Tracer.make({ span: throwing, context: (run) => run() })) },
  "attribute() of a span": { layer: withTracer(brokenTracer({ attribute: tracerDown })) },
  "event() of a span": { layer: withTracer(brokenTracer({ event: tracerDown })) },
  "end() of a span": { layer: withTracer(brokenTracer({ end: tracerDown })) },
  "all of a span": {
    layer: withTracer(brokenTracer({ attribute: tracerDown, event: tracerDown, end: tracerDown }))
  },
  "a logger, when there is something to log": {
    layer: Layer.merge(withTracer(brokenTracer({ event: tracerDown })), throwingLogger)
  },
  "an exporter that dies": { layer: Layer.merge(dyingExporter, throwingLogger) },
  "an exporter that throws": { layer: throwingExporter },
  "all of them": {
    layer: Layer.mergeAll(
      withTracer(Tracer.make({ span: throwing, context: (run) => run() })),
      throwingLogger,
      dyingExporter,
      throwingExporter
    ),
    outcome: throwing
  }
}

const error = { _tag: "Refused" }

const ends: Record<string, readonly [Effect.Effect<number, unknown>, status: string, errorClass?: string]> = {
  success: [Effect.succeed(42), "success"],
  "success after a wait": [Effect.as(Effect.yieldNow(), 42), "success"],
  failure: [Effect.fail(error), "failure", "Refused"],
  "a defect": [Effect.die(error), "failure", "Refused"],
  interruption: [Effect.interrupt, "canceled"],
  "an error whose tag throws": [Effect.suspend(() => Effect.fail(hostileTag())), "failure", "Hostile"],
  "an error that is a proxy that was revoked": [Effect.failCause(Cause.fail(revoked())), "failure", "Object"],
  "a defect that is a proxy that was revoked": [Effect.failCause(Cause.die(revoked())), "failure", "Object"]
}

const expectSame = (exit: Exit.Exit<number, unknown>, bare: Exit.Exit<number, unknown>): void => {
  expect(exit._tag).toBe(bare._tag)
  if (Exit.isSuccess(exit) || Exit.isSuccess(bare)) {
    expect(exit).toEqual(bare)
    return
  }
  expect(Option.isSome(Cause.failureOption(exit.cause))).toBe(Option.isSome(Cause.failureOption(bare.cause)))
  expect(Option.isSome(Cause.dieOption(exit.cause))).toBe(Option.isSome(Cause.dieOption(bare.cause)))
  expect(Cause.isInterruptedOnly(exit.cause)).toBe(Cause.isInterruptedOnly(bare.cause))
}

for (const [seam, { layer = Layer.empty, outcome }] of Object.entries(seams)) {
  describe(seam, () => {
    for (const [end, [body, status, errorClass]] of Object.entries(ends)) {
      it.effect(`changes nothing of ${end}`, () =>
        Effect.gen(function* () {
          const bare = yield* Effect.exit(body)
          const exit = yield* body.pipe(
            Botanu.workflow("W", { ...ids, ...(outcome && { outcome }) }),
            Effect.exit,
            Effect.provide(layer)
          )
          expectSame(exit as Exit.Exit<number, unknown>, bare)
          const runs = yield* completedRuns
          expect(runs.map((run) => [run.status, run.errorClass])).toEqual([[status, errorClass]])
          expect(yield* Botanu.activeRuns).toEqual([])
        }).pipe(Effect.provide(RunExporter.layerMemory))
      )
    }
  })
}
