/**
 * How a figure differs from that of the time before.
 */
import { Figures } from "botanu-effect/report"

/**
 * A change in percent: one decimal, none from 10%, `×` from ten-fold. `new` where there was nothing; `–` where it is not known
 * how it was.
 */
export const relative = (now: number | undefined, before: number | undefined): string => {
  if (now === undefined || before === undefined) return "–"
  if (before === 0) return now === 0 ? "0%" : "new"
  const ratio = now / before
  if (ratio >= 10) return `${Figures.count(Math.round(ratio * 10) / 10)}×`
  const percent = (ratio - 1) * 100
  const magnitude = Math.abs(percent)
  const digits = magnitude.toFixed(magnitude >= 9.95 ? 0 : 1)
  return Number(digits) === 0 ? "0%" : `${percent < 0 ? "−" : "+"}${digits}%`
}

/** A change of a rate from 0 to 1, in percentage points. */
export const ofRate = (now: number | undefined, before: number | undefined): string => {
  if (now === undefined || before === undefined) return "–"
  const points = (now - before) * 100
  const digits = Math.abs(points).toFixed(1)
  return Number(digits) === 0 ? "0 pp" : `${points < 0 ? "−" : "+"}${digits} pp`
}
