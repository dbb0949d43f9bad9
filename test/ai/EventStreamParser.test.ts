import { describe, expect, it } from "@effect/vitest"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import { EventStreamParser } from "../../src/ai/EventStreamParser.js"

const utf8 = new TextEncoder()

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes as Uint8Array),
  (text) => utf8.encode(text)
)

const message = (type: string, payload: string): Uint8Array =>
  codec.encode({
    headers: {
      ":content-type": { type: "string", value: "application/json" },
      ":event-type": { type: "string", value: type },
      ":message-type": { type: "string", value: "event" }
    },
    body: utf8.encode(payload)
  })

/** What is read of bytes that come in pieces of a size. */
const readIn = (bytes: Uint8Array, size: number): ReadonlyArray<readonly [type: string, payload: string]> => {
  const events: Array<readonly [string, string]> = []
  const parser = new EventStreamParser((type, payload) => {
    events.push([type, new TextDecoder().decode(payload)])
  })
  for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size))
  return events
}

const joined = (...all: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(all))

describe("EventStreamParser", () => {
  const events = [
    ["messageStart", '{"role":"assistant"}'],
    ["empty", ""],
    ["metadata", '{"usage":{"inputTokens":1}}']
  ] as const

  it("reads events, wherever their bytes are cut", () => {
    const bytes = joined(...events.map(([type, payload]) => message(type, payload)))
    for (let size = 1; size <= bytes.length; size += 1) expect(readIn(bytes, size)).toEqual(events)
  })

  it("skips a message that is too long, and goes on after it", () => {
    const bytes = joined(message("long", "x".repeat(1 << 20)), message("metadata", "{}"))
    for (const size of [1 << 12, 1 << 21]) expect(readIn(bytes, size)).toEqual([["metadata", "{}"]])
  })

  it("reads nothing more after a length that no message has", () => {
    const bytes = joined(message("one", "1"), new Uint8Array(16), message("two", "2"))
    for (const size of [1, 7, bytes.length]) expect(readIn(bytes, size)).toEqual([["one", "1"]])
  })

  it("leaves out a message without a type, or whose headers are longer than it", () => {
    const untyped = codec.encode({ headers: { ":flag": { type: "boolean", value: true } }, body: utf8.encode("{}") })
    const wrong = message("wrong", "{}")
    new DataView(wrong.buffer, wrong.byteOffset).setUint32(4, 1 << 30)
    const bytes = joined(untyped, wrong, message("metadata", "{}"))
    for (const size of [1, bytes.length]) expect(readIn(bytes, size)).toEqual([["metadata", "{}"]])
  })
})
