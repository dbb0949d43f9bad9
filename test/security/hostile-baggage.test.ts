/**
 * A server under a flood of baggage that is meant to harm it.
 */
import { type HttpApp, HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import { Botanu, Propagation, RunContext, RunId } from "../../src/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { Key } from "../../src/wire/Wire.js"
import { collectGarbage } from "../heap.js"
import { serving } from "../platform/servers.js"
import { type RequestHeaders, sendAll } from "./traffic.js"

const generator = RunId.makeGenerator()
const newId = () => generator.unsafeMake(Date.now())

const membersOf = (runId: string) => [
  `botanu.run_id=${runId}`,
  "botanu.workflow=Customer%20Support",
  "botanu.event_id=ticket-42",
  "botanu.customer_id=bigretail"
]

const repeated = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes)

/** Node answers requests with more than 16 KiB of headers itself. */
const nearlyTooMuch = 15_000
const tooMuch = 17_000

const hostile: ReadonlyArray<(runId: string) => RequestHeaders> = [
  // Oversized.
  (runId) => ({ baggage: `${membersOf(runId).join(",")},large=${"x".repeat(nearlyTooMuch)}` }),
  (runId) => ({ baggage: `large=${"x".repeat(nearlyTooMuch)},${membersOf(runId).join(",")}` }),
  (runId) => ({ baggage: membersOf(`${runId}${"0".repeat(nearlyTooMuch)}`).join(",") }),
  () => ({ baggage: repeated("%", nearlyTooMuch) }),
  () => ({ baggage: repeated("a=1;", nearlyTooMuch) }),
  // Too many.
  (runId) => ({ baggage: Array.from({ length: 250 }, () => membersOf(runId)[0] ?? "") }),
  () => ({ baggage: Array.from({ length: 1000 }, (_, index) => `k${index}`) }),
  (runId) => ({ baggage: [...Array.from({ length: 900 }, () => "a="), ...membersOf(runId)] }),
  (runId) => ({ baggage: [...repeated(",", 5000).split(","), ...membersOf(runId)].slice(0, 900) }),
  (runId) => ({
    baggage: `${Array.from({ length: 2000 }, (_, index) => `${index}=`).join(",")},${membersOf(runId).join(",")}`
  }),
  (runId) => ({ baggage: `${membersOf(runId).join(";p=1,")}${";p=%ff".repeat(1000)}` }),
  () => ({ baggage: repeated(";", nearlyTooMuch) }),
  // Malformed.
  (runId) => ({ baggage: membersOf(runId).join(",").replaceAll("=", "=%") }),
  () => ({
    baggage: Object.values(Key)
      .map((key) => `${key}=%`)
      .join(",")
  }),
  () => ({
    baggage: Object.values(Key)
      .map((key) => `${key}=%c0%8a%E0%80`)
      .join(",")
  }),
  (runId) => ({
    baggage: [...membersOf(runId), "botanu.attempt=1e3", "botanu.deadline=nan", "botanu.cancelled=yes"].join(",")
  }),
  (runId) => ({
    baggage: [...membersOf(runId), "botanu.deadline=8640000000000000", "botanu.attempt=999999"].join(",")
  }),
  (runId) => ({ baggage: membersOf(runId).toSpliced(0, 1).join(",") }),
  // Names of what every object has.
  (runId) => ({
    baggage: ["__proto__=polluted;__proto__=polluted", "constructor=polluted", "toString=polluted", ...membersOf(runId)]
  }),
  (runId) => ({
    baggage: membersOf(runId).join(","),
    ["__proto__"]: "polluted",
    constructor: "polluted",
    hasownproperty: "polluted"
  }),
  (runId) => ({
    baggage: membersOf(runId)
      .map((member) => member.replace("botanu.", "__proto__."))
      .join(",")
  })
]

/** Every key of a run is a kind of warning, and what was dropped is one. */
const kinds = Object.keys(Key).length + 1

const sendingOn = Effect.as(
  Effect.flatMap(RunContext, () => Propagation.inject),
  HttpServerResponse.text("done")
)

const server = (inbound: "trusted" | "untrusted", app: HttpApp.Default<never, RunContext> = sendingOn) =>
  RunHttpServer.middleware({
    inbound,
    orElse: () => ({ workflow: "Request", eventId: "request", customerId: "own" })
  })(app).pipe(Effect.orDie, HttpServer.serve(HttpMiddleware.logger))

const silent = Logger.remove(Logger.defaultLogger)

const isPolluted = () => {
  const names: Array<string> = []
  for (const name in {}) names.push(name)
  return names.length > 0 || Object.getPrototypeOf({}) !== Object.prototype || "polluted" in {}
}

describe("a server that believes everyone", () => {
  it.scopedLive(
    "answers ordinary requests among 10,000 hostile ones, and logs little of them",
    () =>
      Effect.gen(function* () {
        const warnings: Array<string> = []
        const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
          if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) warnings.push(String(message))
        })
        const origin = yield* serving(server("trusted")).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        // Every tenth request is an ordinary one.
        const ordinary = new Map<number, string>()
        const requests = Array.from({ length: 11_111 }, (_, index): RequestHeaders => {
          const runId = newId()
          if (index % 10 !== 0) return hostile[index % hostile.length]?.(runId) ?? {}
          ordinary.set(index, runId)
          return { baggage: membersOf(runId).join(",") }
        })
        const begun = performance.now()
        const answers = yield* sendAll(origin, requests)
        const seconds = (performance.now() - begun) / 1000
        expect(requests.length - ordinary.size).toBeGreaterThanOrEqual(9_999)
        for (const [index, { headers, status }] of answers.entries()) {
          if (status !== 200) expect([index % hostile.length, status]).toBe(200)
          const runId = ordinary.get(index)
          if (runId !== undefined) {
            expect([headers["x-botanu-run-id"], headers["x-botanu-workflow"]]).toEqual([runId, "Customer%20Support"])
          }
        }
        expect(isPolluted()).toBe(false)
        expect(warnings.length).toBeGreaterThan(0)
        expect(warnings.length).toBeLessThanOrEqual(kinds * (seconds + 1))
        expect(Math.max(...warnings.map((warning) => warning.length))).toBeLessThan(3000)
        // Those that were left out are counted by the next one of their kind.
        yield* Effect.sleep("1 second")
        requests.push({ baggage: "botanu.attempt=none" })
        yield* sendAll(origin, requests.slice(-1))
        const reported = warnings.map((warning) => {
          const report = /botanu\.attempt: [^;(]*(?:\((\d+) more like it were not logged\))?/.exec(warning)
          return report === null ? 0 : 1 + Number(report[1] ?? 0)
        })
        const bad = requests.filter(({ baggage }) => /botanu\.attempt=(?!9)/.test(String(baggage)))
        expect(bad.length).toBeGreaterThan(1000)
        expect(reported.reduce((sum, count) => sum + count)).toBe(bad.length)
      }),
    60_000
  )

  it.scopedLive("outlives requests that Node itself refuses", () =>
    Effect.gen(function* () {
      const origin = yield* Effect.provide(serving(server("trusted")), silent)
      const requests = Array.from({ length: 200 }, () => ({ baggage: "x".repeat(tooMuch) }))
      const answers = yield* sendAll(origin, requests)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([431]))
      const runId = newId()
      const [answer] = yield* sendAll(origin, [{ baggage: membersOf(runId).join(",") }])
      expect(answer).toMatchObject({ status: 200, headers: { "x-botanu-run-id": runId } })
    })
  )
})

describe.each(["trusted", "untrusted"] as const)("a server whose inbound is %s", (inbound) => {
  it.scopedLive(
    "keeps nothing of the requests that it has answered",
    () =>
      Effect.gen(function* () {
        const app = Effect.zipRight(
          sendingOn.pipe(Botanu.workflow("Child", { eventId: "event", customerId: "customer" }), Effect.orDie),
          sendingOn
        )
        const origin = yield* Effect.provide(serving(server(inbound, app)), silent)
        const bytesOfText = 4000
        const requests = 700
        const heapAfter = Effect.gen(function* () {
          const all = Array.from({ length: requests }, (_, index) => {
            const runId = newId()
            const text = `${runId}-${"x".repeat(bytesOfText)}`
            const members = membersOf(runId).toSpliced(1, 1, `botanu.workflow=${runId}`)
            return {
              baggage: [...members, `partner=${text};${runId}`, `botanu.deadline=${runId}`, `${runId}=1`].join(","),
              tracestate: `vendor=${runId}`,
              ...(index % 2 === 0 ? { b3: `${runId}-${text}-1` } : { traceparent: `00-${text}-b7ad6b7169203331-01` })
            }
          })
          const answers = yield* sendAll(origin, all)
          expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        }).pipe(
          Effect.zipRight(Effect.sleep("20 millis")),
          Effect.map(() => {
            collectGarbage()
            return process.memoryUsage().heapUsed
          })
        )
        yield* heapAfter
        const before = yield* heapAfter
        const after = yield* heapAfter
        expect(after - before).toBeLessThan((requests * bytesOfText) / 4)
      }),
    60_000
  )
})
