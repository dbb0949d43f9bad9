/**
 * How many runs of unsettled events a compacted day notes.
 */
import { expect, it } from "vitest"
import * as UnsettledRuns from "../../src/store/UnsettledRuns.js"

it("notes as many as the day has runs, and 10,000 of a smaller day", () => {
  expect([0, 3, 10_000].map((unsettled) => UnsettledRuns.notedOf(unsettled, 5))).toEqual([0, 3, 10_000])
  expect(UnsettledRuns.notedOf(10_001, 5)).toBeUndefined()
  expect(UnsettledRuns.notedOf(20_000, 20_000)).toBe(20_000)
  expect(UnsettledRuns.notedOf(20_001, 20_000)).toBeUndefined()
})
