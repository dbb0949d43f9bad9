/**
 * Times on the command line: `7d` ago, or an instant.
 */
import { Either } from "effect"

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/

/**
 * The instant that a text names, as an ISO text in UTC with milliseconds, or what is expected instead. A date is its start in
 * UTC; a time has a zone.
 */
export const parse = (text: string, nowMillis: number): Either.Either<string, string> => {
  const [, count, unit = ""] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const millis = count === undefined ? Date.parse(text) : nowMillis - Number(count) * (units[unit] ?? Number.NaN)
  if ((count === undefined && !iso.test(text)) || !(millis >= 0)) {
    return Either.left("expected a time such as 7d, 12h, 2026-11-18 or 2026-11-18T14:00:00Z")
  }
  return Either.right(new Date(millis).toISOString())
}
