/**
 * Trace headers of a client that is not believed, whatever stands in them, are no part of the traces in which the server works.
 */
import { FetchHttpClient, HttpClient, HttpServer, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { endedSpans, observed } from "../observed.js"
import { linesOf, type Received, receiver } from "../platform/receiver.js"
import { serving } from "../platform/servers.js"
import { exchange } from "./socket.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"
const zeros = "0".repeat(32)

const hostile: Readonly<Record<string, ReadonlyArray<string>>> = {
  "sound ids": [`traceparent: 00-${traceId}-${spanId}-01`],
  "a sender that is not sampled": [`traceparent: 00-${traceId}-${spanId}-00`],
  "sound ids in b3": [`b3: ${traceId}-${spanId}-1`],
  "b3 that denies sampling": [`b3: ${traceId}-${spanId}-0`],
  "sound ids in several headers": [`x-b3-traceid: ${traceId}`, `x-b3-spanid: ${spanId}`, "x-b3-sampled: 0"],
  "baggage in place of ids": ["b3: botanu.customer_id=spoofed-spoofed-1"],
  "baggage in place of ids, in several headers": ["x-b3-traceid: botanu.customer_id=spoofed", "x-b3-spanid: spoofed"],
  "ids of zeros": [`traceparent: 00-${zeros}-${zeros.slice(16)}-01`, `b3: ${zeros}-${zeros.slice(16)}-1`],
  "ids in upper case": [`traceparent: 00-${traceId.toUpperCase()}-${spanId.toUpperCase()}-01`],
  "ids that are too short": ["traceparent: 00-0af7-b7ad-01", "b3: 0af7-b7ad"],
  "nothing but hyphens": ["traceparent: ---", "b3: --", "x-b3-traceid: -", "x-b3-spanid: -"],
  "empty headers": ["traceparent:", "b3:", "x-b3-traceid:", "tracestate:"],
  "another version": [`traceparent: ff-${traceId}-${spanId}-01`, `traceparent: 01-${traceId}-${spanId}-01-spoofed`],
  "two senders": [`traceparent: 00-${traceId}-${spanId}-01`, `traceparent: 00-${traceId}-${spanId}-00`],
  "ten thousand senders": [`traceparent: ${`00-${traceId},`.repeat(370)}`],
  "a long value": [`traceparent: 00-${"a".repeat(15_000)}-${spanId}-01`],
  "a long value of b3": [`b3: ${"a-".repeat(7_000)}`],
  "bytes that are not ASCII": [
    "traceparent: 00-\xff\xfe-\x80-01",
    "b3: \xc3\xa9-\xe2\x80\xa8-1",
    "tracestate: \xff=\xff"
  ],
  "tracestate alone": ["tracestate: botanu.customer_id=spoofed"],
  "tracestate beside ids": [
    `traceparent: 00-${traceId}-${spanId}-01`,
    "tracestate: botanu.customer_id=spoofed,a=b=c,,="
  ],
  "names of what every object has": ["__proto__: b3", "b3: __proto__-constructor-1"]
}

const lineOf = (name: string, received: Received) => linesOf(name, received).join()

/** Sends a request with each of these headers to an edge, whose handler calls another server as any client does. */
const outgoing = (options: RunHttpServer.Options, isLinked: boolean, headerLines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const other = yield* receiver()
    const handler = Effect.flatMap(HttpClient.HttpClient, (client) => Effect.scoped(client.get(other.origin))).pipe(
      Effect.withSpan("work"),
      Effect.as(HttpServerResponse.text("done")),
      Effect.orDie,
      Effect.provide(FetchHttpClient.layer)
    )
    const server = HttpServer.serve(RunHttpServer.middleware(options)(handler))
    const origin = yield* serving(isLinked ? RunHttpServer.withLinkedTraces(server) : server)
    const answers = [yield* exchange(origin, headerLines), yield* exchange(origin, headerLines)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(other.received).toHaveLength(2)
    return other.received
  }).pipe(Effect.scoped)

const tracers = { "OpenTelemetry's tracer": observed, "Effect's tracer": Layer.empty }

describe.each(Object.entries(tracers))("with %s", (_, tracer) => {
  for (const isLinked of [false, true]) {
    it.live.each(Object.entries(hostile))(
      `nothing goes on of %s${isLinked ? ", withLinkedTraces" : ""}`,
      ([, headerLines]) =>
        Effect.gen(function* () {
          for (const inbound of ["untrusted", () => Effect.succeed(false)] as const) {
            const received = yield* outgoing({ inbound }, isLinked, headerLines)
            const traceIds = received.map((request) => {
              const traceparent = lineOf("traceparent", request)
              expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
              expect(lineOf("b3", request)).toMatch(/^[0-9a-f]{32}-[0-9a-f]{16}-1-[0-9a-f]{16}$/)
              expect(JSON.stringify(request.rawHeaders)).not.toMatch(new RegExp(`spoofed|${traceId}|${spanId}`, "i"))
              return traceparent.slice(3, 35)
            })
            // No two requests are in one trace.
            expect(new Set([...traceIds, zeros]).size).toBe(3)
          }
        }).pipe(Effect.provide(tracer))
    )
  }

  it.live.each(Object.entries(hostile))(
    "a believed sender is followed only where it has sound ids: %s",
    ([, headerLines]) =>
      Effect.gen(function* () {
        for (const request of yield* outgoing({ inbound: "trusted" }, true, headerLines)) {
          expect(lineOf("traceparent", request)).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
          expect(JSON.stringify(request.rawHeaders)).not.toContain("spoofed")
        }
      }).pipe(Effect.provide(tracer))
  )
})

describe("a sender that is not sampled", () => {
  it.live("does not decide what is seen of the work on its request", () =>
    Effect.gen(function* () {
      for (const header of [
        "a sender that is not sampled",
        "b3 that denies sampling",
        "sound ids in several headers"
      ]) {
        yield* outgoing({ inbound: "untrusted" }, true, hostile[header] ?? [])
      }
      const spans = yield* endedSpans
      expect(spans.filter(({ name }) => name === "work")).toHaveLength(6)
      const servers = spans.filter(({ name }) => name === "http.server GET")
      expect(servers.map(({ links }) => links.map(({ context }) => context.spanId))).toEqual(
        Array.from({ length: 6 }, () => [spanId])
      )
    }).pipe(Effect.provide(observed))
  )
})
