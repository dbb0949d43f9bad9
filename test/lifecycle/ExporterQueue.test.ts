import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger, Metric, Option, TestClock } from "effect"
import { Botanu, RunContext, RunExporter, RunMetrics } from "../../src/index.js"
import { completedRuns, logging, unheard } from "../observed.js"
import { ids } from "../runs.js"

const run = (name: string) => Botanu.workflow(Effect.succeed(name), name, ids)

const runs = (...names: ReadonlyArray<string>) => Effect.forEach(names, run, { discard: true })

const now = TestClock.currentTimeMillis

/** Lets every fiber go as far as it can. */
const settle = TestClock.adjust(0)

/** An exporter whose deliveries each wait for a gate. */
const gatedExporter = () => {
  const log: Array<string> = []
  const gates = new Map<string, Effect.Latch>()
  const gate = (name: string) => {
    const latch = gates.get(name) ?? Effect.unsafeMakeLatch()
    gates.set(name, latch)
    return latch
  }
  const deliver = (name: string) =>
    Effect.suspend(() => {
      log.push(`begin ${name}`)
      return gate(name).await
    }).pipe(
      Effect.onExit((exit) => Effect.sync(() => log.push(`${exit._tag === "Success" ? "end" : "interrupted"} ${name}`)))
    )
  const exporter: RunExporter.RunExporter = { export: ({ run }) => deliver(run.workflow) }
  const open = (name: string) => Effect.zipRight(gate(name).open, settle)
  return { log, deliver, exporter, open }
}

const lostBy = (exporter: string, reason: string) =>
  Effect.map(
    Metric.value(
      RunMetrics.exportsLostTotal.pipe(Metric.tagged("exporter", exporter), Metric.tagged("reason", reason))
    ),
    ({ count }) => count
  )

describe("no run waits", () => {
  const hung = (name: string) => RunExporter.layer({ export: () => Effect.never }, { name })

  it.scoped("for hung exporters, at any depth, in any attempt, however it ends", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const layer = Layer.mergeAll(hung("a"), hung("b"), hung("c"), RunExporter.layerMemory, logging(lines))
      const program = Effect.gen(function* () {
        yield* Botanu.workflow(run("inner"), "outer", ids)
        yield* Effect.exit(Botanu.workflow(Effect.fail("x"), "retried", { ...ids, retry: { times: 4 } }))
        const interrupted = yield* Effect.fork(Botanu.workflow(Effect.never, "interrupted", ids))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(interrupted)
        expect(yield* now).toBe(0)
        expect(yield* completedRuns).toHaveLength(8)
        expect(lines).toEqual([])
      })
      const fiber = yield* Effect.fork(Effect.provide(program, layer))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
    })
  )
})

describe("the queue of an exporter", () => {
  it.scoped("delivers as many records at the same time as it may, the others in order", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      yield* Layer.build(RunExporter.layer(exporter, { concurrency: 2 })).pipe(
        Effect.zipRight(runs("a", "b", "c", "d"))
      )
      expect(log).toEqual(["begin a", "begin b"])
      yield* open("b")
      expect(log.slice(2)).toEqual(["end b", "begin c"])
      yield* open("d")
      yield* open("a")
      expect(log.slice(4)).toEqual(["end a", "begin d", "end d"])
      yield* open("c")
    })
  )

  it.scoped("drops new records when it is full, counts them and reports them", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const name = unheard("full")
      const { exporter, log, open } = gatedExporter()
      yield* Layer.build(RunExporter.layer(exporter, { name, capacity: 2, concurrency: 1 }))
      yield* runs("a", "b", "c", "d", "e")
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/^run exporter "full \d+": its queue of 2 is full, dropped is run [0-9a-f-]{36}$/)
      yield* TestClock.adjust("1 second")
      yield* run("f")
      expect(lines[1]).toMatch(/ \(1 more like it were not logged\)$/)
      expect(yield* lostBy(name, "queue_full")).toBe(3)
      for (const run of ["a", "b", "c"]) yield* open(run)
      expect(log).toEqual(["begin a", "end a", "begin b", "end b", "begin c", "end c"])
      yield* Effect.fork(run("g"))
      yield* settle
      expect(log.slice(6)).toEqual(["begin g"])
      yield* open("g")
    }).pipe(Effect.provide(logging(lines)))
  })

  it.scoped("keeps half of its room for completed runs", () =>
    Effect.gen(function* () {
      const name = unheard("half")
      const log: Array<string> = []
      const gate = yield* Effect.makeLatch()
      const deliver = (record: string) =>
        Effect.zipRight(
          gate.await,
          Effect.sync(() => log.push(record))
        )
      const exporter: RunExporter.RunExporter = {
        export: ({ run }) => deliver(`completed ${run.workflow}`),
        started: ({ workflow }) => deliver(`started ${workflow}`)
      }
      yield* Layer.build(RunExporter.layer(exporter, { name, capacity: 4, concurrency: 1 }))
      const body = Effect.makeLatch()
      const latch = yield* body
      const fibers = yield* Effect.forEach(["a", "b", "c", "d", "e"], (workflow) =>
        Effect.fork(Botanu.workflow(latch.await, workflow, ids))
      )
      yield* settle
      yield* latch.open
      yield* Fiber.joinAll(fibers)
      yield* Effect.zipRight(gate.open, settle)
      expect(log).toEqual(["started a", "started b", "started c", "completed a", "completed b"])
      expect(yield* lostBy(name, "queue_full")).toBe(5)
    }).pipe(Effect.provide(logging([])))
  )

  it.scoped("delivers a thousand records that wait without keeping others from their turn", () =>
    Effect.gen(function* () {
      let isBlocked = true
      let delivered = 0
      const gate = yield* Effect.makeLatch()
      const exporter: RunExporter.RunExporter = {
        export: () =>
          Effect.zipRight(
            isBlocked ? gate.await : Effect.void,
            Effect.sync(() => (delivered += 1))
          )
      }
      yield* Layer.build(RunExporter.layer(exporter, { concurrency: 1 }))
      yield* Effect.forEach(
        Array.from({ length: 5_000 }, (_, index) => `${index}`),
        run,
        { discard: true }
      )
      isBlocked = false
      yield* gate.open
      const seen: Array<number> = []
      while (delivered < 5_000) {
        yield* Effect.yieldNow()
        seen.push(delivered)
      }
      expect(seen.filter((count) => count > 0 && count < 5_000).length).toBeGreaterThan(2)
    })
  )

  it.scoped("refuses bounds that are none, by name", () =>
    Effect.gen(function* () {
      const refused = (options: RunExporter.ExporterOptions) =>
        Effect.scoped(Layer.build(RunExporter.layer({ export: () => Effect.void }, options))).pipe(
          Effect.catchAllDefect((defect) => Effect.succeed(String(defect)))
        )
      expect(yield* refused({ capacity: 0 })).toBe(
        "RangeError: run exporter: capacity: expected a whole number above zero, got 0"
      )
      expect(yield* refused({ concurrency: 1.5 })).toContain("concurrency: expected a whole number above zero, got 1.5")
      expect(yield* refused({ timeout: Number.NaN })).toContain("timeout: expected a duration of zero or more, got NaN")
      expect(yield* refused({ pause: "-1 seconds" })).toContain("pause: expected a duration of zero or more")
      expect(yield* refused({ releaseTimeout: -1 })).toContain("releaseTimeout: expected a duration of zero or more")
    })
  )
})

describe("the start of a run", () => {
  const recording = (log: Array<string>, startTakes: Effect.Effect<void, string>): RunExporter.RunExporter => ({
    export: ({ run, status }) => Effect.sync(() => log.push(`${run.workflow} ${status}`)),
    started: ({ workflow }) =>
      Effect.zipRight(
        startTakes,
        Effect.sync(() => log.push(`${workflow} started`))
      )
  })

  it.scoped("reaches the exporter before the run is over, each attempt for itself", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      yield* Layer.build(RunExporter.layer(recording(log, Effect.void)))
      const work = Effect.zipRight(
        Effect.sync(() => log.push("body")),
        Effect.fail("x")
      )
      yield* Effect.exit(Botanu.workflow(work, "W", { ...ids, retry: { times: 1 } }))
      expect(log).toEqual(["W started", "body", "W failure", "W started", "body", "W failure"])
    })
  )

  it.scoped("comes before its completion, however long it takes, and keeps no other run from its turn", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const latch = yield* Effect.makeLatch()
      let isFirst = true
      const onlyFirst = Effect.suspend(() => {
        const wait = isFirst ? latch.await : Effect.void
        isFirst = false
        return wait
      })
      yield* Layer.build(RunExporter.layer(recording(log, onlyFirst)))
      yield* runs("a", "b")
      yield* settle
      expect(log).toEqual(["b started", "b success"])
      yield* Effect.zipRight(latch.open, settle)
      expect(log.slice(2)).toEqual(["a started", "a success"])
    })
  )

  it.scoped("that the exporter fails to take touches neither the program nor the completed run", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const log: Array<string> = []
      yield* Layer.build(RunExporter.layer(recording(log, Effect.fail("down"))))
      yield* Layer.build(
        RunExporter.layer({
          export: () => Effect.void,
          started: () => {
            throw new Error("down")
          }
        })
      )
      expect(yield* run("W")).toBe("W")
      expect(log).toEqual(["W success"])
      expect(lines[0]).toMatch(/^run exporter: failed on the start of run /)
    }).pipe(Effect.provide(logging(lines)))
  })
})

describe("an exporter that hangs", () => {
  it.scoped(
    "is interrupted and paused; then it gets one record on trial, and all others when that one went well",
    () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const name = unheard("slow")
        const { exporter, log, open } = gatedExporter()
        yield* Layer.build(RunExporter.layer(exporter, { name, concurrency: 2 }))
        yield* runs("a", "b", "c", "d", "e")
        yield* TestClock.adjust("30 seconds")
        expect(log).toEqual(["begin a", "begin b", "interrupted a", "interrupted b"])
        expect(lines[0]).toMatch(
          /^run exporter "slow \d+": has not finished run [0-9a-f-]{36} within 30s, is paused for 10s$/
        )
        expect(lines[1]).toMatch(/^run exporter "slow \d+": interrupted on run [0-9a-f-]{36}/)
        expect(yield* lostBy(name, "timeout")).toBe(2)
        yield* TestClock.adjust("10 seconds")
        expect(log.slice(4)).toEqual(["begin c"])
        yield* TestClock.adjust("30 seconds")
        expect(log.slice(5)).toEqual(["interrupted c"])
        yield* TestClock.adjust("10 seconds")
        expect(log.slice(6)).toEqual(["begin d"])
        yield* open("d")
        yield* run("f")
        expect(log.slice(7)).toEqual(["end d", "begin e", "begin f"])
        yield* Effect.all([open("e"), open("f")])
      }).pipe(Effect.provide(logging(lines)))
    }
  )

  it.scoped("on one record alone is not paused any longer than until another is delivered", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      yield* Layer.build(RunExporter.layer(exporter, { concurrency: 2, name: "partly" }))
      yield* run("a")
      yield* TestClock.adjust("29 seconds")
      yield* runs("b", "c", "d")
      yield* TestClock.adjust("1 second")
      expect(log).toEqual(["begin a", "begin b", "interrupted a"])
      yield* open("b")
      expect(log.slice(3)).toEqual(["end b", "begin c", "begin d"])
      yield* Effect.all([open("c"), open("d")])
    }).pipe(Effect.provide(logging([])))
  )

  it.scoped("is watched also where another delivery cannot be interrupted", () =>
    Effect.gen(function* () {
      const { deliver, log, open } = gatedExporter()
      const exporter: RunExporter.RunExporter = {
        export: ({ run }) => (run.workflow === "a" ? Effect.uninterruptible(deliver("a")) : deliver(run.workflow))
      }
      yield* Layer.build(RunExporter.layer(exporter, { concurrency: 2, name: "stuck" }))
      yield* run("a")
      yield* TestClock.adjust("40 seconds")
      yield* run("b")
      yield* TestClock.adjust("30 seconds")
      expect(log).toEqual(["begin a", "begin b", "interrupted b"])
      yield* open("a")
    }).pipe(Effect.provide(logging([])))
  )

  it.scoped("on one record is interrupted though another was delivered meanwhile", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      yield* Layer.build(RunExporter.layer(exporter, { concurrency: 2, name: "half" }))
      yield* runs("a", "b")
      yield* settle
      yield* open("b")
      yield* TestClock.adjust("30 seconds")
      expect(log).toEqual(["begin a", "begin b", "end b", "interrupted a"])
    }).pipe(Effect.provide(logging([])))
  )

  it.scoped("and cannot be interrupted keeps its place, and nothing more", () =>
    Effect.gen(function* () {
      const name = unheard("stubborn")
      const { deliver, log, open } = gatedExporter()
      const exporter = {
        export: ({ run }: { run: { workflow: string } }) => Effect.uninterruptible(deliver(run.workflow))
      }
      yield* Layer.build(RunExporter.layer(exporter, { name, concurrency: 2 }))
      yield* run("a")
      yield* TestClock.adjust("40 seconds")
      yield* runs("b", "c")
      expect(log).toEqual(["begin a", "begin b"])
      yield* open("a")
      expect(yield* lostBy(name, "timeout")).toBe(1)
      yield* open("b")
      yield* open("c")
      expect(log.slice(2)).toEqual(["end a", "end b", "begin c", "end c"])
    }).pipe(Effect.provide(logging([])))
  )
})

it.scoped("the time of an exporter is taken only while it is at work", () =>
  Effect.gen(function* () {
    let sleeps = 0
    const clock = yield* Effect.clock
    const counting: Clock.Clock = {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      currentTimeMillis: clock.currentTimeMillis,
      currentTimeNanos: clock.currentTimeNanos,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      sleep: (duration) =>
        Effect.acquireUseRelease(
          Effect.sync(() => sleeps++),
          () => clock.sleep(duration),
          () => Effect.sync(() => sleeps--)
        )
    }
    const { exporter, open } = gatedExporter()
    yield* Effect.withClock(Layer.build(RunExporter.layer(exporter)), counting)
    const atWork: Array<number> = []
    for (const name of ["a", "b"]) {
      yield* run(name)
      yield* settle
      atWork.push(sleeps)
      yield* open(name)
      atWork.push(sleeps)
    }
    expect(atWork).toEqual([1, 0, 1, 0])
  })
)

describe("the release of an exporter", () => {
  it.effect("delivers what is in delivery and what waits, then releases the exporter", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const log: Array<string> = []
      const slow = Effect.acquireRelease(
        Effect.succeed({
          export: ({ run }: { run: { workflow: string } }) =>
            Effect.delay(
              Effect.sync(() => log.push(run.workflow)),
              "1500 millis"
            )
        }),
        () => Effect.sync(() => log.push("released"))
      )
      const program = Effect.provide(runs("a", "b"), RunExporter.layerScoped(slow, { concurrency: 1 }))
      const fiber = yield* Effect.fork(program)
      yield* TestClock.adjust("2999 millis")
      expect(log).toEqual(["a"])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      expect(log).toEqual(["a", "b", "released"])
      expect(lines).toEqual([])
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("ends at its limit, and reports what was not delivered and what was lost before", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const name = unheard("hung")
      const layer = RunExporter.layer(
        { export: ({ run }) => (run.workflow === "failing" ? Effect.fail("down") : Effect.never) },
        { name, concurrency: 2, capacity: 3 }
      )
      const fiber = yield* Effect.fork(Effect.provide(runs("failing", "a", "b", "c", "d", "e", "f"), layer))
      yield* TestClock.adjust("4999 millis")
      expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(true)
      yield* TestClock.adjust("1 millis")
      expect(Option.isSome(yield* Fiber.poll(fiber))).toBe(true)
      expect(lines.at(-1)).toMatch(
        /^run exporter "hung \d+": 5 records not delivered within 5s of its release: run [0-9a-f-]{36}, run [0-9a-f-]{36}, run [0-9a-f-]{36}, …; 7 records lost in all \(failed 1, queue_full 1, released 5\)$/
      )
      expect(yield* lostBy(name, "released")).toBe(5)
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("does not pause an exporter that hangs meanwhile: the next record gets its turn at once", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      const layer = RunExporter.layer(exporter, { concurrency: 1, timeout: "2 seconds", name: unheard("late") })
      const fiber = yield* Effect.fork(Effect.provide(runs("a", "b"), layer))
      yield* TestClock.adjust("2 seconds")
      expect(log).toEqual(["begin a", "interrupted a", "begin b"])
      yield* open("b")
      yield* Fiber.join(fiber)
      expect(log.slice(3)).toEqual(["end b"])
    }).pipe(Effect.provide(logging([])))
  )

  it.effect("gives an exporter that is paused a last chance", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      const body = Effect.zipRight(runs("a", "b", "c"), Effect.sleep("31 seconds"))
      const fiber = yield* Effect.fork(
        Effect.provide(body, RunExporter.layer(exporter, { concurrency: 1, name: "last" }))
      )
      yield* TestClock.adjust("31 seconds")
      expect(log).toEqual(["begin a", "interrupted a", "begin b"])
      yield* open("b")
      yield* open("c")
      yield* Fiber.join(fiber)
      expect(log.slice(3)).toEqual(["end b", "begin c", "end c"])
    }).pipe(Effect.provide(logging([])))
  )

  it.effect("delivers to one that is paused as much at the same time as it may", () =>
    Effect.gen(function* () {
      const { exporter, log, open } = gatedExporter()
      const body = Effect.zipRight(runs("a", "b", "c", "d"), Effect.sleep("31 seconds"))
      const fiber = yield* Effect.fork(Effect.provide(body, RunExporter.layer(exporter, { concurrency: 2 })))
      yield* TestClock.adjust("31 seconds")
      expect(log).toEqual(["begin a", "begin b", "interrupted a", "interrupted b", "begin c", "begin d"])
      yield* Effect.all([open("c"), open("d")])
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(logging([])))
  )

  it.effect("reports what was lost before, and no more, where all else was delivered", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const name = unheard("once down")
      const layer = RunExporter.layer({ export: () => Effect.fail("down") }, { name })
      yield* Effect.provide(run("W"), layer)
      yield* settle
      expect(lines.at(-1)).toMatch(/^run exporter "once down \d+": 1 record lost in all \(failed 1\)$/)
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("reports to the loggers of the program, wherever those come from", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const layer = Layer.mergeAll(
        RunExporter.layer({ export: () => Effect.never }, { releaseTimeout: 0 }),
        Layer.empty,
        logging(lines)
      )
      yield* Effect.provide(run("W"), layer)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(
        /: 1 record not delivered within 0 of its release: run [0-9a-f-]{36}; 1 record lost in all /
      )
    })
  })
})

describe("what an exporter does itself", () => {
  it.scoped("is not exported to it, and is outside of the run that it receives", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const seen: Array<unknown> = []
      const busy: RunExporter.RunExporter = {
        export: ({ run }) =>
          Effect.gen(function* () {
            log.push(`busy ${run.workflow}`)
            seen.push(Option.isNone(yield* Effect.serviceOption(RunContext)))
            yield* Botanu.workflow(
              Effect.map(RunContext, (run) => seen.push(run.parentRunId, run.deadline)),
              "own",
              ids
            )
          }).pipe(Effect.orDie)
      }
      yield* Layer.build(RunExporter.layer(busy))
      yield* Layer.build(
        RunExporter.layer({ export: ({ run }) => Effect.sync(() => log.push(`other ${run.workflow}`)) })
      )
      yield* Botanu.workflow(run("inner"), "outer", { ...ids, deadline: "1 minute" })
      expect(log.slice().sort()).toEqual([
        "busy inner",
        "busy outer",
        "other inner",
        "other outer",
        "other own",
        "other own"
      ])
      expect(seen).toEqual([true, undefined, undefined, true, undefined, undefined])
    })
  )

  it.scoped("is logged without the run around the one that it receives", () => {
    const annotations: Array<unknown> = []
    const logger = Logger.make((options) => annotations.push(Array.from(options.annotations)))
    return Effect.gen(function* () {
      yield* Layer.build(RunExporter.layer({ export: () => Effect.log("received") }))
      yield* Effect.annotateLogs(Botanu.workflow(run("inner"), "outer", ids), "app", "desk")
      expect(annotations).toEqual([[["app", "desk"]], [["app", "desk"]]])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.scoped("may be to throw, two thousand times: the log has one line a second", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const name = unheard("thrower")
      const thrower = {
        export: () => {
          throw new Error("down")
        }
      }
      yield* Layer.build(RunExporter.layer(thrower, { name }))
      yield* Effect.forEach(Array.from({ length: 2_000 }), () => run("W"), { discard: true })
      expect(lines).toHaveLength(1)
      expect(yield* lostBy(name, "failed")).toBe(2_000)
    }).pipe(Effect.provide(logging(lines)))
  })
})
