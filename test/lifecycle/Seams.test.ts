/**
 * Whatever throws on the way, the program's own result comes through, and the run is recorded once.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  ConfigProvider,
  Effect,
  Exit,
  FiberRef,
  Layer,
  Logger,
  MetricLabel,
  Option,
  Stream,
  Tracer
} from "effect"
import { Botanu, InvalidRunContext, RunExporter } from "../../src/index.js"
import { record } from "../../src/lifecycle/ActiveExporters.js"
import { brokenTracer, tracerDown } from "../brokenTracer.js"
import { completedRuns, logging } from "../observed.js"
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

it.effect.each([
  ["an error", throwing, "Error: down"],
  [
    "what has no text",
    () => {
      throw Object.create(null)
    },
    "an error without a text"
  ]
] as const)("a tracer that throws %s is reported", ([, span, text]) => {
  const lines: Array<string> = []
  return Effect.gen(function* () {
    const tracer = withTracer(Tracer.make({ span, context: (run) => run() }))
    yield* Botanu.workflow(Effect.void, "W", ids).pipe(Effect.provide(tracer))
    expect(lines).toEqual([`opening the span of a run failed: ${text}`])
  }).pipe(Effect.provide(logging(lines)))
})

const unreadable = MetricLabel.make("team", { toJSON: throwing } as never)

it.effect.each([
  [
    "receives runs",
    Layer.scopedDiscard(record({ started: throwing, completed: throwing, flush: Effect.void }, "down")),
    ["exporting the start of a run", "exporting a run"]
  ],
  [
    "labels metrics",
    Layer.scopedDiscard(Effect.locallyScoped(FiberRef.currentMetricLabels, [unreadable])),
    ["registering the metrics of a workflow", "recording a run in the metrics"]
  ]
] as const)("what %s and throws is reported by what it did not record", ([, layer, parts]) => {
  const lines: Array<string> = []
  return Effect.gen(function* () {
    yield* Botanu.workflow(Effect.void, "W", ids).pipe(Effect.provide(layer))
    expect(lines).toEqual([parts.map((part) => `${part} failed: Error: down`).join("; ")])
  }).pipe(Effect.provide(logging(lines)))
})

it.effect("a span whose trace cannot be read leaves it out of the record, and is reported", () => {
  const lines: Array<string> = []
  return Effect.gen(function* () {
    const tracer = yield* Effect.tracer
    const span: Tracer.Tracer["span"] = (...args) =>
      Object.defineProperty(tracer.span(...args), "traceId", { get: throwing })
    yield* Effect.withTracer(Botanu.workflow(Effect.void, "W", ids), Tracer.make({ span, context: (run) => run() }))
    expect(lines).toEqual(["reading the trace of a run failed: Error: down"])
    expect((yield* completedRuns).map(({ traceId }) => traceId)).toEqual([undefined])
  }).pipe(Effect.provide([RunExporter.layerMemory, logging(lines)]))
})

/** A clock whose `nth` reading throws, and those after it. */
const clockDownFrom = (nth: number): Clock.Clock => {
  const live = Clock.make()
  let readings = 0
  const read = <A>(reading: () => A): A => {
    readings += 1
    return readings >= nth ? throwing() : reading()
  }
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    currentTimeMillis: live.currentTimeMillis,
    currentTimeNanos: live.currentTimeNanos,
    sleep: (duration) => live.sleep(duration),
    unsafeCurrentTimeMillis: () => read(() => live.unsafeCurrentTimeMillis()),
    unsafeCurrentTimeNanos: () => read(() => live.unsafeCurrentTimeNanos())
  }
}

const clockReadings = [2, 3, 4, 5, 6, 7]

describe("a clock", () => {
  for (const [end, [body, status, errorClass]] of Object.entries(ends)) {
    for (const nth of clockReadings) {
      for (const deadline of [undefined, "1 hour"] as const) {
        it.effect(`from reading ${nth} on, changes nothing of ${end} with deadline ${deadline}`, () =>
          Effect.gen(function* () {
            const bare = yield* Effect.exit(body)
            const ran = Botanu.workflow(body, "W", { ...ids, deadline })
            const exit = yield* Effect.exit(Effect.withClock(ran, clockDownFrom(nth)))
            expectSame(exit as Exit.Exit<number, unknown>, bare)
            const runs = yield* completedRuns
            expect(runs.map((run) => [run.status, run.errorClass])).toEqual([[status, errorClass]])
            expect(yield* Botanu.activeRuns).toEqual([])
          }).pipe(Effect.provide(RunExporter.layerMemory))
        )
      }
    }
  }

  it.effect("that fails at the end of a run, leaves it the end that it started with, and is logged", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      const ran = Botanu.workflow(Effect.succeed(42), "W", ids)
      const logging = Effect.provide(ran, Logger.replace(Logger.defaultLogger, logger))
      expect(yield* Effect.withClock(logging, clockDownFrom(4))).toBe(42)
      const [completed] = yield* completedRuns
      expect([completed?.endTime, completed?.durationMs]).toEqual([completed?.run.startTime, 0])
      expect(lines).toEqual([["reading the clock at the end of a run failed: Error: down"]])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("is named by what it was read for", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      for (const nth of clockReadings) {
        const ran = Botanu.workflow(Effect.void, "W", { ...ids, deadline: "1 hour" })
        yield* Effect.withClock(ran, clockDownFrom(nth))
      }
      const named = lines.flatMap((line) => line.match(/reading the clock [\w ]+ failed/g) ?? [])
      expect(Array.from(new Set(named)).sort()).toEqual([
        "reading the clock at the end of a run failed",
        "reading the clock at the start of a run failed",
        "reading the clock for the deadline of a run failed"
      ])
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect.each([2, 3, 4, 5])("that fails at reading %i alone makes no run longer", (nth) =>
    Effect.gen(function* () {
      let readings = 0
      const time = { millis: 5_000, nanos: 5_000_000_000n }
      const read = <A>(value: A): A => {
        readings += 1
        return readings === nth ? throwing() : value
      }
      const clock: Clock.Clock = {
        ...Clock.make(),
        unsafeCurrentTimeMillis: () => read(time.millis),
        unsafeCurrentTimeNanos: () => read(time.nanos)
      }
      yield* Effect.withClock(Botanu.workflow(Effect.void, "W", ids), clock)
      expect((yield* completedRuns).map(({ durationMs }) => durationMs)).toEqual([0])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("that fails where a stream is left, is named", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      for (const nth of clockReadings) {
        const left = Stream.runDrain(Stream.take(Botanu.workflow(Stream.make(1, 2, 3), "W", ids), 1))
        yield* Effect.withClock(left, clockDownFrom(nth))
      }
      expect(lines.join()).toContain("reading the clock at the end of a stream failed: Error: down")
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("that fails from the start makes no run, and is named", () =>
    Effect.gen(function* () {
      const ran = Effect.flip(Botanu.workflow(Effect.void, "W", ids))
      const error = yield* Effect.withClock(ran, clockDownFrom(1))
      expect(error).toBeInstanceOf(InvalidRunContext)
      expect([error.field, error.problem]).toEqual(["clock", "expected the time, got Error: down"])
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect.each(clockReadings)("from reading %i on, leaves a stream and its run whole", (nth) =>
    Effect.gen(function* () {
      const tokens = Botanu.workflow(Stream.make(1, 2, 3).pipe(Stream.rechunk(1)), "W", ids)
      const taken = Stream.runCollect(Stream.take(tokens, 2))
      expect(Array.from(yield* Effect.withClock(taken, clockDownFrom(nth)))).toEqual([1, 2])
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["canceled"])
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )
})

describe("a ConfigProvider that throws", () => {
  const { flattened, load } = ConfigProvider.fromMap(new Map())
  const loads: Record<string, typeof load> = {
    "where it is asked": throwing,
    "while it reads": () => Effect.sync(throwing)
  }
  for (const [where, load] of Object.entries(loads)) {
    it.effect(`${where}, makes no run, and is named`, () =>
      Effect.gen(function* () {
        const provider: ConfigProvider.ConfigProvider = {
          [ConfigProvider.ConfigProviderTypeId]: ConfigProvider.ConfigProviderTypeId,
          pipe: () => throwing(),
          flattened,
          load
        }
        const error = yield* Effect.flip(Botanu.workflow(Effect.void, "W", ids)).pipe(
          Effect.withConfigProvider(provider)
        )
        expect([error._tag, "field" in error && error.field]).toEqual(["InvalidRunContext", "ConfigProvider"])
        expect(error.message).toContain("down")
        expect(yield* completedRuns).toEqual([])
      }).pipe(Effect.provide(RunExporter.layerMemory))
    )
  }
})

describe("stacks of errors that cannot be read", () => {
  const prepared: Record<string, unknown> = { "which throw": throwing, "which are no text": () => [] }
  for (const [what, prepareStackTrace] of Object.entries(prepared)) {
    for (const [end, [body, status, errorClass]] of Object.entries(ends)) {
      it.effect(`${what}, change nothing of ${end}`, () =>
        Effect.gen(function* () {
          const bare = yield* Effect.exit(body)
          const before = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")
          const prepare = Effect.acquireRelease(
            Effect.sync(() => Object.assign(Error, { prepareStackTrace })),
            () =>
              Effect.sync(() => {
                if (before === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
                else Object.defineProperty(Error, "prepareStackTrace", before)
              })
          )
          const ran = Effect.exit(Effect.suspend(() => Botanu.workflow(body, "W", ids)))
          const exit = yield* Effect.scoped(Effect.zipRight(prepare, ran))
          expectSame(exit as Exit.Exit<number, unknown>, bare)
          const runs = yield* completedRuns
          expect(runs.map((run) => [run.status, run.errorClass])).toEqual([[status, errorClass]])
        }).pipe(Effect.provide(RunExporter.layerMemory))
      )
    }
  }
})
