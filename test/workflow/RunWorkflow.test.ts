/**
 * Durable executions as runs, on the engine in memory.
 */
import { describe, expect, it } from "@effect/vitest"
import { Activity, DurableDeferred, Workflow, WorkflowEngine } from "@effect/workflow"
import {
  Cause,
  Context,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Ref,
  Schema,
  TestClock
} from "effect"
import {
  Botanu,
  Budget,
  BudgetExceeded,
  Cost,
  DeadlineExceeded,
  InvalidRunContext,
  Outcome,
  type Run,
  RunContext,
  RunExporter
} from "../../src/index.js"
import { RunWorkflow } from "../../src/workflow/index.js"
import { completedRuns, endedSpans, eventsOf, logging, observed, onlyRun, spanOf } from "../observed.js"
import { activity, call, ids, Order, OutOfStock, prices, suspend } from "./workflows.js"

const OrderRun = RunWorkflow.asRun(Order, ids)
const order = { orderId: "order-7", attempt: 1 }

/** Executes the workflow with this body, in a world of its own. */
const executing = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  live: Layer.Layer<never, never, RunWorkflow.RunEngine | WorkflowEngine.WorkflowEngine>
) => program.pipe(Effect.provide(Layer.provideMerge(live, RunWorkflow.layerMemory)), Effect.provide(prices))

/** Waits for a fiber while time passes. */
const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>, by: Duration.DurationInput = "1 second") =>
  Effect.flatMap(Effect.fork(Effect.exit(effect)), (fiber) =>
    Effect.gen(function* () {
      while (fiber.unsafePoll() === null) {
        yield* TestClock.adjust(by)
        yield* Effect.yieldNow()
      }
      return yield* Effect.flatten(Fiber.join(fiber))
    })
  )

describe("an execution", () => {
  it.scoped("is a run", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          const run = yield* RunContext
          yield* Effect.orDie(Outcome.emit("success", { valueType: "orders", valueAmount: 1 }))
          yield* Effect.orDie(Botanu.annotate({ team: "fulfilment" }))
          return run.runId
        })
      )
      const runId = yield* executing(OrderRun.execute(order), live)
      const { completed, span } = yield* onlyRun
      expect(completed.run.runId).toBe(runId)
      expect(completed.run).toMatchObject({
        workflow: "Order",
        eventId: "order-7",
        customerId: "bigretail",
        attempt: 1,
        rootRunId: runId
      })
      expect(completed.status).toBe("success")
      expect(completed.outcome?.valueAmount).toBe(1)
      expect(completed.annotations).toEqual({ team: "fulfilment" })
      expect(completed.traceId).toBe(span.spanContext().traceId)
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.outcome_emitted", "botanu.run.completed"])
      expect(span.attributes["botanu.team"]).toBe("fulfilment")
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is one run over a durable sleep, a signal and replays, with its real duration", () =>
    Effect.gen(function* () {
      const entries: Array<string> = []
      const executions: Array<string> = []
      const starts: Array<string> = []
      const began = yield* Deferred.make<void>()
      const Approved = DurableDeferred.make("Approved", { success: Schema.String })
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          const { runId } = yield* RunContext
          entries.push(runId)
          yield* Deferred.succeed(began, undefined)
          const step = (name: string) =>
            activity(
              name,
              Effect.zipRight(
                Effect.sync(() => executions.push(name)),
                call()
              )
            )
          yield* step("reserve")
          yield* suspend("1 hour")
          yield* step("pay")
          const by = yield* DurableDeferred.await(Approved)
          yield* step("ship")
          return by
        })
      )
      const exporter = RunExporter.layer({
        export: () => Effect.void,
        started: ({ runId }) => Effect.sync(() => starts.push(runId))
      })
      const program = Effect.gen(function* () {
        const executionId = yield* OrderRun.executionId(order)
        const signal = DurableDeferred.succeed(Approved, {
          token: DurableDeferred.tokenFromExecutionId(Approved, { workflow: Order, executionId }),
          value: "boss"
        })
        // Time passes before the run begins, too: the id of an execution is computed outside of the fiber.
        yield* Effect.fork(Effect.zipRight(Deferred.await(began), Effect.delay(signal, "2 hours")))
        return yield* whileTimePasses(OrderRun.execute(order), "10 minutes")
      })
      expect(yield* executing(program, live).pipe(Effect.provide(exporter))).toBe("boss")
      expect(executions).toEqual(["reserve", "pay", "ship"])
      expect(entries.length).toBeGreaterThanOrEqual(3)
      const { completed, span } = yield* onlyRun
      expect(new Set(entries)).toEqual(new Set([completed.run.runId]))
      expect(starts).toEqual([completed.run.runId])
      expect(Cost.format(completed.totals.usd)).toBe("30")
      expect(completed.usages.length).toBe(3)
      expect(completed.durationMs).toBeGreaterThanOrEqual(7_200_000)
      expect(span.duration[0]).toBeGreaterThanOrEqual(7200)
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.run.completed"])
      const spans = yield* endedSpans
      const calls = spans.filter(({ name }) => name === "chat quill-2")
      expect(calls.length).toBe(3)
      const { spanId, traceId } = span.spanContext()
      for (const each of ["reserve", "pay", "ship"]) {
        const own = spans.filter(({ name }) => name === each)
        expect(own.length).toBeGreaterThan(0)
        for (const { parentSpanContext } of own) expect(parentSpanContext).toMatchObject({ spanId, traceId })
      }
    }).pipe(Effect.provide(observed))
  )

  it.scoped("adds nothing when it is executed again after its end", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() => activity("pay", call()))
      const starts = yield* Ref.make(0)
      const exporter = RunExporter.layer({ export: () => Effect.void, started: () => Ref.update(starts, (n) => n + 1) })
      const program = Effect.gen(function* () {
        yield* OrderRun.execute(order)
        const before = (yield* endedSpans).filter(({ name }) => name.startsWith("botanu."))
        yield* Botanu.workflow(OrderRun.execute(order), "Duplicate", { eventId: "other", customerId: "bigretail" })
        return [before.length, (yield* endedSpans).filter(({ name }) => name.startsWith("botanu.run/Order")).length]
      })
      expect(yield* executing(program, live).pipe(Effect.provide(exporter))).toEqual([1, 1])
      expect((yield* completedRuns).map(({ run }) => run.workflow)).toEqual(["Order", "Duplicate"])
      expect(yield* Ref.get(starts)).toBe(2)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("has the run that executed it as its parent, in one trace", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() => Effect.succeed("done"))
      yield* executing(
        Botanu.workflow(OrderRun.execute(order), "Checkout", { eventId: "order-7", customerId: "bigretail" }),
        live
      )
      const [durable, checkout] = yield* completedRuns
      if (durable === undefined || checkout === undefined) return yield* Effect.die("expected two runs")
      expect(durable.run.parentRunId).toBe(checkout.run.runId)
      expect(durable.traceId).toBe(checkout.traceId)
      expect((yield* spanOf(durable)).parentSpanContext?.spanId).toBeDefined()
    }).pipe(Effect.provide(observed))
  )

  it.scoped("has nothing else of the place where it was executed", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* Effect.void.pipe(Effect.withSpan("in the body"))
          return yield* activity("pay", call())
        })
      )
      yield* executing(
        Botanu.annotate({ team: "checkout" }).pipe(
          Effect.zipRight(Botanu.step(OrderRun.execute(order), "payment")),
          Botanu.workflow("Checkout", { eventId: "order-7", customerId: "bigretail" })
        ),
        live
      )
      const [durable] = yield* completedRuns
      expect(durable?.usages.map(({ usage }) => usage.step)).toEqual([undefined])
      expect(durable?.annotations).toBe(undefined)
      const span = (yield* endedSpans).find(({ name }) => name === "in the body")
      expect(span?.attributes["botanu.run_id"]).toBe(durable?.run.runId)
      expect(span?.attributes["botanu.step"]).toBe(undefined)
      expect(span?.attributes["botanu.team"]).toBe(undefined)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is the parent of the executions and the runs that it starts", () =>
    Effect.gen(function* () {
      const Inner = Workflow.make({ name: "Inner", payload: { id: Schema.String }, idempotencyKey: ({ id }) => id })
      const InnerRun = RunWorkflow.asRun(Inner, { eventId: ({ id }) => id, customerId: "bigretail" })
      const inner = InnerRun.toLayer(() => Effect.void)
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* InnerRun.execute({ id: "inner-1" })
          return yield* activity(
            "plain",
            Effect.orDie(Botanu.workflow(Effect.succeed("x"), "Plain", { eventId: "e", customerId: "c" }))
          )
        })
      )
      yield* executing(whileTimePasses(OrderRun.execute(order)), Layer.merge(live, inner))
      const runs = (yield* completedRuns).map(({ run }) => run)
      const outer = runs.find(({ workflow }) => workflow === "Order")
      expect(runs.filter(({ parentRunId }) => parentRunId === outer?.runId).map(({ workflow }) => workflow)).toEqual([
        "Inner",
        "Plain"
      ])
    }).pipe(Effect.provide(observed))
  )

  it.scoped("that is retried is the next attempt, with lineage", () =>
    Effect.gen(function* () {
      const Retried = RunWorkflow.asRun(Order, {
        ...ids,
        retryOf: ({ attempt, orderId }) => (attempt === 1 ? undefined : { orderId, attempt: attempt - 1 })
      })
      const live = Retried.toLayer(({ attempt }) => (attempt < 3 ? new OutOfStock() : Effect.succeed("shipped")))
      yield* executing(
        Effect.forEach([1, 2, 3], (attempt) => Effect.exit(Retried.execute({ orderId: "order-7", attempt }))),
        live
      )
      const [first, second, third] = yield* completedRuns
      if (first === undefined || second === undefined || third === undefined) return yield* Effect.die("too few runs")
      expect([first, second, third].map(({ run }) => run.attempt)).toEqual([1, 2, 3])
      expect([first, second, third].map(({ status }) => status)).toEqual(["failure", "failure", "success"])
      expect(second.run.retryOfRunId).toBe(first.run.runId)
      expect(third.run.retryOfRunId).toBe(second.run.runId)
      expect(new Set([first, second, third].map(({ run }) => run.rootRunId))).toEqual(new Set([first.run.runId]))
      const link = (yield* spanOf(third)).links[0]
      expect(link?.context.spanId).toBe((yield* spanOf(second)).spanContext().spanId)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("of a payload that makes no run fails, and nothing is started", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() => Effect.succeed("done"))
      const error = yield* executing(Effect.flip(OrderRun.execute({ orderId: "", attempt: 1 })), live)
      expect(error).toBeInstanceOf(InvalidRunContext)
      expect(error).toMatchObject({ field: "eventId", workflow: "Order" })
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.scoped("of a workflow without options is no run", () =>
    Effect.gen(function* () {
      const live = Order.toLayer(() => activity("pay", Effect.succeed("paid")))
      expect(yield* executing(Order.execute(order), live as never)).toBe("paid")
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )
})

describe("an execution that does not succeed", () => {
  it.scoped("is a failure, and its compensations run in the run, as a step, without trouble", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* activity("reserve", call()).pipe(
            OrderRun.withCompensation(() =>
              Effect.orDie(
                Effect.zipRight(
                  Effect.flatMap(RunContext, () => call(1)),
                  activity("release", call(2))
                )
              )
            )
          )
          return yield* new OutOfStock()
        })
      )
      const exit = yield* executing(Effect.exit(OrderRun.execute(order)), live)
      expect(Exit.isFailure(exit) && Cause.failureOption(exit.cause)).toEqual(Option.some(new OutOfStock()))
      const { completed } = yield* onlyRun
      expect(completed).toMatchObject({ status: "failure", errorClass: "OutOfStock" })
      expect(completed.usages.map(({ cost, usage }) => [Cost.format(cost.usd), usage.step])).toEqual([
        ["10", undefined],
        ["1", "compensation"],
        ["2", "compensation"]
      ])
      const release = (yield* endedSpans).find(({ name }) => name === "release")
      expect(release?.attributes["botanu.step"]).toBe("compensation")
      expect(lines).toEqual([])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.scoped("counts what an activity consumed that failed or died", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* Effect.ignore(activity("fails", Effect.zipRight(call(), new OutOfStock())))
          yield* suspend("1 minute")
          return yield* activity("dies", Effect.zipRight(call(), Effect.die(new Error("broken"))))
        })
      )
      yield* executing(Effect.exit(whileTimePasses(OrderRun.execute(order))), live)
      const { completed } = yield* onlyRun
      expect(completed).toMatchObject({ status: "failure", errorClass: "Error" })
      expect(Cost.format(completed.totals.usd)).toBe("20")
    }).pipe(Effect.provide(observed))
  )

  it.scoped("passes its deadline while an activity is at work", () =>
    Effect.gen(function* () {
      const Bounded = RunWorkflow.asRun(Order, { ...ids, deadline: "1 minute" })
      const live = Bounded.toLayer(() => activity("slow", Effect.zipRight(call(), Effect.never)))
      const error = yield* executing(Effect.flip(whileTimePasses(Bounded.execute(order))), live)
      expect(error).toBeInstanceOf(DeadlineExceeded)
      const { completed } = yield* onlyRun
      expect(completed.status).toBe("timeout")
      expect(Cost.format(completed.totals.usd)).toBe("10")
      expect(completed.durationMs).toBe(60_000)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is woken by its deadline, and compensates", () =>
    Effect.gen(function* () {
      const Bounded = RunWorkflow.asRun(Order, { ...ids, deadline: "1 minute" })
      const released: Array<string> = []
      const live = Bounded.toLayer(() =>
        Effect.gen(function* () {
          yield* activity("reserve", call()).pipe(
            Bounded.withCompensation(() => Effect.sync(() => released.push("released")))
          )
          yield* suspend("30 days")
          return "done"
        })
      )
      const error = yield* executing(Effect.flip(whileTimePasses(Bounded.execute(order))), live)
      expect(error).toBeInstanceOf(DeadlineExceeded)
      expect(released).toEqual(["released"])
      const { completed } = yield* onlyRun
      expect(completed.status).toBe("timeout")
      expect(completed.durationMs).toBeLessThan(120_000)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("passes its budget in the middle of an activity, which ends there", () =>
    Effect.gen(function* () {
      const Bounded = RunWorkflow.asRun(Order, { ...ids, budget: { usd: 25, children: false, retries: false } })
      const live = Bounded.toLayer(() =>
        Effect.gen(function* () {
          yield* activity("first", call())
          yield* suspend("1 minute")
          return yield* activity("second", Effect.forever(call()))
        })
      )
      const error = yield* executing(Effect.flip(whileTimePasses(Bounded.execute(order))), live)
      expect(error).toBeInstanceOf(BudgetExceeded)
      const { completed } = yield* onlyRun
      expect(completed.status).toBe("failure")
      expect(Cost.format(completed.totals.usd)).toBe("30")
    }).pipe(Effect.provide(observed))
  )

  it.scoped("does not begin over a budget over time, which counts each call once", () =>
    Effect.gen(function* () {
      const budget = Layer.orDie(Budget.layer({ scope: "customer", usd: 22, per: "1 hour" }))
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* activity("first", call())
          yield* suspend("1 minute")
          return yield* activity("second", call())
        })
      ).pipe(Layer.provide(budget))
      const execute = (orderId: string) => Effect.exit(whileTimePasses(OrderRun.execute({ orderId, attempt: 1 })))
      const refusal = { _tag: "BudgetExceeded", scope: "customer", period: { id: "bigretail" } }
      const program = Effect.gen(function* () {
        expect(yield* execute("order-1")).toEqual(Exit.succeed("a draft"))
        // 20 were spent: the replay of the first activity cost nothing.
        expect(yield* execute("order-2")).toEqual(Exit.succeed("a draft"))
        expect(yield* Effect.flip(Effect.flatten(execute("order-3")))).toMatchObject(refusal)
        yield* TestClock.adjust("1 hour")
        expect(yield* Effect.flip(Effect.flatten(execute("order-3")))).toMatchObject(refusal)
        expect(yield* execute("order-4")).toEqual(Exit.succeed("a draft"))
      })
      yield* executing(program, live)
      const runs = yield* completedRuns
      expect(runs.map(({ run, status, totals }) => [run.eventId, status, Cost.format(totals.usd)])).toEqual([
        ["order-1", "success", "20"],
        ["order-2", "success", "20"],
        ["order-3", "failure", "0"],
        ["order-4", "success", "20"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is canceled by the engine's interruption, with the reason of RunWorkflow.cancel", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() => Effect.as(suspend("30 days"), "done"))
      const program = Effect.gen(function* () {
        const id = yield* OrderRun.execute(order, { discard: true })
        yield* TestClock.adjust("1 second")
        yield* RunWorkflow.cancel(OrderRun, id, "the customer changed her mind")
        yield* TestClock.adjust("1 second")
        const other = yield* OrderRun.execute({ ...order, attempt: 2 }, { discard: true })
        yield* TestClock.adjust("1 second")
        yield* OrderRun.interrupt(other)
        yield* TestClock.adjust("1 second")
      })
      yield* executing(program, live)
      const [first, second] = yield* completedRuns
      expect(first).toMatchObject({ status: "canceled", cancellationReason: "the customer changed her mind" })
      expect(second).toMatchObject({ status: "canceled", cancellationReason: "interrupted" })
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is canceled by Botanu.cancel where it is at work, when it suspends", () =>
    Effect.gen(function* () {
      const going = yield* Deferred.make<Run>()
      const go = yield* Deferred.make<string>()
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* activity(
            "pay",
            Effect.flatMap(RunContext, (run) => Effect.zipRight(Deferred.succeed(going, run), Deferred.await(go)))
          )
          yield* suspend("30 days")
          return "done"
        })
      )
      const program = Effect.gen(function* () {
        yield* OrderRun.execute(order, { discard: true })
        const { runId } = yield* Deferred.await(going)
        expect(yield* Botanu.cancel(runId, "no longer wanted")).toBe(true)
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(go, "paid")
        yield* TestClock.adjust("1 second")
      })
      yield* executing(program, live)
      const { completed } = yield* onlyRun
      expect(completed).toMatchObject({ status: "canceled", cancellationReason: "no longer wanted" })
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is not completed by the end of its process, nor compensated", () =>
    Effect.gen(function* () {
      const undone: Array<string> = []
      const begun = yield* Deferred.make<void>()
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* activity("reserve", Effect.succeed("r")).pipe(
            OrderRun.withCompensation(() => Effect.sync(() => undone.push("reserve")))
          )
          yield* Deferred.succeed(begun, undefined)
          return yield* activity("pay", Effect.never)
        })
      )
      yield* executing(Effect.zipRight(OrderRun.execute(order, { discard: true }), Deferred.await(begun)), live)
      expect(yield* completedRuns).toEqual([])
      expect(undone).toEqual([])
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )
})

describe("an activity", () => {
  it.scoped("has the run, and what it records is on the run", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          const { runId } = yield* RunContext
          seen.push(runId)
          yield* activity(
            "pay",
            Effect.gen(function* () {
              const run = yield* RunContext
              seen.push(run.runId)
              yield* Effect.orDie(Outcome.emit("partial", { valueType: "orders", valueAmount: 2 }))
              yield* Effect.orDie(Botanu.annotate({ team: "payments" }))
              return "paid"
            })
          )
          yield* suspend("1 minute")
          return "done"
        })
      )
      yield* executing(whileTimePasses(OrderRun.execute(order)), live)
      const { completed, span } = yield* onlyRun
      expect(new Set(seen)).toEqual(new Set([completed.run.runId]))
      expect(completed.outcome).toMatchObject({ status: "partial", valueAmount: 2 })
      expect(completed.annotations).toEqual({ team: "payments" })
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.outcome_emitted", "botanu.run.completed"])
      const pay = (yield* endedSpans).filter(({ name }) => name === "pay")
      expect(pay.map(({ attributes }) => attributes["botanu.activity.execution"])).toContain(1)
    }).pipe(Effect.provide(observed))
  )

  it.scoped("that the engine kept from an entry before may have been executed meanwhile, and says so", () =>
    Effect.gen(function* () {
      let kept: { readonly executeEncoded: unknown } | undefined
      /** As the cluster, where an entry is interrupted before its activity was executed. */
      const keeping = Layer.effect(
        WorkflowEngine.WorkflowEngine,
        Effect.map(WorkflowEngine.WorkflowEngine, (engine) => ({
          ...engine,
          activityExecute: ((activity: Activity.Any, attempt: number) => {
            if (activity.name !== "pay") return engine.activityExecute(activity as never, attempt)
            if (kept === undefined) {
              kept = activity as unknown as typeof kept
              return Effect.succeed(new Workflow.Suspended())
            }
            return engine.activityExecute({ ...activity, executeEncoded: kept.executeEncoded } as never, attempt)
          }) as never
        }))
      )
      const engine = RunWorkflow.layer.pipe(
        Layer.provide(RunWorkflow.layerNoHistory),
        Layer.provide(Layer.provide(keeping, WorkflowEngine.layerMemory))
      )
      const live = OrderRun.toLayer(() => activity("pay", call()))
      yield* Effect.gen(function* () {
        const executionId = yield* OrderRun.execute(order, { discard: true })
        yield* whileTimePasses(Effect.repeat(OrderRun.poll(executionId), { until: () => kept !== undefined }))
        yield* OrderRun.resume(executionId)
        yield* whileTimePasses(OrderRun.execute(order))
      }).pipe(Effect.provide(Layer.provideMerge(live, engine)), Effect.provide(prices))
      const { completed } = yield* onlyRun
      const lost = completed.usages.filter(({ usage }) => usage.errorType === "process_lost")
      expect(lost.map(({ usage }) => usage.operation)).toEqual(["pay"])
      expect(Cost.format(completed.totals.usd)).toBe("10")
    }).pipe(Effect.provide(observed))
  )

  it.scoped("counts each attempt of Activity.retry", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        activity(
          "pay",
          Effect.flatMap(Activity.CurrentAttempt, (attempt) =>
            Effect.flatMap(call(attempt), () => (attempt < 3 ? new OutOfStock() : Effect.succeed("paid")))
          )
        ).pipe(Activity.retry({ times: 5 }))
      )
      yield* executing(OrderRun.execute(order), live)
      const { completed } = yield* onlyRun
      expect(Cost.format(completed.totals.usd)).toBe("6")
    }).pipe(Effect.provide(observed))
  )

  it.scoped(
    "that the engine interrupts and executes again in one entry is numbered, and counts what each consumed",
    () =>
      Effect.gen(function* () {
        const called = yield* Deferred.make<void>()
        /** An engine that takes an activity from its first execution, as one does whose shards go elsewhere and come back. */
        const engine = Layer.map(WorkflowEngine.layerMemory, (context) => {
          const memory = Context.get(context, WorkflowEngine.WorkflowEngine)
          const activityExecute = ((
            activity: Activity.Any & { executeEncoded: Effect.Effect<unknown> },
            attempt: number
          ) =>
            Effect.gen(function* () {
              if (activity.name === "pay" && !(yield* Deferred.isDone(called))) {
                const first = yield* Effect.fork(activity.executeEncoded)
                yield* Deferred.await(called)
                yield* Fiber.interrupt(first)
              }
              return yield* memory.activityExecute(activity as never, attempt)
            })) as never
          return Context.make(WorkflowEngine.WorkflowEngine, { ...memory, activityExecute })
        })
        const live = OrderRun.toLayer(() =>
          activity(
            "pay",
            Effect.zipRight(
              call(),
              Effect.flatMap(Deferred.succeed(called, undefined), (isFirst) =>
                isFirst ? Effect.never : Effect.succeed("paid")
              )
            )
          )
        )
        const runs = RunWorkflow.layer.pipe(Layer.provide(RunWorkflow.layerNoHistory), Layer.provide(engine))
        yield* OrderRun.execute(order).pipe(Effect.provide(Layer.provideMerge(live, runs)), Effect.provide(prices))
        const { completed } = yield* onlyRun
        expect(completed.usages.map(({ cost }) => cost._tag)).toEqual(["Priced", "Priced"])
        const [pay] = (yield* endedSpans).filter(({ name }) => name === "pay")
        expect(pay?.attributes["botanu.activity.execution"]).toBe(2)
      }).pipe(Effect.provide(observed))
  )

  it.scoped("is known by the history that a program provides, to have been cut off or not", () =>
    Effect.gen(function* () {
      const asked: Array<RunWorkflow.ActivityAddress> = []
      const history = Layer.succeed(RunWorkflow.ActivityHistory, {
        wasRequestedBefore: (address) => {
          asked.push(address)
          return Effect.succeed(true)
        }
      })
      const engine = RunWorkflow.layer.pipe(Layer.provide(history), Layer.provide(WorkflowEngine.layerMemory))
      const live = OrderRun.toLayer(() => activity("pay", call()))
      yield* OrderRun.execute(order).pipe(Effect.provide(Layer.provideMerge(live, engine)), Effect.provide(prices))
      const pay = { workflow: Order.name, executionId: yield* Order.executionId(order), activity: "pay", attempt: 1 }
      expect(asked).toEqual([{ ...pay, activity: "botanu/run" }, pay])
      const { completed } = yield* onlyRun
      expect(completed.usages.map(({ usage }) => usage.errorType)).toEqual(["process_lost", undefined])
    }).pipe(Effect.provide(observed))
  )

  it.scoped("is joined alive by work that its fibers did not start", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        activity(
          "pay",
          Effect.flatMap(RunContext, (run) =>
            Effect.promise(() => Effect.runPromise(call().pipe(Botanu.resume(run), Effect.provide(prices))))
          )
        )
      )
      yield* executing(OrderRun.execute(order), live)
      const { completed } = yield* onlyRun
      expect(Cost.format(completed.totals.usd)).toBe("10")
    }).pipe(Effect.provide(observed))
  )
})

describe("what the body itself consumes", () => {
  it.scoped("counts each time that it does", () =>
    Effect.gen(function* () {
      const live = OrderRun.toLayer(() =>
        Effect.gen(function* () {
          yield* call()
          yield* suspend("1 minute")
          return "done"
        })
      )
      yield* executing(whileTimePasses(OrderRun.execute(order)), live)
      const { completed } = yield* onlyRun
      expect(Cost.format(completed.totals.usd)).toBe("20")
    }).pipe(Effect.provide(observed))
  )

  it.scoped("counts once where the execution is cancelled while it is suspended", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const live = OrderRun.toLayer(() =>
        Effect.zipRight(
          Effect.tap(call(), (draft) => calls.push(draft)),
          Effect.as(suspend("30 days"), "done")
        )
      )
      const program = Effect.gen(function* () {
        const id = yield* OrderRun.execute(order, { discard: true })
        yield* TestClock.adjust("1 second")
        yield* RunWorkflow.cancel(OrderRun, id, "no longer wanted")
        yield* TestClock.adjust("1 second")
      })
      yield* executing(program, live)
      const { completed } = yield* onlyRun
      expect(completed.status).toBe("canceled")
      expect(Cost.format(completed.totals.usd)).toBe(`${10 * calls.length}`)
    }).pipe(Effect.provide(observed))
  )
})
