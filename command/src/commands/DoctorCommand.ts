/**
 * `botanu doctor`: what is wrong with a ledger, and what to do.
 */
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { plural } from "../Amounts.js"
import { type CommandError, exitCodes } from "../CommandError.js"
import * as Findings from "../query/Findings.js"
import { type Health, LedgerStore } from "../store/LedgerStore.js"
import * as Paint from "../terminal/Paint.js"
import { Screen } from "../terminal/Screen.js"
import * as TextTable from "../terminal/TextTable.js"

/** Prints the findings, and gives the exit code: `findings` where there is a warning. */
export const doctor: Effect.Effect<number, CommandError, LedgerStore | Screen> = Effect.gen(function* () {
  const { columns, hasColour, print } = yield* Screen
  const store = yield* LedgerStore
  const health = yield* store.health
  const unpriced = yield* Findings.unpriced
  const checks = checksOf({
    health,
    runs: yield* Findings.runCount,
    running: yield* Findings.endless("running"),
    lost: yield* Findings.endless("lost"),
    skewed: yield* Findings.skewed,
    unpricedCalls: unpriced.reduce((sum, { calls }) => sum + calls, 0)
  })
  const warnings = checks.filter(({ count, isWarning }) => isWarning && count > 0).length
  const paint = Paint.byJudgement(hasColour)
  const mark = (warns: boolean): string => paint(warns ? "warning" : "better", (warns ? "warn" : "ok").padEnd(4))
  const table = TextTable.lines(
    [
      { title: "Check", cells: checks.map(({ name }) => name) },
      { title: "Count", alignment: "right", cells: checks.map(({ count }) => Figures.count(count)) },
      { title: "What to do", cells: checks.map(({ advice, count }) => (count === 0 ? "" : advice)) }
    ],
    columns - 7
  )
  yield* print([
    [TerminalText.visible(store.name), health.sizes.join(", ")].join("   "),
    ...table.map((line, index) => {
      const check = checks[index - 1]
      return `${check === undefined ? "    " : mark(check.isWarning && check.count > 0)}   ${line}`.trimEnd()
    }),
    ...(unpriced.length === 0 ? [] : ["", ...unpricedLines(unpriced, columns)]),
    warnings === 0
      ? "no warnings"
      : `${plural(warnings, "warning")}${unpriced.some(isForPrices) ? ". Next: botanu reprice --prices FILE" : ""}`
  ])
  return warnings === 0 ? exitCodes.ok : exitCodes.findings
})

/** A price is of no use where it is not known what was consumed. */
const isForPrices = ({ reason }: Findings.Unpriced): boolean => reason !== "no_usage"

interface Facts {
  readonly health: Health
  readonly runs: number
  readonly running: Findings.RunCount
  readonly lost: Findings.RunCount
  readonly skewed: Findings.RunCount
  readonly unpricedCalls: number
}

interface Check {
  readonly name: string
  readonly count: number
  readonly isWarning: boolean
  readonly advice: string
}

const checksOf = (facts: Facts): ReadonlyArray<Check> => {
  const { health, lost, running, runs, skewed, unpricedCalls } = facts
  const lines = (problem: string, name: string, advice: string): Check => {
    const found = health.problems.find((one) => one.problem === problem)
    const [first = "", ...others] = (found?.places ?? []).map(TerminalText.visible)
    const where = others.length === 0 ? first : `${first} and ${others.length} more`
    return { name, count: found?.lines ?? 0, isWarning: true, advice: `${advice}, in ${where}` }
  }
  const seeEvent = ({ eventId = "" }: Findings.RunCount) => `botanu event ${TerminalText.visible(eventId)}`
  const rare = [
    lines("newer_version", "lines of a later version", "skipped, update botanu"),
    lines("invalid", "lines that are not valid", "skipped"),
    {
      name: "records lost by writers",
      count: health.lostRecords,
      isWarning: true,
      advice: "the disk was slow, full or gone"
    },
    { name: "runs that are running", count: running.runs, isWarning: false, advice: `in no rate: ${seeEvent(running)}` }
  ]
  return [
    { name: "runs that read back", count: runs, isWarning: false, advice: "" },
    lines("cut", "lines cut by a crash", "skipped"),
    ...rare.filter(({ count }) => count > 0),
    { name: "runs without an end", count: lost.runs, isWarning: true, advice: `lost, process gone: ${seeEvent(lost)}` },
    { name: "calls without a price", count: unpricedCalls, isWarning: true, advice: "in no sum; below, by model" },
    { name: "clock skew over 1 s", count: skewed.runs, isWarning: true, advice: `set the clocks: ${seeEvent(skewed)}` }
  ]
}

const reasons: Readonly<Record<string, string>> = {
  unknown_model: "not in the price file",
  no_price_for_kind: "no price for what it did",
  no_usage: "the provider reported no usage"
}

const unpricedLines = (unpriced: ReadonlyArray<Findings.Unpriced>, columns: number): ReadonlyArray<string> => {
  const rows = unpriced.flatMap(({ calls, name, quantities, reason }) => {
    const amounts = Array.from(quantities).filter(([unit, amount]) => amount > 0 && unit !== "requests")
    const shown: ReadonlyArray<readonly [string, number | undefined]> =
      amounts.length > 0 ? amounts : [["requests", quantities.get("requests")]]
    return shown.map(([unit, amount], index) => ({
      name: index === 0 ? TerminalText.truncate(TerminalText.visible(name), 38) : "",
      calls: index === 0 ? Figures.count(calls) : "",
      quantity: amount === undefined ? "?" : Figures.count(amount),
      unit: TerminalText.visible(unit),
      why: index === 0 ? (reasons[reason] ?? reason) : ""
    }))
  })
  return TextTable.lines(
    [
      { title: "Without a price", cells: rows.map(({ name }) => name) },
      { title: "Calls", alignment: "right", cells: rows.map(({ calls }) => calls) },
      { title: "Quantity", alignment: "right", cells: rows.map(({ quantity }) => quantity) },
      { title: "Unit", cells: rows.map(({ unit }) => unit) },
      { title: "Why", cells: rows.map(({ why }) => why) }
    ],
    columns
  )
}
