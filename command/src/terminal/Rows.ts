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
  const { end, next } = pages(format, width)
  return data.length === 0 && format === "json" ? end() : [...next(columns, data), ...end()]
}

/** The lines of rows that come a page at a time. A table has its titles on each page; other formats are as of all rows at once. */
export interface Pages {
  readonly next: (columns: ReadonlyArray<TextTable.Column>, data: ReadonlyArray<DataRow>) => ReadonlyArray<string>
  /** What comes after the last page. */
  readonly end: () => ReadonlyArray<string>
}

export const pages = (format: Format, width: number): Pages => {
  if (format === "table") return { next: (columns) => TextTable.lines(columns, width), end: () => [] }
  if (format === "json") return jsonPages()
  let isFirst = true
  return {
    next: (_, data) => {
      const lines = delimited(format, data)
      // The titles are one line of CSV, and two of Markdown.
      const page = isFirst ? lines : lines.slice(format === "csv" ? 1 : 2)
      isFirst = false
      return page
    },
    end: () => []
  }
}

/** A list of which each page has a part. Whether a comma follows a page is known with the next one. */
const jsonPages = (): Pages => {
  let last: string | undefined
  return {
    next: (_, data) => {
      // Inside a text of JSON the escape of a character is the character.
      const lines = JSON.stringify(data.map(withNulls), undefined, 2).split("\n").slice(1, -1).map(TerminalText.visible)
      const page = [last === undefined ? "[" : `${last},`, ...lines.slice(0, -1)]
      last = lines.at(-1)
      return page
    },
    end: () => (last === undefined ? ["[]"] : [last, "]"])
  }
}

const delimited = (format: "csv" | "markdown", data: ReadonlyArray<DataRow>): ReadonlyArray<string> => {
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
