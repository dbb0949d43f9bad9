import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Metric, TestClock } from "effect"
import { Botanu, RunExporter, RunMetrics, Usage } from "../../src/index.js"
import { ids } from "../runs.js"
import { spend, unpriced } from "../usages.js"

const tagged = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>, workflow: string, status: string) =>
  Metric.value(Metric.tagged(Metric.tagged(metric, "workflow", workflow), "status", status))

it.effect("runs are counted and timed, by workflow and status", () =>
  Effect.gen(function* () {
    const run = Botanu.workflow("counted", ids)
    yield* run(Effect.void)
    yield* run(Effect.void)
    yield* Effect.exit(run(Effect.fail("x")))
    const slow = yield* Effect.fork(run(Effect.sleep("300 millis")))
    yield* TestClock.adjust("300 millis")
    yield* Fiber.join(slow)
    expect((yield* tagged(RunMetrics.runsTotal, "counted", "success")).count).toBe(3)
    expect((yield* tagged(RunMetrics.runsTotal, "counted", "failure")).count).toBe(1)
    expect((yield* tagged(RunMetrics.runsTotal, "counted", "timeout")).count).toBe(0)
    const durations = yield* tagged(RunMetrics.runDurationSeconds, "counted", "success")
    expect([durations.count, durations.min, durations.max]).toEqual([3, 0, 0.3])
  })
)

it.effect("metrics keep the labels around the run", () =>
  Effect.gen(function* () {
    yield* Effect.tagMetrics(Botanu.workflow(Effect.void, "labelled", ids), "team", "sales")
    yield* Effect.tagMetrics(Botanu.workflow(Effect.void, "labelled", ids), "team", "support")
    const counter = Metric.tagged(RunMetrics.runsTotal, "team", "support")
    expect((yield* tagged(counter, "labelled", "success")).count).toBe(1)
    expect((yield* tagged(RunMetrics.runsTotal, "labelled", "success")).count).toBe(0)
  })
)

it.effect("what runs are known to have cost is summed, by workflow and status", () =>
  Effect.gen(function* () {
    const run = Botanu.workflow("costly", ids)
    yield* run(Effect.all([spend("0.1"), spend("0.2"), Usage.record(unpriced)]))
    yield* run(spend("0.25"))
    yield* Effect.exit(run(Effect.zipRight(spend(2), Effect.fail("x"))))
    yield* run(Botanu.workflow(spend(4), "costly child", ids))
    yield* run(Effect.void)
    expect((yield* tagged(RunMetrics.runCostUsd, "costly", "success")).count).toBe(0.55)
    expect((yield* tagged(RunMetrics.runCostUsd, "costly", "failure")).count).toBe(2)
    expect((yield* tagged(RunMetrics.runCostUsd, "costly child", "success")).count).toBe(4)
  })
)

it.effect("calls and those without a price are counted, by workflow and status", () =>
  Effect.gen(function* () {
    yield* Botanu.workflow(Effect.all([spend(1), Usage.record(unpriced), Usage.record(unpriced)]), "calling", ids)
    expect((yield* tagged(RunMetrics.callsTotal, "calling", "success")).count).toBe(3)
    expect((yield* tagged(RunMetrics.unpricedCallsTotal, "calling", "success")).count).toBe(2)
  })
)

it.effect("runs over their budget are counted, by workflow", () =>
  Effect.gen(function* () {
    const run = Botanu.workflow("over budget", { ...ids, budget: { usd: 1, children: false, retries: false } })
    yield* Effect.exit(run(Effect.zipRight(spend(2), Effect.never)))
    const counter = Metric.tagged(RunMetrics.budgetExceededTotal, "workflow", "over budget")
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
    const gate = yield* Deferred.make<void>()
    expect(yield* named("workflow", "about to begin")).toEqual([])
    const run = yield* Effect.fork(Botanu.workflow(Deferred.await(gate), "about to begin", ids))
    yield* Effect.yieldNow()
    const statuses = ["canceled", "failure", "success", "timeout"]
    const byStatus = [
      "botanu_calls_total",
      "botanu_run_cost_usd_total",
      "botanu_run_duration_seconds",
      "botanu_runs_total",
      "botanu_unpriced_calls_total"
    ]
    expect(yield* named("workflow", "about to begin")).toEqual(
      [
        "botanu_budget_exceeded_total",
        ...byStatus.flatMap((name) => statuses.map((status) => `${name} ${status}`))
      ].sort()
    )
    expect((yield* tagged(RunMetrics.runDurationSeconds, "about to begin", "success")).count).toBe(0)
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
