/**
 * Executions that a version of before has started go on: without runs, and with the runs of each version.
 * `RECORD=v1 npx vitest run test/cluster/versions.test.ts` writes the rows `stored-v1.json` with this version. A new stored form gets a
 * new name.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { Cost } from "../../src/index.js"
import { completedRuns, endedSpans, observed } from "../observed.js"
import { inNewDatabase, useServer } from "../sql/database.js"
import * as Orders from "./storedOrders.js"

const file = (name: string) => new URL(`stored-${name}.json`, import.meta.url)
const patienceMillis = 60_000

describe("an execution that was started", () => {
  const inDatabase = inNewDatabase(useServer())

  /** Goes on with the stored order on this version. */
  const resumed = (name: string, live = Orders.runLive) =>
    inDatabase(() =>
      Effect.gen(function* () {
        // The first engine makes the tables.
        yield* Effect.provide(Effect.void, Orders.plainEngine)
        yield* Orders.store(readFileSync(file(name), "utf8"))
        const result = yield* Effect.zipRight(Orders.go, Orders.Run.execute(Orders.order)).pipe(
          Effect.provide(Layer.provideMerge(live, Orders.runEngine)),
          Effect.provide(Orders.prices)
        )
        return { result, runs: yield* completedRuns, spans: yield* endedSpans }
      }).pipe(Effect.scoped, Effect.provide(observed), Effect.orDie)
    )

  it(
    "before its workflow was one of runs becomes a run when it goes on",
    async () => {
      const { result, runs } = await resumed("plain")
      expect(result).toBe("a draft, sent")
      expect(runs.map(({ run, status }) => [run.eventId, status])).toEqual([["order-7", "success"]])
      // The call of the first activity was made where nothing recorded it.
      expect(Cost.format(runs[0]?.totals.usd ?? never())).toBe("10")
    },
    patienceMillis
  )

  it(
    "by version 1 keeps its run, and what that consumed",
    async () => {
      const { result, runs, spans } = await resumed("v1")
      expect(result).toBe("a draft, sent")
      const text = readFileSync(file("v1"), "utf8")
      const [completed] = runs
      expect(runs.length).toBe(1)
      expect(text).toContain(completed?.run.runId)
      expect(text).toContain(completed?.traceId)
      expect(completed?.run.startTime.epochMillis).toBeLessThan(Date.now() - 60_000)
      expect(Cost.format(completed?.totals.usd ?? never())).toBe("20")
      const own = spans.filter(({ name }) => name === "botanu.run/Stored Order")
      expect(own.map((span) => span.spanContext().traceId)).toEqual([completed?.traceId])
      expect(text).toContain(own[0]?.spanContext().spanId)
    },
    patienceMillis
  )

  it(
    "by version 1 counts what its body called outside of activities, before it was stored and after",
    async () => {
      let entries = 0
      const { result, runs } = await resumed(
        "v1-body",
        Orders.outsideLive(() => {
          entries += 1
        })
      )
      expect(result).toBe("a draft, sent")
      const text = readFileSync(file("v1-body"), "utf8")
      expect(text).toContain("botanu/body/1/1")
      const storedEntries = text.match(/"message_id": ".*botanu\/body\/\d+\/1"/g) ?? []
      expect(runs.length).toBe(1)
      expect(Cost.format(runs[0]?.totals.usd ?? never())).toBe(String(20 + 100 * (storedEntries.length + entries)))
      const marks = runs[0]?.usages.filter(({ usage }) => usage.errorType === "process_lost")
      expect(marks).toEqual([])
    },
    patienceMillis
  )

  const kinds = {
    plain: Layer.provideMerge(Orders.plainLive, Orders.plainEngine),
    v1: Layer.provideMerge(Orders.runLive, Orders.runEngine),
    "v1-body": Layer.provideMerge(
      Orders.outsideLive(() => {}),
      Orders.runEngine
    )
  }
  const name = process.env["RECORD"] as keyof typeof kinds | undefined
  if (name !== undefined) {
    it("is written down", async () => {
      const text = await inDatabase(() =>
        Effect.gen(function* () {
          const { execute } = name === "plain" ? Orders.Plain : Orders.Run
          yield* (execute(Orders.order, { discard: true }) as Effect.Effect<string>).pipe(Effect.withSpan("the caller"))
          yield* Orders.untilSuspended
          return yield* Orders.stored
        }).pipe(Effect.provide(kinds[name]), Effect.provide(Orders.prices), Effect.provide(observed), Effect.orDie)
      )
      writeFileSync(file(name), `${text}\n`)
    })
  }
})

const never = (): never => {
  throw new Error("expected a completed run")
}
