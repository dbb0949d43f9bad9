import { describe, expect, it } from "@effect/vitest"
import { DateTime } from "effect"
import { Figures, TerminalText } from "../../src/report/index.js"
import { usd } from "../usages.js"

describe("an amount that stands alone", () => {
  it.each([
    ["4316.67", "4,316.67"],
    ["1234567.891", "1,234,567.89"],
    ["1", "1.00"],
    ["0.99999", "1.0000"],
    ["0.0319", "0.0319"],
    ["0.001", "0.0010"],
    ["0.00099", "0.00099"],
    ["0.00013", "0.00013"],
    ["0.000128", "0.00013"],
    ["0.0000004567", "0.00000046"],
    ["0", "0"],
    ["-2.5", "−2.50"]
  ])("%s is %s", (amount, text) => {
    expect(Figures.usd(usd(amount))).toBe(text)
  })
})

it.each([
  [["4316", "0.5"], 0],
  [["12.5", "0.001"], 2],
  [["0.5", "0.029167"], 4],
  [["0.00013"], 5],
  [["0.0000001"], 6],
  [[], 4]
] as const)("a column of %j has %i places", (amounts, places) => {
  expect(Figures.usdPlaces(amounts.map(usd))).toBe(places)
})

it.each([
  [0, "0 ms"],
  [640, "640 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [8_400, "8.4 s"],
  [59_949, "59.9 s"],
  [59_950, "1 m 00 s"],
  [64_000, "1 m 04 s"],
  [7_500_000, "2 h 05 m"],
  [273_600_000, "3 d 4 h"]
])("%d ms is %s", (milliseconds, text) => {
  expect(Figures.duration(milliseconds)).toBe(text)
})

it("counts have commas, shares one decimal", () => {
  expect([Figures.count(143_930), Figures.percent(0.9412)]).toEqual(["143,930", "94.1"])
})

describe("text for a terminal", () => {
  it("has nothing in it that a terminal acts upon", () => {
    expect(TerminalText.visible("a\u001b[31mb\u202e\n")).toBe("a\\u001b[31mb\\u202e\\u000a")
  })

  it("is measured in columns", () => {
    expect([TerminalText.width("été"), TerminalText.width("東京"), TerminalText.width("👍")]).toEqual([3, 4, 2])
    expect(TerminalText.truncate("Customer Support", 8)).toBe("Custome…")
    expect(TerminalText.pad("7", 3, "right")).toBe("  7")
  })
})

it.each([
  ["0.00514", 4, "0.0051"],
  ["1234.5", 0, "1,235"],
  ["-2.5", 0, "−3"],
  ["7", 2, "7.00"]
] as const)("%s with %i decimals is %s", (amount, places, text) => {
  expect(Figures.fixed(usd(amount), places)).toBe(text)
})

it.each([
  [999_999, "999,999"],
  [1_000_000, "1.00 M"],
  [9_995_000, "10.0 M"],
  [512_000_000, "512.0 M"],
  [999_950_000, "1.00 B"],
  [1_420_000_000, "1.42 B"]
])("%i in a list of large counts is %s", (value, text) => {
  expect(Figures.large(value)).toBe(text)
})

describe("an instant", () => {
  const millis = Date.UTC(2026, 10, 8, 4, 3, 21, 904)

  it("has a form for text, one for a list, one for itself, and one for its date alone", () => {
    expect(Figures.instant(DateTime.unsafeMake(millis))).toBe("2026-11-08 04:03:21")
    expect(Figures.listInstant(millis)).toBe("Nov 08 04:03:21")
    expect(Figures.fullInstant(millis)).toBe("Nov 8, 2026 04:03:21.904 UTC")
    expect(Figures.date(millis)).toBe("Nov 8")
  })
})
