import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Metric, TestClock } from "effect"
import { Botanu, RunMetrics, Usage } from "../../src/index.js"
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
    const durations = yield* tagged(RunMetrics.runDurationMs, "counted", "success")
    expect([durations.count, durations.min, durations.max]).toEqual([3, 0, 300])
  })
)

it.effect("metrics keep the labels around the run", () =>
  Effect.gen(function* () {
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
