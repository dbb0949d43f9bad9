/**
 * OpenTelemetry's active context in a task of the scheduler: attached where it changes, and as it was when the task is over.
 */
import { HttpApp, HttpServerResponse } from "@effect/platform"
import { describe, expect, it, vi } from "@effect/vitest"
import { type Context, context, createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { Deferred, Effect, Layer, Runtime, Tracer } from "effect"
import { Botanu } from "../../src/index.js"
import { doTask, taskOf } from "../../src/opentelemetry/FiberTask.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { RunHttpServer } from "../../src/platform/index.js"
import { sdk } from "../observed.js"
import { ids, runId } from "../runs.js"
import { calledOnceForSpan } from "./calledOnceForSpan.js"

const telemetry = Layer.merge(RunOpenTelemetry.layer({ propagateTo: [] }), calledOnceForSpan(sdk().layer))

const activeSpan = () => (trace.getActiveSpan() as { readonly name?: string } | undefined)?.name

const steps = (count: number) => Effect.iterate(0, { while: (n) => n < count, body: (n) => Effect.succeed(n + 1) })

/** Versions before 2.11 attach no context. */
const canAttach = "attach" in AsyncLocalStorageContextManager.prototype

const managerOf = (api: object) =>
  (api as { _getContextManager: () => { attach?: (attached: Context) => unknown } })._getContextManager()

/** How often a context is set while something is done. */
const setsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const set = vi.spyOn(AsyncLocalStorageContextManager.prototype, "with")
    yield* effect
    const { length } = set.mock.calls
    set.mockRestore()
    return length
  })

/** A request to a web handler, which starts a fiber by a call. */
const requested = <E>(app: HttpApp.Default<E>, headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const handler = HttpApp.toWebHandlerRuntime(yield* Effect.runtime<never>())(app)
    const response = yield* Effect.promise(() => handler(new Request("http://localhost/", { headers })))
    expect(response.status).toBe(200)
  })

const inRun = { baggage: `botanu.run_id=${runId},botanu.workflow=W,botanu.event_id=e,botanu.customer_id=c` }

const orElse = () => ({ workflow: "W", ...ids })

const edges: ReadonlyArray<readonly [string, RunHttpServer.OptionsMaybeOrElse, Record<string, string>]> = [
  ["a request with a run", { inbound: "trusted", orElse: () => undefined }, inRun],
  ["a request that is a run of its own", { inbound: "trusted", orElse }, {}],
  ["a request that is not trusted", { inbound: "untrusted", orElse: () => undefined }, inRun],
  ["a request that is not trusted and a run of its own", { inbound: "untrusted", orElse }, inRun]
]

describe("a context is not set for each step", () => {
  it.live("of a run in a task", () =>
    Effect.gen(function* () {
      const run = (count: number) =>
        steps(count).pipe(
          Effect.withSpan("inner"),
          Effect.zipRight(steps(count)),
          (work) => Effect.zipRight(Effect.yieldNow(), work),
          Botanu.workflow("W", ids)
        )
      yield* run(10)
      const [few, many] = [yield* setsOf(run(10)), yield* setsOf(run(300))]
      expect(many - few < 10).toBe(canAttach)
    }).pipe(Effect.provide(telemetry))
  )

  it.live.each(edges)("of %s", ([, options, headers]) =>
    Effect.gen(function* () {
      const served = (count: number) =>
        requested(
          RunHttpServer.middleware(options)(
            Effect.as(Effect.withSpan(steps(count), "inner"), HttpServerResponse.text("done"))
          ),
          headers
        )
      yield* served(10)
      const [few, many] = [yield* setsOf(served(10)), yield* setsOf(served(300))]
      expect(many - few < 10).toBe(canAttach)
    }).pipe(Effect.provide(telemetry))
  )
})

describe("what was active before is active again", () => {
  const key = createContextKey("of the program")

  it.live("after a call that began a run", () =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      const run = Effect.zipRight(steps(10), Effect.yieldNow()).pipe(Botanu.workflow("W", ids))
      const program = ROOT_CONTEXT.setValue(key, "before")
      const [before, after] = context.with(program, () => {
        const before = context.active()
        Runtime.runFork(runtime)(run)
        return [before, context.active()]
      })
      expect(after).toBe(before)
    }).pipe(Effect.provide(telemetry))
  )

  it.live("in the step of a run that makes another one by a call", () =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      const inner = Effect.sync(activeSpan).pipe(Effect.withSpan("inner"), Botanu.workflow("Inner", ids))
      const seen = yield* Effect.sync(() => [activeSpan(), Runtime.runSync(runtime)(inner), activeSpan()]).pipe(
        (look) => Effect.zipRight(Effect.yieldNow(), look),
        Effect.withSpan("outer"),
        Botanu.workflow("Outer", ids)
      )
      expect(seen).toEqual(["outer", "inner", "outer"])
    }).pipe(Effect.provide(telemetry))
  )

  it.live("in what is resumed after a run, in one go with it", () =>
    Effect.gen(function* () {
      const began = yield* Deferred.make<void>()
      const outside = Effect.zipRight(Deferred.await(began), Effect.sync(activeSpan))
      const run = Deferred.succeed(began, undefined).pipe(
        Effect.zipRight(Effect.sync(activeSpan)),
        (work) => Effect.zipRight(Effect.yieldNow(), work),
        Botanu.workflow("W", ids)
      )
      const seen = yield* Effect.all([outside, run, outside], { concurrency: "unbounded" })
      expect(seen).toEqual([undefined, "botanu.run/W", undefined])
    }).pipe(Effect.provide(telemetry))
  )

  const begins: ReadonlyArray<readonly [string, Context | undefined]> = [
    ["that begins in another context", ROOT_CONTEXT.setValue(key, "task")],
    ["that begins in the one that is active", undefined]
  ]

  it.live.each(begins)("after a task %s", ([, wanted]) =>
    Effect.withFiberRuntime<void>((fiber) => {
      const program = ROOT_CONTEXT.setValue(key, "before")
      const entered = ROOT_CONTEXT.setValue(key, "entered")
      context.with(program, () => {
        const seen: Array<unknown> = []
        const task = () => {
          seen.push(taskOf(fiber)?.enter(wanted ?? program, entered), context.active())
        }
        doTask(fiber, wanted ?? program, task)
        expect(seen).toEqual([canAttach, canAttach ? entered : (wanted ?? program)])
        expect([context.active(), taskOf(fiber)]).toEqual([program, undefined])
      })
      return Effect.void
    }).pipe(Effect.provide(telemetry))
  )

  it.live("in promises that go on after the step that began them", () =>
    Effect.gen(function* () {
      const later: Array<Promise<unknown>> = []
      const begin = Effect.sync(() => {
        later.push(Promise.resolve().then(activeSpan))
      })
      yield* begin.pipe(
        Effect.withSpan("one"),
        Effect.zipRight(Effect.withSpan(begin, "two")),
        Effect.zipRight(begin),
        (work) => Effect.zipRight(Effect.yieldNow(), work),
        Botanu.workflow("W", ids)
      )
      expect(yield* Effect.promise(() => Promise.all(later))).toEqual(["one", "two", "botanu.run/W"])
    }).pipe(Effect.provide(telemetry))
  )
})

describe("a context manager that does more to make a context active", () => {
  let set: Context | undefined

  class Noting extends AsyncLocalStorageContextManager {
    override with<A extends Array<unknown>, F extends (...args: A) => ReturnType<F>>(
      wanted: Context,
      fn: F,
      thisArg?: ThisParameterType<F>,
      ...args: A
    ): ReturnType<F> {
      const before = set
      set = wanted
      try {
        return super.with(wanted, fn, thisArg, ...args)
      } finally {
        set = before
      }
    }
  }

  it.live("is asked for each step", () =>
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          context.disable()
          context.setGlobalContextManager(new Noting())
        }),
        () => Effect.sync(() => context.disable())
      )
      const look = Effect.sync(() => [set === context.active(), activeSpan()])
      const seen = yield* Effect.all([look, Effect.withSpan(look, "one"), look]).pipe(
        (work) => Effect.zipRight(Effect.yieldNow(), work),
        Botanu.workflow("W", ids),
        Effect.provide(telemetry)
      )
      expect(seen).toEqual(["botanu.run/W", "one", "botanu.run/W"].map((span) => [true, span]))
    }).pipe(Effect.scoped)
  )
})

describe("a step is in its run and span", () => {
  const key = createContextKey("of the program")
  const look = Effect.sync(activeSpan)

  it.live("below a tracer of the program that makes a context active for each", () =>
    Effect.gen(function* () {
      const marking = (tracer: Tracer.Tracer) =>
        Tracer.make({
          span: (...options) => tracer.span(...options),
          context: (execution, fiber) =>
            context.with(context.active().setValue(key, "step"), () => tracer.context(execution, fiber))
        })
      const seen = yield* Effect.flatMap(Effect.tracer, (tracer) =>
        Effect.all([look, Effect.withSpan(Effect.all([look, look]), "one"), look]).pipe(
          Effect.withTracer(marking(tracer))
        )
      ).pipe((work) => Effect.zipRight(Effect.yieldNow(), work), Botanu.workflow("W", ids))
      expect(seen).toEqual(["botanu.run/W", ["one", "one"], "botanu.run/W"])
    }).pipe(Effect.provide(telemetry))
  )

  it.live("after one that attached a context and left it", () =>
    Effect.gen(function* () {
      const attach = Effect.sync(() => {
        managerOf(context).attach?.(ROOT_CONTEXT.setValue(key, "left"))
      })
      const seen = yield* Effect.zipRight(
        attach,
        Effect.all([look, Effect.withSpan(look, "one"), Effect.promise(async () => activeSpan()), look])
      ).pipe((work) => Effect.zipRight(Effect.yieldNow(), work), Botanu.workflow("W", ids))
      expect(seen).toEqual(["botanu.run/W", "one", "botanu.run/W", "botanu.run/W"])
    }).pipe(Effect.provide(telemetry))
  )
})
