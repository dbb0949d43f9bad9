import { describe, expect, it } from "@effect/vitest"
import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { Deferred, Effect, Fiber, Layer, Option, Queue, Stream } from "effect"
import { Untrusted, Withheld } from "../../src/fiber/TracerWrapper.js"
import { Botanu, BotanuConfig, RunContext } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { logging, sdk } from "../observed.js"
import { ids, leanKeys, makeRun, otherRunId, runId } from "../runs.js"
import { calledOnceForSpan } from "./calledOnceForSpan.js"

const workflow = (eventId: string) => Botanu.workflow("W", { ...ids, eventId })

/** The event that OpenTelemetry's active baggage speaks of. */
const shown = () => propagation.getActiveBaggage()?.getEntry("botanu.event_id")?.value

const look = Effect.sync(shown)

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const boundaries: Record<string, Effect.Effect<string | undefined>> = {
  "in synchronous code": look,
  "after a yield": Effect.zipRight(Effect.yieldNow(), look),
  "after a timer": Effect.zipRight(Effect.sleep(1), look),
  "in a promise, after an await": Effect.promise(async () => {
    await turn()
    return shown()
  }),
  "in a callback": Effect.async((resume) => {
    setTimeout(() => resume(Effect.succeed(shown())), 1)
  }),
  "after a promise": Effect.zipRight(Effect.promise(turn), look),
  "in a fiber": Effect.flatMap(Effect.fork(Effect.zipRight(Effect.sleep(1), look)), Fiber.join),
  "in a daemon": Effect.flatMap(Effect.forkDaemon(Effect.zipRight(Effect.sleep(1), look)), Fiber.join),
  "in a concurrent effect": Effect.map(
    Effect.all([Effect.sleep(1), Effect.zipRight(Effect.yieldNow(), look)], { concurrency: "unbounded" }),
    ([, seen]) => seen
  ),
  "in a stream": Stream.make(1, 2).pipe(
    Stream.mapEffect(() => Effect.zipRight(Effect.promise(turn), look), { concurrency: 2 }),
    Stream.runLast,
    Effect.map(Option.getOrUndefined)
  ),
  "in a span": Effect.withSpan(Effect.zipRight(Effect.promise(turn), look), "inner"),
  "in a finalizer": Effect.flatMap(Deferred.make<string | undefined>(), (seen) =>
    Effect.zipRight(
      Effect.ensuring(
        Effect.promise(turn),
        Effect.flatMap(look, (event) => Deferred.succeed(seen, event))
      ),
      Deferred.await(seen)
    )
  )
}

const tracers = {
  "Effect's own tracer": () => Layer.empty,
  NodeSdk: () => sdk().layer,
  "NodeSdk of layerNodeSdk": () => calledOnceForSpan(sdk().layer)
}

describe.each(Object.entries(tracers))("with %s", (_, tracer) => {
  const provided = () => Effect.provide(Layer.mergeAll(RunOpenTelemetry.layer({ propagateTo: [] }), tracer()))

  it.live.each(Object.entries(boundaries))("a run is shown %s", ([, boundary]) =>
    Effect.gen(function* () {
      expect(yield* boundary.pipe(workflow("a"))).toBe("a")
      const run = makeRun({ eventId: "joined" })
      expect(yield* boundary.pipe(Effect.provide(RunContext.layer(run)))).toBe("joined")
      expect(yield* boundary.pipe(Botanu.resume(run))).toBe("joined")
      expect(yield* boundary).toBeUndefined()
    }).pipe(provided())
  )

  it.live.each(Object.entries(boundaries))(
    "a run is not shown in detached work, and is again after it: %s",
    ([, boundary]) =>
      Effect.gen(function* () {
        const seen = Effect.all([Botanu.detached(boundary), look, boundary, Botanu.detached(look), look])
        expect(yield* seen.pipe(workflow("a"))).toEqual([undefined, "a", "a", undefined, "a"])
        const inDetached = Effect.all([boundary, look, boundary.pipe(workflow("b")), look])
        expect(yield* Botanu.detached(inDetached).pipe(workflow("a"))).toEqual([undefined, undefined, "b", undefined])
      }).pipe(provided())
  )

  it.live("nothing is shown before, after or beside a run", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = [yield* look]
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const inside = Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(gate)).pipe(workflow("a"))
      const fiber = yield* Effect.fork(inside)
      yield* Deferred.await(started)
      seen.push(yield* look)
      seen.push(yield* Effect.promise(() => turn().then(shown)))
      yield* Deferred.succeed(gate, undefined)
      seen.push(yield* look)
      yield* Fiber.join(fiber)
      seen.push(yield* look, yield* Effect.zipRight(Effect.sleep(1), look))
      yield* Effect.exit(Effect.zipRight(Effect.promise(turn), Effect.fail("x")).pipe(workflow("b")))
      seen.push(yield* look, yield* Effect.promise(async () => shown()))
      expect(seen).toEqual(seen.map(() => undefined))
    }).pipe(provided())
  )

  it.live("a worker sees no run of those that wake it up, and one in a run sees its own", () =>
    Effect.gen(function* () {
      const seen = { free: new Set<unknown>(), own: new Set<unknown>() }
      const jobs = { free: yield* Queue.unbounded<number>(), own: yield* Queue.unbounded<number>() }
      const worker = (name: "free" | "own") =>
        Queue.take(jobs[name]).pipe(
          Effect.zipRight(look),
          Effect.tap((event) => Effect.sync(() => seen[name].add(event))),
          Effect.zipRight(Effect.promise(async () => seen[name].add(shown()))),
          Effect.zipRight(Effect.yieldNow()),
          Effect.zipRight(look),
          Effect.tap((event) => Effect.sync(() => seen[name].add(event))),
          Effect.repeatN(19)
        )
      const free = yield* Effect.fork(worker("free"))
      const own = yield* Effect.fork(worker("own").pipe(workflow("own")))
      const waking = (event: number) =>
        Effect.all([Queue.offer(jobs.free, event), Effect.promise(turn), Queue.offer(jobs.own, event), Effect.sleep(1)])
      yield* Effect.forEach(Array.from({ length: 20 }).keys(), (n) => waking(n).pipe(workflow(`waker ${n}`)), {
        concurrency: 5
      })
      yield* Fiber.join(Fiber.zip(free, own))
      expect(seen).toEqual({ free: new Set([undefined]), own: new Set(["own"]) })
    }).pipe(provided())
  )

  it.live("the span of the fiber is OpenTelemetry's active one", () =>
    Effect.gen(function* () {
      const active = Effect.sync(() => trace.getActiveSpan()?.spanContext())
      const { later, now, span } = yield* Effect.all({
        span: Effect.currentSpan,
        now: active,
        later: Effect.promise(() => turn().then(() => trace.getActiveSpan()?.spanContext()))
      }).pipe(Effect.withSpan("inner"), workflow("a"))
      expect([now, later]).toMatchObject([
        { spanId: span.spanId, traceId: span.traceId },
        { spanId: span.spanId, traceId: span.traceId }
      ])
      const outer = yield* active.pipe(workflow("a"))
      expect(outer?.spanId).not.toBe(span.spanId)
    }).pipe(provided())
  )

  it.live("a child run is shown in place of its parent, which comes back after it", () =>
    Effect.gen(function* () {
      const seen = yield* Effect.all([look, Effect.zipRight(Effect.sleep(1), look).pipe(workflow("child")), look]).pipe(
        workflow("parent")
      )
      expect(seen).toEqual(["parent", "child", "parent"])
    }).pipe(provided())
  )

  it.live(
    "500 interleaved runs each see themselves, in effects, promises, timers and streams",
    () =>
      Effect.gen(function* () {
        const hub = yield* Queue.unbounded<string>()
        yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Queue.take(hub), look)))
        const one = (event: string) =>
          Effect.gen(function* () {
            const seen = new Set<unknown>()
            const see = Effect.map(look, (event) => seen.add(event))
            yield* Effect.all(
              [
                Effect.repeatN(Effect.zipRight(Effect.sleep(1), see), 3),
                Effect.promise(async () => {
                  for (let n = 0; n < 3; n++) {
                    await turn()
                    seen.add(shown())
                  }
                }),
                Stream.runDrain(
                  Stream.mapEffect(Stream.range(1, 4), () => Effect.zipRight(Effect.yieldNow(), see), {
                    concurrency: 2
                  })
                ),
                Effect.zipRight(Queue.offer(hub, event), see)
              ],
              { concurrency: "unbounded" }
            )
            return seen
          }).pipe(workflow(event))
        const events = Array.from({ length: 500 }, (_, n) => `event ${n}`)
        const seen = yield* Effect.forEach(events, one, { concurrency: "unbounded" })
        expect(seen).toEqual(events.map((event) => new Set([event])))
      }).pipe(Effect.scoped, provided()),
    60_000
  )
})

describe("in any order with NodeSdk.layer", () => {
  const ours = Layer.orDie(RunOpenTelemetry.layer({ propagateTo: [] }))
  const orders: Record<
    string,
    (theirs: Layer.Layer<never>) => <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  > = {
    "merged, ours first": (theirs) => Effect.provide(Layer.mergeAll(ours, theirs)),
    "merged, ours last": (theirs) => Effect.provide(Layer.mergeAll(theirs, ours)),
    "ours provided to theirs": (theirs) => Effect.provide(Layer.provideMerge(theirs, ours)),
    "theirs provided to ours": (theirs) => Effect.provide(Layer.provideMerge(ours, theirs)),
    "ours around theirs": (theirs) => (effect) => Effect.provide(Effect.provide(effect, theirs), ours),
    "theirs around ours": (theirs) => (effect) => Effect.provide(Effect.provide(effect, ours), theirs)
  }

  it.live.each(Object.entries(orders))("%s", ([, order]) =>
    Effect.gen(function* () {
      const { exporter, layer } = sdk()
      yield* Effect.gen(function* () {
        const seen = yield* Effect.all([look, Effect.promise(() => turn().then(shown))]).pipe(workflow("a"))
        expect(seen).toEqual(["a", "a"])
        expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["botanu.run/W"])
      }).pipe(order(Layer.discard(layer)))
    })
  )
})

describe("the baggage that is shown", () => {
  const all = Effect.sync(() =>
    Object.fromEntries((propagation.getActiveBaggage()?.getAllEntries() ?? []).map(([key, { value }]) => [key, value]))
  )
  const given = propagation.setBaggage(
    ROOT_CONTEXT,
    propagation.createBaggage({
      "botanu.run_id": { value: otherRunId },
      "botanu.tenant_id": { value: "theirs" },
      theme: { value: "dark" }
    })
  )
  /** Runs as code does that something has called with baggage of its own. */
  const calledWithBaggage = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.provide(
      Effect.promise(() =>
        context.with(given, () =>
          Effect.runPromise(Effect.provide(effect, RunOpenTelemetry.layer({ propagateTo: [] })))
        )
      ),
      RunOpenTelemetry.layer({ propagateTo: [] })
    )

  it.live("is what inject sends: lean, or all of the run", () =>
    Effect.gen(function* () {
      const run = makeRun({ tenantId: "acme", customerId: "Zoë + 1\ud800" })
      const customer = { "botanu.customer_id": "Zoë + 1\ufffd" }
      expect(yield* Botanu.resume(all, run)).toEqual({ ...leanKeys, ...customer })
      const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })
      expect(yield* Effect.provide(Botanu.resume(all, run), full)).toEqual({
        ...leanKeys,
        ...customer,
        "botanu.environment": "production",
        "botanu.tenant_id": "acme"
      })
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("says in full mode that a run is being stopped", () =>
    Effect.gen(function* () {
      const cancelled: Array<unknown> = []
      const see = Effect.map(all, (entries) => cancelled.push(entries["botanu.cancelled"]))
      const fiber = yield* see.pipe(
        Effect.zipRight(Effect.never),
        Effect.ensuring(Effect.zipRight(see, Effect.zipRight(Effect.promise(turn), see))),
        workflow("a"),
        Effect.fork
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(cancelled).toEqual([undefined, "true", "true"])
    }).pipe(
      Effect.provide([
        RunOpenTelemetry.layer({ propagateTo: [] }),
        BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })
      ])
    )
  )

  it.live("keeps what others put there, and nothing that they say of a run", () =>
    Effect.gen(function* () {
      const seen = yield* calledWithBaggage(Botanu.resume(all, makeRun()))
      expect(seen).toEqual({ ...leanKeys, theme: "dark" })
    })
  )

  it.live("says nothing of the run where that is withheld", () =>
    Effect.gen(function* () {
      const withheld = Effect.zipRight(Effect.promise(turn), all).pipe(Effect.provideService(Withheld, true))
      const seen = yield* calledWithBaggage(Effect.all([withheld, all]).pipe(Botanu.resume(makeRun())))
      expect(seen).toEqual([{ theme: "dark" }, { ...leanKeys, theme: "dark" }])
    })
  )

  it.live("has nothing from whom is not believed", () =>
    Effect.gen(function* () {
      const own = all.pipe(Botanu.resume(makeRun()))
      const seen = yield* calledWithBaggage(own.pipe(Effect.provideService(Untrusted, true)))
      expect(seen).toEqual(leanKeys)
    })
  )
})

describe("RunOpenTelemetry.activeRun", () => {
  const baggage = (entries: Record<string, string>) =>
    propagation.createBaggage(Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, { value }])))
  const run = {
    "botanu.run_id": runId,
    "botanu.workflow": "Customer Support",
    "botanu.event_id": "ticket-42",
    "botanu.customer_id": "Zoë, 100%"
  }
  const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 }
  const called = <A, E>(entries: Record<string, string>, effect: Effect.Effect<A, E>) => {
    const active = trace.setSpan(
      propagation.setBaggage(ROOT_CONTEXT, baggage(entries)),
      trace.wrapSpanContext(spanContext)
    )
    return Effect.promise(() =>
      context.with(active, () => Effect.runPromise(Effect.provide(effect, RunOpenTelemetry.layer({ propagateTo: [] }))))
    )
  }

  it.live("is the run that came in, under the active span", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const joined = Effect.flatMap(RunOpenTelemetry.activeRun, (received) =>
          Effect.all([Effect.serviceOption(RunContext), Effect.currentParentSpan, look]).pipe(Botanu.resume(received))
        )
        const [received, span, event] = yield* called({ ...run, theme: "dark" }, joined)
        expect(Option.map(received, ({ customerId, runId }) => [runId, customerId])).toEqual(
          Option.some([runId, "Zoë, 100%"])
        )
        expect(span).toMatchObject({ spanId: spanContext.spanId, traceId: spanContext.traceId })
        expect(event).toBe("ticket-42")
      }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
    })
  )

  it.live("is none where there is none, or a bad one, which is logged", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      expect(yield* RunOpenTelemetry.activeRun).toEqual(Option.none())
      const bad = yield* called(
        { ...run, "botanu.run_id": "x" },
        Effect.provide(RunOpenTelemetry.activeRun, logging(lines))
      )
      expect(bad).toEqual(Option.none())
      expect(lines).toEqual(['incoming baggage: botanu.run_id: expected a UUID, got "x"'])
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("is the run around, where an effect is run in a promise of that", () =>
    Effect.gen(function* () {
      const nested = Effect.promise(() => Effect.runPromise(RunOpenTelemetry.activeRun))
      const [run, found] = yield* Effect.all([RunContext, nested]).pipe(workflow("a"))
      expect(found).toEqual(Option.some(run))
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )
})

describe("OpenTelemetry's globals", () => {
  const disable = Effect.sync(() => {
    context.disable()
    propagation.disable()
  })

  it.live("are set where none are, and stay for those who rely on them", () =>
    Effect.gen(function* () {
      yield* disable
      const isActive = () => {
        const given = ROOT_CONTEXT.setValue(Symbol("given"), true)
        return context.with(given, () => turn().then(() => context.active() === given))
      }
      expect([propagation.fields(), yield* Effect.promise(isActive)]).toEqual([[], false])
      yield* Effect.provide(Effect.void, RunOpenTelemetry.layer({ propagateTo: [] }))
      const fields = ["traceparent", "tracestate", "baggage"]
      expect([propagation.fields(), yield* Effect.promise(isActive)]).toEqual([fields, true])
    })
  )

  it.live("are left alone where they are set", () =>
    Effect.gen(function* () {
      yield* disable
      const manager = new AsyncLocalStorageContextManager().enable()
      context.setGlobalContextManager(manager)
      propagation.setGlobalPropagator(new W3CBaggagePropagator())
      yield* Effect.provide(Effect.void, RunOpenTelemetry.layer({ propagateTo: [] }))
      expect(propagation.fields()).toEqual(["baggage"])
      const given = ROOT_CONTEXT.setValue(Symbol("given"), true)
      expect(context.with(given, () => manager.active())).toBe(given)
    }).pipe(Effect.ensuring(disable))
  )
})
