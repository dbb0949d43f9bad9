/**
 * Tables as text for other programs.
 */
import { TerminalText } from "botanu-effect/report"

// What a spreadsheet takes for a formula (OWASP, CSV injection).
const formula = /^[=+\-@\t\r]/

const control = /[^\P{Cc}\n]/gu

/**
 * Lines of CSV (RFC 4180). A text that a spreadsheet would take for a formula starts with an apostrophe; numbers are as they
 * are. Control characters but line feeds are escapes, because CSV is printed to terminals too.
 */
export const csv = (
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | undefined>>
): ReadonlyArray<string> => [titles.map(csvText).join(","), ...rows.map((row) => row.map(csvCell).join(","))]

const csvCell = (cell: string | number | undefined): string =>
  cell === undefined ? "" : typeof cell === "number" ? String(cell) : csvText(cell)

const csvText = (text: string): string => {
  const harmless = (formula.test(text) ? `'${text}` : text).replace(control, TerminalText.visible)
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

/** Lines of a table in Markdown. Nothing in a cell is markup. */
export const markdown = (
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number | undefined>>
): ReadonlyArray<string> => {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [line(titles), line(titles.map(() => "---")), ...rows.map((row) => line(row.map(markdownCell)))]
}

const markdownCell = (cell: string | number | undefined): string =>
  String(cell ?? "").replace(/[\\`*_{}[\]<>|~&#!]/g, (mark) => `&#${mark.charCodeAt(0)};`)
