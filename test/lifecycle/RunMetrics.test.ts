import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Metric, TestClock } from "effect"
import { Botanu, RunExporter, RunMetrics, Usage } from "../../src/index.js"
import { unheard } from "../observed.js"
import { ids } from "../runs.js"
import { spend, unpriced } from "../usages.js"

const tagged = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>, workflow: string, status: string) =>
  Metric.value(Metric.tagged(Metric.tagged(metric, "workflow", workflow), "status", status))

it.effect("runs are counted and timed, by workflow and status", () =>
  Effect.gen(function* () {
    const workflow = unheard("counted")
    const run = Botanu.workflow(workflow, ids)
    yield* run(Effect.void)
    yield* run(Effect.void)
    yield* Effect.exit(run(Effect.fail("x")))
    const slow = yield* Effect.fork(run(Effect.sleep("300 millis")))
    yield* TestClock.adjust("300 millis")
    yield* Fiber.join(slow)
    expect((yield* tagged(RunMetrics.runsTotal, workflow, "success")).count).toBe(3)
    expect((yield* tagged(RunMetrics.runsTotal, workflow, "failure")).count).toBe(1)
    expect((yield* tagged(RunMetrics.runsTotal, workflow, "timeout")).count).toBe(0)
    const durations = yield* tagged(RunMetrics.runDurationSeconds, workflow, "success")
    expect([durations.count, durations.min, durations.max]).toEqual([3, 0, 0.3])
  })
)

it.effect("metrics keep the labels around the run", () =>
  Effect.gen(function* () {
    const workflow = unheard("labelled")
    yield* Effect.tagMetrics(Botanu.workflow(Effect.void, workflow, ids), "team", "sales")
    yield* Effect.tagMetrics(Botanu.workflow(Effect.void, workflow, ids), "team", "support")
    const counter = Metric.tagged(RunMetrics.runsTotal, "team", "support")
    expect((yield* tagged(counter, workflow, "success")).count).toBe(1)
    expect((yield* tagged(RunMetrics.runsTotal, workflow, "success")).count).toBe(0)
  })
)

it.effect("what runs are known to have cost is summed, by workflow and status", () =>
  Effect.gen(function* () {
    const workflow = unheard("costly")
    const run = Botanu.workflow(workflow, ids)
    yield* run(Effect.all([spend("0.1"), spend("0.2"), Usage.record(unpriced)]))
    yield* run(spend("0.25"))
    yield* Effect.exit(run(Effect.zipRight(spend(2), Effect.fail("x"))))
    const child = unheard("costly child")
    yield* run(Botanu.workflow(spend(4), child, ids))
    yield* run(Effect.void)
    expect((yield* tagged(RunMetrics.runCostUsd, workflow, "success")).count).toBe(0.55)
    expect((yield* tagged(RunMetrics.runCostUsd, workflow, "failure")).count).toBe(2)
    expect((yield* tagged(RunMetrics.runCostUsd, child, "success")).count).toBe(4)
  })
)

it.effect("calls and those without a price are counted, by workflow and status", () =>
  Effect.gen(function* () {
    const workflow = unheard("calling")
    yield* Botanu.workflow(Effect.all([spend(1), Usage.record(unpriced), Usage.record(unpriced)]), workflow, ids)
    expect((yield* tagged(RunMetrics.callsTotal, workflow, "success")).count).toBe(3)
    expect((yield* tagged(RunMetrics.unpricedCallsTotal, workflow, "success")).count).toBe(2)
  })
)

it.effect("runs over their budget are counted, by workflow", () =>
  Effect.gen(function* () {
    const workflow = unheard("over budget")
    const run = Botanu.workflow(workflow, { ...ids, budget: { usd: 1, children: false, retries: false } })
    yield* Effect.exit(run(Effect.zipRight(spend(2), Effect.never)))
    yield* run(Effect.void)
    yield* Effect.exit(run(Effect.fail("x")))
    const counter = Metric.tagged(RunMetrics.budgetExceededTotal, "workflow", workflow)
    expect((yield* Metric.value(counter)).count).toBe(1)
  })
)

/** The names of the metrics that have a series with the label. */
const named = (key: string, value: string) =>
  Effect.map(Metric.snapshot, (pairs) =>
    pairs
      .filter(({ metricKey }) => metricKey.tags.some((label) => label.key === key && label.value === value))
      .map(({ metricKey }) =>
        `${metricKey.name} ${metricKey.tags.find((label) => label.key !== key)?.value ?? ""}`.trim()
      )
      .sort()
  )

it.effect("each series of a workflow stands at zero when its first run begins", () =>
  Effect.gen(function* () {
    const workflow = unheard("about to begin")
    const gate = yield* Deferred.make<void>()
    expect(yield* named("workflow", workflow)).toEqual([])
    const run = yield* Effect.fork(Botanu.workflow(Deferred.await(gate), workflow, ids))
    yield* Effect.yieldNow()
    const statuses = ["canceled", "failure", "success", "timeout"]
    const byStatus = [
      "botanu_calls_total",
      "botanu_run_cost_usd_total",
      "botanu_run_duration_seconds",
      "botanu_runs_total",
      "botanu_unpriced_calls_total"
    ]
    expect(yield* named("workflow", workflow)).toEqual(
      [
        "botanu_budget_exceeded_total",
        ...byStatus.flatMap((name) => statuses.map((status) => `${name} ${status}`))
      ].sort()
    )
    expect((yield* tagged(RunMetrics.runDurationSeconds, workflow, "success")).count).toBe(0)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(run)
  })
)

it.effect("each series of an exporter stands at zero when its layer is built", () =>
  Effect.gen(function* () {
    const reasons = ["failed", "queue_full", "released", "timeout"]
    expect(yield* named("exporter", "ledger of tests")).toEqual(
      reasons.map((reason) => `botanu_exports_lost_total ${reason}`)
    )
  }).pipe(Effect.provide(RunExporter.layer({ export: () => Effect.void }, { name: "ledger of tests" })))
)
