/**
 * Times and periods on the command line: `7d`, or an instant.
 */
import { Either } from "effect"

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

const dayMillis = 86_400_000

const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/

/**
 * The instant that a text names, as an ISO text in UTC with milliseconds, or what is expected instead. Days and weeks are whole
 * days in UTC, today included: `7d` began six days before today. A date is its start in UTC; a time has a zone.
 */
export const parse = (text: string, nowMillis: number): Either.Either<string, string> => {
  const [, count, unit = ""] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  const millis = count === undefined ? Date.parse(text) : ago(Number(count), unit, nowMillis)
  if ((count === undefined && !iso.test(text)) || !(millis >= 0)) {
    return Either.left("expected a time such as 7d, 12h, 2026-11-18 or 2026-11-18T14:00:00Z")
  }
  return Either.right(new Date(millis).toISOString())
}

const ago = (count: number, unit: string, now: number): number => {
  const millis = count * (units[unit] ?? Number.NaN)
  return unit === "d" || unit === "w" ? startOfDay(now) + dayMillis - millis : now - millis
}

const startOfDay = (millis: number): number => Math.floor(millis / dayMillis) * dayMillis

/** A period of time: its ends as ISO instants in UTC. */
export interface Period {
  readonly since: string
  readonly until: string
}

/** The period of the same length before. One that ends in the future counts whole. */
export const before = ({ since, until }: Period): Period => ({
  since: new Date(2 * Date.parse(since) - Date.parse(until)).toISOString(),
  until: since
})

/** The end of the day of an instant: the end of a period that is still coming in. */
export const endOfDay = (nowMillis: number): string => new Date(startOfDay(nowMillis) + dayMillis).toISOString()

/** The period as people write it: `Oct 27 - Nov 25, 2026`, or with times where it is not of whole days. */
export const format = ({ since, until }: Period, hasYear = true): string => {
  const [from, to] = [Date.parse(since), Date.parse(until)]
  if (from % dayMillis !== 0 || to % dayMillis !== 0) {
    return `${since.slice(0, 16).replace("T", " ")} - ${until.slice(0, 16).replace("T", " ")}`
  }
  const last = to - dayMillis
  const isOneYear = new Date(from).getUTCFullYear() === new Date(last).getUTCFullYear()
  const end = date(last, hasYear || !isOneYear)
  return from === last ? end : `${date(from, !isOneYear)} - ${end}`
}

const date = (millis: number, hasYear: boolean): string => (hasYear ? longDate : shortDate).format(millis)

const shortDate = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", timeZone: "UTC" })
const longDate = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", year: "numeric", timeZone: "UTC" })
