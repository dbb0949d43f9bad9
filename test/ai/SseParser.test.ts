import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { SseParser } from "../../src/ai/SseParser.js"

const read = (parts: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const events: Array<string> = []
  const reader = new SseParser((data) => events.push(data))
  for (const part of parts) reader.push(part)
  return events
}

const bytes = (text: string) => new TextEncoder().encode(text)

describe("EventReader", () => {
  it("reads the same events however their bytes are cut into pieces", () => {
    const line = FastCheck.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[\r\n]/.test(text))
    const event = FastCheck.record({
      name: FastCheck.option(line, { nil: undefined }),
      lines: FastCheck.array(line, { minLength: 1, maxLength: 3 }),
      end: FastCheck.constantFrom("\n", "\r\n"),
      space: FastCheck.constantFrom("", " ")
    })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(event, { maxLength: 5 }),
        FastCheck.array(FastCheck.nat(7), { maxLength: 100 }),
        (events, sizes) => {
          const text = events
            .map(({ end, lines, name, space }) => {
              const named = name === undefined ? [] : [`event: ${name}`]
              return [...named, ": comment", ...lines.map((line) => `data: ${line}`), "", ""]
                .join(end)
                .replaceAll("data: ", `data:${space}`)
            })
            .join("")
          const all = bytes(text)
          const parts: Array<Uint8Array> = []
          let at = 0
          for (const size of sizes) {
            parts.push(all.subarray(at, at + size))
            at += size
          }
          parts.push(all.subarray(at))
          const sent = events.map(({ lines, space }) =>
            lines.map((line) => (space === "" && line.startsWith(" ") ? line.slice(1) : line)).join("\n")
          )
          expect(read(parts)).toEqual(sent)
        }
      )
    )
  })

  it("joins the data of an event, and takes no notice of other fields", () => {
    expect(read([bytes("event: x\nid: 1\ndata: a\ndata:b\n: c\n\ndata: c\r\n\r\ndata: never ended")])).toEqual([
      "a\nb",
      "c"
    ])
  })

  it("passes over what is too long to be kept, and reads on after it", () => {
    const long = "x".repeat(3_000_000)
    expect(read([bytes(`data: ${long}`), bytes(`${long}\n\ndata: next\n\n`)])).toEqual(["next"])
    const many = "data: 12345678901234567890\n".repeat(100_000)
    expect(read([bytes(`${many}\ndata: next\n\n`)])).toEqual(["next"])
  })
})
