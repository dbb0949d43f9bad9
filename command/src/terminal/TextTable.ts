/**
 * Tables on a terminal: no frames, at least two spaces between columns.
 */
import { TerminalText } from "botanu-effect/report"

/** A column and its cells. */
export interface Column {
  readonly title: string
  /** What it is called where it is left out. @default its title */
  readonly name?: string
  readonly unit?: string
  readonly alignment?: "left" | "right"
  readonly cells: ReadonlyArray<string>
  /** Whether there is one space before it: a note to the number on its left. */
  readonly isNote?: boolean
  /** Colours the text of a row; it adds nothing to the width. */
  readonly paint?: (text: string, row: number) => string
}

/**
 * The lines of a table. Where the terminal is too narrow, columns are left out from the right, and the last line names them.
 * The first column stays.
 */
export const lines = (columns: ReadonlyArray<Column>, width: number): ReadonlyArray<string> => {
  const measured = columns.filter(isUsed).map((column) => ({ ...column, width: columnWidth(column) }))
  let used = 0
  const fits: Array<(typeof measured)[number]> = []
  for (const [index, column] of measured.entries()) {
    const taken = column.width + gapOf(column, fits.length)
    // A number goes with its note.
    const note = measured[index + 1]?.isNote === true ? 1 + (measured[index + 1]?.width ?? 0) : 0
    if (fits.length > 0 && used + taken + note > width) break
    used += taken
    fits.push(column)
  }
  const left = measured.slice(fits.length).filter(({ isNote }) => isNote !== true)
  const row = (textOf: (column: Column) => string, number?: number) =>
    fits
      .map((column, index) => {
        const text = padded(textOf(column), column)
        const painted = number === undefined || column.paint === undefined ? text : column.paint(text, number)
        return " ".repeat(gapOf(column, index)) + painted
      })
      .join("")
      .trimEnd()
  const rows = fits[0]?.cells.map((_, index) => row(({ cells }) => cells[index] ?? "", index)) ?? []
  return [
    row(({ title }) => title),
    ...(fits.some(({ unit }) => unit !== undefined) ? [row(({ unit }) => unit ?? "")] : []),
    ...rows,
    ...(left.length === 0 ? [] : [`left out, the terminal is too narrow: ${left.map(nameOf).join(", ")}`])
  ]
}

/** How wide the lines of a table are where nothing is left out. */
export const widthOf = (columns: ReadonlyArray<Column>): number =>
  columns.filter(isUsed).reduce((sum, column, index) => sum + columnWidth(column) + gapOf(column, index), 0)

type Measured = Column & { readonly width: number }

const isUsed = ({ cells, isNote }: Column): boolean => isNote !== true || cells.some((cell) => cell !== "")

const gapOf = ({ isNote }: Column, index: number): number => (index === 0 ? 0 : isNote === true ? 1 : 2)

const padded = (text: string, { alignment, width }: Measured): string => TerminalText.pad(text, width, alignment)

const nameOf = ({ name, title, unit = "" }: Column): string => name ?? (unit === "" ? title : `${title}, ${unit}`)

const columnWidth = ({ cells, title, unit = "" }: Column): number =>
  [title, unit, ...cells].reduce((most, text) => Math.max(most, TerminalText.width(text)), 0)
