/**
 * What spans and log lines inside of a run carry.
 */
import { expect, it } from "@effect/vitest"
import { Effect, HashMap } from "effect"
import { annotated, annotationsOf } from "../../src/lifecycle/RunAnnotations.js"
import { makeRun, otherRunId } from "../runs.js"

it.each([
  ["lean", {}, []],
  ["full", {}, ["botanu.environment"]],
  ["full", { tenantId: "eu" }, ["botanu.environment", "botanu.tenant_id"]],
  ["full", { parentRunId: otherRunId }, ["botanu.environment", "botanu.parent_run_id"]]
] as const)("in %s mode a run with %j has its four keys, and %j", (mode, fields, more) => {
  const keys = annotationsOf(makeRun(fields), mode).map(([key]) => key)
  expect(keys).toEqual(["botanu.run_id", "botanu.workflow", "botanu.event_id", "botanu.customer_id", ...more])
})

it.effect("work in a run without a business context has the keys of the run alone", () =>
  Effect.withFiberRuntime((fiber) => {
    const { onLogs, onSpans } = annotated(fiber, makeRun(), "lean")
    return Effect.sync(() => expect([HashMap.size(onLogs), HashMap.size(onSpans)]).toEqual([4, 4]))
  })
)
