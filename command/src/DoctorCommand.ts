/**
 * `botanu doctor`: what is wrong with a ledger, and what to do.
 */
import { type FileSystem, Path } from "@effect/platform"
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { type CommandError, exitCodes } from "./CommandError.js"
import * as Diagnosis from "./Diagnosis.js"
import { contents, segments } from "./LedgerDirectory.js"
import { Screen } from "./Screen.js"
import * as TextTable from "./TextTable.js"

/** Prints the findings, and gives the exit code: `findings` where there is a warning. */
export const doctor = (options: {
  readonly ledger: string
}): Effect.Effect<number, CommandError, FileSystem.FileSystem | Path.Path | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, print } = yield* Screen
    const path = yield* Path.Path
    const files = yield* segments(options.ledger)
    const diagnosis = Diagnosis.of(yield* contents(options.ledger))
    const checks = checksOf(diagnosis, (file) => TerminalText.visible(path.relative(options.ledger, file)))
    const warnings = checks.filter(({ isWarning, count }) => isWarning && count > 0).length
    const mark = (warns: boolean): string => {
      const word = warns ? "warn" : "ok"
      return hasColour ? `\u001b[${warns ? 33 : 32}m${word}\u001b[39m${" ".repeat(4 - word.length)}` : word.padEnd(4)
    }
    const table = TextTable.lines(
      [
        { title: "Check", cells: checks.map(({ name }) => name) },
        { title: "Count", alignment: "right", cells: checks.map(({ count }) => Figures.count(count)) },
        { title: "What to do", cells: checks.map(({ advice, count }) => (count === 0 ? "" : advice)) }
      ],
      columns - 7
    )
    const days = new Set(files.map(({ day }) => day)).size
    const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6
    yield* print([
      [
        TerminalText.visible(options.ledger),
        [
          plural(days, "day"),
          plural(files.length, "segment"),
          plural(diagnosis.runs, "run"),
          `${megabytes.toFixed(1)} MB`
        ].join(", ")
      ].join("   "),
      ...table.map((line, index) => {
        const check = checks[index - 1]
        return `${check === undefined ? "    " : mark(check.isWarning && check.count > 0)}   ${line}`.trimEnd()
      }),
      ...(diagnosis.unpriced.length === 0 ? [] : ["", ...unpricedLines(diagnosis.unpriced, columns)]),
      warnings === 0 ? "no warnings" : plural(warnings, "warning")
    ])
    return warnings === 0 ? exitCodes.ok : exitCodes.findings
  })

interface Check {
  readonly name: string
  readonly count: number
  readonly isWarning: boolean
  readonly advice: string
}

const checksOf = (diagnosis: Diagnosis.Diagnosis, nameOf: (segment: string) => string): ReadonlyArray<Check> => {
  const { endless, lost, problems, skewed, unpriced } = diagnosis
  const lines = (problem: string, name: string, advice: string): Check => {
    const { lines = 0, segments = [] } = problems.get(problem) ?? {}
    const [first = "", ...others] = segments.map(nameOf)
    const where = others.length === 0 ? first : `${first} and ${others.length} more`
    return { name, count: lines, isWarning: true, advice: `${advice}, in ${where}` }
  }
  const first = (records: Diagnosis.Diagnosis["endless"]) => TerminalText.visible(records[0]?.run.eventId ?? "")
  return [
    { name: "runs that read back", count: diagnosis.runs, isWarning: false, advice: "" },
    lines("cut", "lines cut by a crash", "skipped"),
    lines("newer_version", "lines of a later version", "skipped, update botanu"),
    lines("invalid", "lines that are not valid", "skipped"),
    { name: "records lost by writers", count: lost, isWarning: true, advice: "the disk was slow, full or gone" },
    {
      name: "runs without an end",
      count: endless.length,
      isWarning: true,
      advice: `running, or lost with their process: botanu event ${first(endless)}`
    },
    {
      name: "calls without a price",
      count: unpriced.reduce((sum, { calls }) => sum + calls, 0),
      isWarning: true,
      advice: "in no sum; below, by model"
    },
    {
      name: "clock skew over 1 s",
      count: skewed.length,
      isWarning: true,
      advice: `synchronize the clocks of the hosts: botanu event ${first(skewed)}`
    }
  ]
}

const reasons: Readonly<Record<string, string>> = {
  unknown_model: "not in the price file",
  no_price_for_kind: "no price for what it did",
  no_usage: "the provider reported no usage"
}

const unpricedLines = (unpriced: ReadonlyArray<Diagnosis.Unpriced>, columns: number): ReadonlyArray<string> => {
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

const plural = (count: number, noun: string): string => `${Figures.count(count)} ${noun}${count === 1 ? "" : "s"}`
