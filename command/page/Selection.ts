/**
 * Which events a view is about: its period and its filters, as the address has them.
 */
import { Figures } from "botanu-effect/report"
import type { Location } from "./Location.js"

/** What events can be filtered by. */
export const fields = {
  workflow: "workflow",
  customer: "customer",
  outcome: "outcome",
  environment: "environment",
  tenant: "tenant",
  model: "model",
  step: "step",
  reason: "reason",
  value: "value",
  attempts: "attempts",
  unpriced: "unpriced calls",
  amended: "amended",
  search: "search"
} as const

export type Field = keyof typeof fields

export const fieldNames = Object.keys(fields) as ReadonlyArray<Field>

export const periods = { "24h": "24 h", "7d": "7 d", "30d": "30 d", "90d": "90 d" } as const
export type PeriodName = keyof typeof periods

const hour = 3_600_000
const day = 24 * hour

/** A period, in milliseconds since the epoch. Days are days of UTC. */
export interface Period {
  readonly name: PeriodName | "custom"
  readonly since: number
  readonly until: number
}

const days: Readonly<Record<string, number>> = { "7d": 7, "30d": 30, "90d": 90 }

export const periodOf = ({ parameters }: Location, now: number): Period => {
  const since = Date.parse(parameters.get("since") ?? "")
  const until = Date.parse(parameters.get("until") ?? "")
  if (since < until) return { name: "custom", since, until }
  const given = parameters.get("period")
  if (given === "24h") {
    const end = Math.floor(now / hour) * hour + hour
    return { name: "24h", since: end - day, until: end }
  }
  const name = given === "7d" || given === "90d" ? given : "30d"
  const end = Math.floor(now / day) * day + day
  return { name, since: end - (days[name] ?? 30) * day, until: end }
}

/** The period in words, its last day included. */
export const periodText = ({ since, until }: Pick<Period, "since" | "until">): string => {
  const isDays = since % day === 0 && until % day === 0
  if (!isDays) {
    const minute = (time: number) => `${Figures.date(time)} ${new Date(time).toISOString().slice(11, 16)}`
    return `${minute(since)} – ${minute(until)}`
  }
  const last = until - day
  return last === since ? Figures.date(since) : `${Figures.date(since)} – ${Figures.date(last)}`
}

/** The filters of an address. */
export const filtersOf = ({ parameters }: Location): Partial<Record<Field, string>> =>
  Object.fromEntries(
    fieldNames.flatMap((name) => {
      const value = parameters.get(name)
      return value === null || value === "" ? [] : [[name, value]]
    })
  )

/** Filters in words. */
export const valueText = (field: Field, value: string): string =>
  field === "attempts" ? `${value} or more` : field === "outcome" ? value.replaceAll(",", ", ") : value

/** The parameters of the address that say which events are meant, for a link to another view. */
export const carried = ({ parameters }: Location): Record<string, string> =>
  Object.fromEntries(
    ["period", "since", "until", ...fieldNames].flatMap((name) => {
      const value = parameters.get(name)
      return value === null ? [] : [[name, value]]
    })
  )

/** What the data API is asked for. */
export const queryOf = (location: Location, period: Period): Record<string, string | number | undefined> => ({
  ...filtersOf(location),
  since: period.since,
  until: period.until
})
