/**
 * No text that comes in reaches a response header or a log line as more than text.
 */
import { HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { BotanuConfig, Propagation, RunContext } from "../../src/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { Key } from "../../src/wire/Wire.js"
import { endedSpans, observed } from "../observed.js"
import { request, serving } from "../platform/servers.js"
import { runId } from "../runs.js"
import { exchange, type RawAnswer } from "./socket.js"
import { writingTo } from "./witness.js"

const sound: Readonly<Record<string, string>> = {
  [Key.runId]: runId,
  [Key.workflow]: "Customer%20Support",
  [Key.eventId]: "ticket-42",
  [Key.customerId]: "bigretail"
}

const baggageOf = (members: Readonly<Record<string, string>>): string =>
  Object.entries(members)
    .map(([key, value]) => `${key}=${value}`)
    .join(",")

/** A server that believes everyone, and what it logs and sends on. Its log begins anew with each: it has a clock of its own. */
const believing = Effect.gen(function* () {
  const lines: Array<string> = []
  const sent: Array<string> = []
  const handler = Effect.serviceOption(RunContext).pipe(
    Effect.flatMap(Effect.transposeMapOption((run) => Effect.provideService(Propagation.inject, RunContext, run))),
    Effect.tap((headers) => {
      sent.push(JSON.stringify(headers))
      return Effect.log("at work")
    }),
    Effect.as(HttpServerResponse.text("done")),
    Effect.withSpan("work")
  )
  const app = Effect.orDie(RunHttpServer.middleware({ inbound: "trusted" })(handler))
  const origin = yield* serving(HttpServer.serve(app, HttpMiddleware.logger)).pipe(
    Effect.provide([writingTo(lines), BotanuConfig.layerOf({ environment: "test", propagationMode: "full" })]),
    Effect.withClock(Clock.make())
  )
  return { origin, lines, sent }
})

const ownHeaders = [
  "content-type",
  "content-length",
  "date",
  "connection",
  "keep-alive",
  "x-botanu-run-id",
  "x-botanu-workflow"
]

/** What a response may consist of: headers that were meant to be there, of visible characters. */
const expectHarmless = ({ headerLines }: RawAnswer) => {
  for (const line of headerLines) {
    expect(line).toMatch(/^[\x20-\x7e]*$/)
    expect(ownHeaders).toContain(line.slice(0, line.indexOf(":")).toLowerCase())
  }
}

/** Percent-encoded, so that it comes through any proxy. */
const encodedTexts: Readonly<Record<string, string>> = {
  CRLF: "%0d%0ax-injected:%201",
  "an empty line": "%0D%0A%0D%0A<html>",
  LF: "%0ax-injected:%201",
  CR: "%0dx-injected:%201",
  NUL: "%00",
  tab: "%09",
  "an escape sequence of a terminal": "%1b[2J",
  DEL: "%7f",
  "a new line of C1": "%c2%85x-injected:%201",
  "a control sequence introducer of C1": "%c2%9b2J",
  "a line separator": "%e2%80%a8x-injected:%201",
  "a paragraph separator": "%e2%80%a9x-injected:%201",
  "an overlong CRLF": "%c0%8d%c0%8ax-injected:%201",
  "an overlong LF of three bytes": "%e0%80%8a",
  "a surrogate": "%ed%a0%80",
  "bytes that are not UTF-8": "%ff%fe%0a",
  "CRLF, encoded twice": "%250d%250a",
  "CRLF, encoded as nothing decodes it": "%u000d%u000a%0%a"
}

describe("text that comes in percent-encoded", () => {
  it.scopedLive.each(Object.entries(encodedTexts))("is harmless: %s", ([, text]) =>
    Effect.gen(function* () {
      const { lines, origin, sent } = yield* believing
      const requests = [
        ...Object.values(Key).map((key) => baggageOf({ ...sound, [key]: `${sound[key] ?? ""}${text}` })),
        baggageOf({ ...sound, partner: text }),
        baggageOf({ ...sound, partner: `value;property=${text}` }),
        baggageOf({ ...sound, [`partner${text}`]: "value" }),
        baggageOf({ ...sound, partner: `value;property${text}` })
      ]
      for (const baggage of requests) {
        const answer = yield* exchange(origin, [`baggage: ${baggage}`])
        expect(answer.status).toBe(200)
        expectHarmless(answer)
      }
      expect(lines.filter((line) => line.includes("at work"))).toHaveLength(3 * requests.length)
      for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u)
      // What is refused is quoted, and so escaped.
      const warnings = lines.filter((line) => line.includes("incoming baggage"))
      for (const key of ["run_id", "parent_run_id", "root_run_id", "attempt", "retry_of_run_id", "deadline"]) {
        expect(warnings.join()).toContain(`botanu.${key}: expected`)
      }
      for (const line of warnings) expect(line).toMatch(/^[\x20-\x7e\ufffd]*$/)
      for (const headers of sent) expect(headers).toMatch(/^[\x20-\x7e]*$/)
      const attributes = (yield* endedSpans).flatMap(({ attributes }) => Object.values(attributes))
      for (const attribute of attributes) expect(String(attribute)).not.toMatch(/\p{Cc}/u)
    }).pipe(Effect.provide(observed))
  )
})

describe("bytes that come in raw", () => {
  it.scopedLive("are refused by Node, or harmless", () =>
    Effect.gen(function* () {
      const { lines, origin } = yield* believing
      const refused: Array<number> = []
      for (let byte = 0; byte < 256; byte += 1) {
        const character = String.fromCharCode(byte)
        for (const workflow of [`Support${character}x-injected: 1`, `${character}`]) {
          const before = lines.length
          const answer = yield* exchange(origin, [`baggage: ${baggageOf({ ...sound, [Key.workflow]: workflow })}`])
          expectHarmless(answer)
          if (answer.status !== 200) {
            expect(answer.status).toBe(400)
            // Node itself closes the connection, and asks nobody.
            expect(lines).toHaveLength(before)
            refused.push(byte)
          }
        }
      }
      for (const byte of refused) expect(String.fromCharCode(byte)).toMatch(/\p{Cc}/u)
      for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u)
    })
  )

  it.scopedLive("are harmless in a header that is folded, repeated, or torn apart", () =>
    Effect.gen(function* () {
      const { lines, origin } = yield* believing
      const hostile: ReadonlyArray<ReadonlyArray<string>> = [
        [`baggage: ${baggageOf(sound)}`, "\tx-injected: 1"],
        [`baggage: ${baggageOf(sound)},`, " botanu.workflow=Folded"],
        [`baggage: ${baggageOf(sound)}\n\nx-injected: 1`],
        ["baggage:", `BaGgAgE: ${baggageOf(sound)}`, "baggage: =;=,;;,,="],
        ["baggage: botanu.run_id", `baggage: =${runId}`],
        [`baggage: ${baggageOf(sound)}`, `x-botanu-run-id: ${"a".repeat(100)}`, "x-botanu-workflow: %0d%0a"],
        ["baggage : a=1"],
        ["__proto__: botanu.run_id=1", "constructor: 1", "baggage: __proto__=1,constructor=2"]
      ]
      for (const headerLines of hostile) {
        const answer = yield* exchange(origin, headerLines)
        expect([200, 400]).toContain(answer.status)
        expectHarmless(answer)
        expect(answer.headerLines.join()).not.toMatch(/%0d|aaa|folded/i)
      }
      for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u)
      expect(yield* request(origin, { headers: { baggage: baggageOf(sound) } })).toMatchObject({
        status: 200,
        headers: { "x-botanu-run-id": runId }
      })
    })
  )
})
