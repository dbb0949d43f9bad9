/**
 * Executions that go on in another process, and executions that are over: what counts in each process, and what does not.
 */
import { SqlClient } from "@effect/sql"
import { Activity, DurableDeferred } from "@effect/workflow"
import { Deferred, Effect, Layer, Metric, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { type CompletedRun, Cost, RunExporter } from "../../src/index.js"
import { completedRuns, endedSpans, observed } from "../observed.js"
import { inNewDatabase, useServer } from "../sql/database.js"
import { call } from "../workflow/workflows.js"
import * as Orders from "./storedOrders.js"

const patienceMillis = 60_000

const { execute, toLayer } = Orders.Run

/** What one process does, which starts the engine and ends it, and what is seen of it outside. */
const inProcess = <A, E>(
  program: Effect.Effect<A, E, Effect.Effect.Context<ReturnType<typeof execute>>>,
  live: ReturnType<typeof toLayer<never>>
) =>
  Effect.gen(function* () {
    const started: Array<string> = []
    const exporter = RunExporter.layer({
      export: () => Effect.void,
      started: ({ runId }) => Effect.sync(() => started.push(runId))
    })
    const result = yield* program.pipe(
      Effect.provide(Layer.provideMerge(live, Orders.runEngine)),
      Effect.provide(Layer.merge(Orders.prices, exporter))
    )
    return { result, started, runs: yield* completedRuns, spans: yield* endedSpans }
  }).pipe(Effect.provide(observed))

const send = Activity.make({ name: "send", success: Schema.String, execute: Effect.as(call(1), "sent") })

const onlyOf = ([run, ...more]: ReadonlyArray<CompletedRun>): CompletedRun => {
  if (run === undefined || more.length > 0) throw new Error("expected one completed run")
  return run
}

const marksOf = ({ usages }: CompletedRun) =>
  usages.flatMap(({ usage }) => (usage.errorType === "process_lost" ? [usage.operation] : []))

describe("an execution", () => {
  const inDatabase = inNewDatabase(useServer())

  it(
    "counts what its body called outside of activities in another process before it was suspended",
    () =>
      inDatabase(() =>
        Effect.gen(function* () {
          let calls = 0
          const live = toLayer(() =>
            Effect.gen(function* () {
              yield* call(10)
              calls += 1
              yield* DurableDeferred.await(Orders.Go)
              return yield* send
            })
          )
          yield* inProcess(
            Effect.zipRight(Orders.Run.execute(Orders.order, { discard: true }), Orders.untilSuspended),
            live
          )
          expect(calls).toBeGreaterThan(0)
          const { runs } = yield* inProcess(Effect.zipRight(Orders.go, Orders.Run.execute(Orders.order)), live)
          const run = onlyOf(runs)
          expect(Cost.format(run.totals.usd)).toBe(String(10 * calls + 1))
          expect(marksOf(run)).toEqual([])
        }).pipe(Effect.orDie)
      ),
    patienceMillis
  )

  it(
    "says that what its body called is not known, where the process ended before it was suspended",
    () =>
      inDatabase(() =>
        Effect.gen(function* () {
          const called = yield* Deferred.make<void>()
          const live = toLayer(() =>
            Effect.gen(function* () {
              yield* call(10)
              if (yield* Deferred.succeed(called, undefined)) return yield* Effect.never
              return yield* send
            })
          )
          yield* inProcess(
            Effect.zipRight(Orders.Run.execute(Orders.order, { discard: true }), Deferred.await(called)),
            live
          )
          const { runs } = yield* inProcess(Orders.Run.execute(Orders.order), live)
          const run = onlyOf(runs)
          expect(Cost.format(run.totals.usd)).toBe("11")
          expect(marksOf(run)).toEqual(["Stored Order"])
        }).pipe(Effect.orDie)
      ),
    patienceMillis
  )

  it(
    "that is over adds nothing anywhere, in a process that executes it again",
    () =>
      inDatabase(() =>
        Effect.gen(function* () {
          const live = toLayer(() => Effect.zipRight(call(10), send))
          const first = yield* inProcess(Orders.Run.execute(Orders.order), live)
          expect(first).toMatchObject({ result: "sent", started: [onlyOf(first.runs).run.runId] })
          const sql = yield* SqlClient.SqlClient
          const counted = Effect.all([
            Effect.map(Metric.snapshot, (all) =>
              all
                .filter(({ metricKey }) => metricKey.name.startsWith("botanu"))
                .map((pair) => JSON.stringify(pair, (_, value) => (typeof value === "bigint" ? String(value) : value)))
                .sort()
            ),
            sql`SELECT (SELECT count(*) FROM cluster_messages) AS messages, (SELECT count(*) FROM cluster_replies) AS replies`
          ])
          const before = yield* counted
          expect(before[0].length).toBeGreaterThan(0)
          const again = yield* inProcess(Orders.Run.execute(Orders.order), live)
          expect(again).toMatchObject({ result: "sent", started: [], runs: [] })
          const ours = again.spans.filter(
            ({ attributes, events, name }) =>
              [name, ...Object.keys(attributes), ...events.map((event) => event.name)].some((text) =>
                text.startsWith("botanu")
              ) || name.startsWith("chat")
          )
          expect(ours).toEqual([])
          expect(yield* counted).toEqual(before)
        }).pipe(Effect.orDie)
      ),
    patienceMillis
  )
})
