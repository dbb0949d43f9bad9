/**
 * Many runs at once, interleaved in every way in which a program waits: each span and each log line belongs to its own run.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, HashMap, Logger, Queue, Schedule, Stream } from "effect"
import { Botanu, Propagation, RunContext } from "../src/index.js"
import { RunHttpServer } from "../src/platform/index.js"
import { completedRuns, endedSpans, observed } from "./observed.js"
import { request, serving } from "./platform/servers.js"

const patienceMillis = 120_000
const count = 500

interface LogLine {
  readonly mine: string
  readonly annotations: Record<string, unknown>
}

const turn = (times: number) => async () => {
  for (let n = 0; n < times; n++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Says on a span and in the log whose work this is. */
const mark = (mine: string) => Effect.log(mine).pipe(Effect.withSpan("mark", { attributes: { mine } }))

/** Work that waits in many ways, and says whose it is after each. */
const work = (mine: string, n: number, hub: Queue.Queue<Deferred.Deferred<void>>, url: string) =>
  Effect.gen(function* () {
    const said = mark(mine)
    const answer = yield* Deferred.make<void>()
    const ways = [
      Effect.zipRight(Effect.promise(turn(1 + (n % 5))), said),
      Effect.zipRight(Effect.sleep(n % 7), said),
      Effect.repeat(Effect.zipRight(Effect.yieldNow(), said), Schedule.recurs(2)),
      Stream.range(1, 3).pipe(
        Stream.mapEffect((n) => Effect.zipRight(Effect.sleep(n % 2), said), { concurrency: 2 }),
        Stream.merge(Stream.fromEffect(said)),
        Stream.runDrain
      ),
      Effect.zipRight(Queue.offer(hub, answer), Effect.zipRight(Deferred.await(answer), said)),
      Effect.flatMap(Effect.forkDaemon(Effect.zipRight(Effect.yieldNow(), said)), Fiber.join),
      Effect.flatMap(Propagation.inject, (headers) => request(`${url}/${encodeURIComponent(mine)}`, { headers }))
    ]
    yield* Effect.all(ways, { concurrency: "unbounded", discard: true })
  })

describe(`${count} runs at once`, () => {
  it.scopedLive(
    "never put anything on the spans and log lines of another",
    () => {
      const lines: Array<LogLine> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ annotations, message }) => {
          lines.push({ mine: String(message), annotations: Object.fromEntries(HashMap.toEntries(annotations)) })
        })
      )
      return Effect.gen(function* () {
        // The server works in the runs that it is sent, and so each answers for itself.
        const app = Effect.gen(function* () {
          const { eventId } = yield* RunContext
          yield* Effect.zipRight(Effect.sleep(1), mark(eventId))
          return HttpServerResponse.empty()
        }).pipe(
          RunHttpServer.middleware({
            inbound: "trusted",
            orElse: () => ({ workflow: "No run came in", eventId: "none", customerId: "none" })
          }),
          Effect.orDie
        )
        const url = yield* serving(HttpServer.serve(app))
        const hub = yield* Queue.unbounded<Deferred.Deferred<void>>()
        const outside = Effect.flatMap(Queue.take(hub), (answer) =>
          Effect.zipRight(mark("outside"), Deferred.succeed(answer, undefined))
        )
        yield* Effect.forkScoped(Effect.forever(outside))
        const events = Array.from({ length: count }, (_, n) => `event ${n}`)
        yield* Effect.forEach(
          events,
          (mine, n) => work(mine, n, hub, url).pipe(Botanu.workflow("W", { eventId: mine, customerId: `of ${mine}` })),
          { concurrency: "unbounded", discard: true }
        )
        const runs = new Map((yield* completedRuns).map(({ run }) => [run.eventId, run.runId]))
        expect(runs.size).toBe(count)

        const carried = (of: Record<string, unknown>) => [
          of["botanu.run_id"],
          of["botanu.event_id"],
          of["botanu.customer_id"]
        ]
        const own = (mine: string) =>
          mine === "outside" ? [undefined, undefined, undefined] : [runs.get(mine), mine, `of ${mine}`]
        const marks = (yield* endedSpans).filter(({ name }) => name === "mark")
        // Eleven of each run, one of the server's in it, and one of the worker outside.
        expect([marks.length, lines.length]).toEqual([count * 13, count * 13])
        for (const { attributes } of marks) expect(carried(attributes)).toEqual(own(String(attributes["mine"])))
        for (const { annotations, mine } of lines) expect(carried(annotations)).toEqual(own(mine))
      }).pipe(Effect.provide([observed, logger]))
    },
    patienceMillis
  )
})
