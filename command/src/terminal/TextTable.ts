/**
 * Tables on a terminal: no frames, at least two spaces between columns.
 */
import { TerminalText } from "botanu-effect/report"

/** A column and its cells. */
export interface Column {
  readonly title: string
  readonly unit?: string
  readonly alignment?: "left" | "right"
  readonly cells: ReadonlyArray<string>
  /** Whether there is one space before it: a note to the number on its left. */
  readonly isNote?: boolean
}

/**
 * The lines of a table. Where the terminal is too narrow, columns are left out from the right, and the last line names them.
 * The first column stays.
 */
export const lines = (columns: ReadonlyArray<Column>, width: number): ReadonlyArray<string> => {
  const measured = columns.filter(isUsed).map((column) => ({ ...column, width: widthOf(column) }))
  let used = 0
  const fits: Array<(typeof measured)[number]> = []
  for (const column of measured) {
    const taken = column.width + gapOf(column, fits.length)
    if (fits.length > 0 && used + taken > width) break
    used += taken
    fits.push(column)
  }
  const left = measured.slice(fits.length).filter(({ isNote }) => isNote !== true)
  const row = (textOf: (column: Column) => string) =>
    fits
      .map((column, index) => " ".repeat(gapOf(column, index)) + padded(textOf(column), column))
      .join("")
      .trimEnd()
  const rows = fits[0]?.cells.map((_, index) => row(({ cells }) => cells[index] ?? "")) ?? []
  return [
    row(({ title }) => title),
    ...(fits.some(({ unit }) => unit !== undefined) ? [row(({ unit }) => unit ?? "")] : []),
    ...rows,
    ...(left.length === 0 ? [] : [`left out, the terminal is too narrow: ${left.map(nameOf).join(", ")}`])
  ]
}

type Measured = Column & { readonly width: number }

const isUsed = ({ cells, isNote }: Column): boolean => isNote !== true || cells.some((cell) => cell !== "")

const gapOf = ({ isNote }: Column, index: number): number => (index === 0 ? 0 : isNote === true ? 1 : 2)

const padded = (text: string, { alignment, width }: Measured): string => TerminalText.pad(text, width, alignment)

const nameOf = ({ title, unit }: Column): string => (unit === undefined ? title : `${title}, ${unit}`)

const widthOf = ({ cells, title, unit = "" }: Column): number =>
  [title, unit, ...cells].reduce((most, text) => Math.max(most, TerminalText.width(text)), 0)
