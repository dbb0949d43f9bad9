/**
 * Rows of a list, in the format that was asked for.
 */
import { TerminalText } from "botanu-effect/report"
import * as DelimitedText from "./DelimitedText.js"
import * as TextTable from "./TextTable.js"

export const formats = ["table", "json", "csv", "markdown"] as const
export type Format = (typeof formats)[number]

/** A row for other programs: amounts are exact texts. */
export type DataRow = Readonly<Record<string, string | number | boolean | undefined>>

/** The lines of rows: `columns` for a terminal, `data` for other programs. */
export const lines = (
  format: Format,
  columns: ReadonlyArray<TextTable.Column>,
  data: ReadonlyArray<DataRow>,
  width: number
): ReadonlyArray<string> => {
  if (format === "table") return TextTable.lines(columns, width)
  if (format === "json") {
    // Inside a text of JSON the escape of a character is the character.
    return JSON.stringify(data.map(withNulls), undefined, 2).split("\n").map(TerminalText.visible)
  }
  const titles = Object.keys(data[0] ?? {})
  const cells = data.map((row) =>
    titles.map((title) => {
      const cell = row[title]
      return typeof cell === "boolean" ? String(cell) : cell
    })
  )
  return format === "csv"
    ? DelimitedText.csv(titles, cells)
    : DelimitedText.markdown(
        titles,
        cells.map((row) => row.map((cell) => (typeof cell === "string" ? TerminalText.visible(cell) : cell)))
      )
}

const withNulls = (row: DataRow): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null]))

/** A text of a ledger as a cell of a terminal. */
export const cell = (text: string | undefined, longest = 32): string =>
  TerminalText.truncate(TerminalText.visible(text ?? ""), longest)

/** An instant of a list: `Nov 18 14:03:21`. */
export const instant = (iso: string): string => {
  const [month = "", day = ""] = short.format(Date.parse(iso)).split(" ")
  return `${month} ${day.padStart(2)} ${iso.slice(11, 19)}`
}

const short = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" })
