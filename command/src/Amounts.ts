/**
 * Counts and sizes in the sentences that the command prints.
 */
import { Figures } from "botanu-effect/report"

/** A count with its noun, such as `1 run` and `1,204 runs`. */
export const plural = (count: number, noun: string): string =>
  `${Figures.count(count)} ${noun}${count === 1 ? "" : "s"}`

/** A size, such as `4.2 MB`. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
