/**
 * The lines that the benchmark prints.
 */

/** A line: what was measured, ours beside theirs. */
export interface Line {
  readonly name: string
  readonly ours: number
  readonly theirs: number
  readonly unit: "ns" | "bytes"
  readonly aim?: number | undefined
}

const nameWidth = 58

export const heading = (): string => columns("", "ours", "theirs", "ratio", "aim", "")

export const format = ({ aim, name, ours, theirs, unit }: Line): string => {
  const ratio = ours / theirs
  return columns(
    name,
    quantity(ours, unit),
    quantity(theirs, unit),
    ratio.toFixed(2),
    aim === undefined ? "-" : `<= ${aim.toFixed(2)}`,
    aim === undefined ? "" : ratio <= aim ? "ok" : "missed"
  )
}

const columns = (name: string, ours: string, theirs: string, ratio: string, aim: string, met: string): string =>
  [name.padEnd(nameWidth), ours.padStart(11), theirs.padStart(11), ratio.padStart(6), aim.padStart(8), met]
    .join("  ")
    .trimEnd()

const quantity = (amount: number, unit: Line["unit"]): string => {
  if (unit === "bytes") return `${Math.round(amount)} B`
  return amount < 10_000 ? `${Math.round(amount)} ns` : `${(amount / 1000).toFixed(1)} µs`
}
