/**
 * The lines that the benchmark prints.
 */

/** A line: what was measured, ours beside theirs. */
export interface Line {
  readonly name: string
  readonly ours: number
  readonly theirs: number
  /** Less is better, but of what is counted per second. */
  readonly unit: "ns" | "bytes" | "1/s"
  /** Where it is not simply the one to the other. */
  readonly ratio?: number
  readonly aim?: number | undefined
}

const nameWidth = 58

export const heading = (): string => columns("", "ours", "theirs", "ratio", "aim", "")

export const format = ({ aim, name, ours, theirs, unit, ratio = ours / theirs }: Line): string => {
  const isMoreBetter = unit === "1/s"
  return columns(
    name,
    quantity(ours, unit),
    quantity(theirs, unit),
    ratio.toFixed(2),
    aim === undefined ? "-" : `${isMoreBetter ? ">=" : "<="} ${aim.toFixed(2)}`,
    aim === undefined ? "" : (isMoreBetter ? ratio >= aim : ratio <= aim) ? "ok" : "missed"
  )
}

const columns = (name: string, ours: string, theirs: string, ratio: string, aim: string, met: string): string =>
  [name.padEnd(nameWidth), ours.padStart(11), theirs.padStart(11), ratio.padStart(6), aim.padStart(8), met]
    .join("  ")
    .trimEnd()

const quantity = (amount: number, unit: Line["unit"]): string => {
  if (unit === "bytes") return `${Math.round(amount)} B`
  if (unit === "1/s") return `${Math.round(amount)}/s`
  if (amount >= 1e6) return `${(amount / 1e6).toFixed(2)} ms`
  return amount < 10_000 ? `${Math.round(amount)} ns` : `${(amount / 1000).toFixed(1)} µs`
}
