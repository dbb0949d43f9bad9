/**
 * Records as JSON: the same as `JSON.stringify` makes of them.
 */
import { Arbitrary, BigDecimal, DateTime, FastCheck, type Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Cost } from "../../src/index.js"
import { encode, type LedgerLine, OutcomeAmendment } from "../../src/ledger/LedgerLine.js"
import * as LineText from "../../src/ledger/LineText.js"
import { CompletedRun } from "../../src/lifecycle/CompletedRun.js"
import { Run } from "../../src/run/Run.js"

describe("the text of a line", () => {
  it.each([
    ["completed runs", CompletedRun],
    ["runs", Run],
    ["amendments", OutcomeAmendment]
  ] as const)("is what JSON.stringify makes of %s", (_, schema) =>
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(schema as Schema.Schema<unknown>), (record) => {
        expect(LineText.of({ v: 1, record })).toBe(JSON.stringify({ v: 1, record }))
      }),
      { numRuns: 100 }
    )
  )

  it.each([
    ["completed runs", CompletedRun, (completed: unknown) => ({ v: 1, type: "completed", completed })],
    ["starts", Run, (run: unknown) => ({ v: 1, type: "started", run })],
    ["amendments", OutcomeAmendment, (amendment: unknown) => ({ v: 1, type: "amended", amendment })]
  ] as const)("says what JSON.stringify says of %s", (_, schema, lineOf) =>
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(schema as Schema.Schema<unknown>), (record) => {
        const line = lineOf(record)
        expect(JSON.parse(encode(line as LedgerLine))).toEqual(JSON.parse(JSON.stringify(line)))
      }),
      { numRuns: 100 }
    )
  )

  it("is what JSON.stringify makes of any plain value", () =>
    FastCheck.assert(
      FastCheck.property(FastCheck.anything({ withBigInt: false, maxDepth: 3 }), (value) => {
        expect(LineText.of(value)).toBe(JSON.stringify(value))
      }),
      { numRuns: 500 }
    ))

  it.each([
    -1, 0, 1, -86_400_001, 951_827_696_789, 1_795_000_000_000, 1_795_000_000_000.5, 253_402_300_800_000,
    -62_198_755_200_000, 8_640_000_000_000_000
  ])("has the instant %d as JSON.stringify has it", (millis) => {
    const time = DateTime.unsafeMake(millis)
    for (const value of [time, [time, DateTime.unsafeMake(0), time]]) {
      expect(LineText.of({ value })).toBe(JSON.stringify({ value }))
    }
  })

  it("has lone surrogates, controls and names of fields escaped", () => {
    for (const text of ["\ud800", "a\udc00b", "\u0000", '"', "\\", "\u2028", "é", "😀"]) {
      expect(LineText.of({ [text]: text })).toBe(JSON.stringify({ [text]: text }))
    }
  })

  it("has amounts as their normal decimal text", () =>
    FastCheck.assert(
      FastCheck.property(
        FastCheck.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
        FastCheck.integer({ min: -5, max: 40 }),
        (value, scale) => {
          const text = Cost.format(BigDecimal.make(value, scale))
          expect(text).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d*[1-9])?)$/)
          expect(BigDecimal.equals(BigDecimal.unsafeFromString(text), BigDecimal.make(value, scale))).toBe(true)
        }
      )
    ))
})
