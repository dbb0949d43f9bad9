/**
 * The lines of a ledger. `lines-v1.jsonl` holds lines as version 1 wrote them: every later version reads them.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Either } from "effect"
import { Cost } from "../../src/index.js"
import { decode, encode, type LedgerLine } from "../../src/ledger/LedgerLine.js"

const stored = readFileSync(new URL("lines-v1.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")

describe("a line of version 1", () => {
  it.each(stored.map((text) => [text.slice(0, 40), text] as const))("%s… is read", (_, text) => {
    const line = Either.getOrThrow(decode(text))
    expect(JSON.parse(encode(line))).toEqual(JSON.parse(text))
  })

  it("is of each type", () => {
    const types = stored.map((text) => Either.getOrThrow(decode(text)).type)
    expect(new Set(types)).toEqual(new Set(["writer", "started", "completed", "amended", "lost"]))
  })

  it("keeps a cost to the last digit", () => {
    const completed = stored
      .map((text) => Either.getOrThrow(decode(text)))
      .filter((line): line is Extract<LedgerLine, { type: "completed" }> => line.type === "completed")
    expect(completed.map((line) => Cost.format(line.completed.totals.usd))).toEqual(["0.000000000000000001", "0.0042"])
  })
})

it("a text that is no line is never an error", () => {
  for (const text of ["", "{", "null", "3", "[]", '{"v":1}', '{"v":"1","type":"lost"}', `{"__proto__":{"v":1}}`]) {
    expect(Either.isLeft(decode(text))).toBe(true)
  }
})
