/**
 * A record as JSON: what `JSON.stringify` makes of it, in a part of the time. Records have no cycles, and amounts and instants
 * are the only values in them that are not plain.
 */
import { BigDecimal, DateTime } from "effect"
import { Priced, Unpriced } from "../cost/Cost.js"
import { CostTotals, RecordedUsage } from "../cost/CostTotals.js"
import { Repricing } from "../cost/Repricing.js"
import { Usage } from "../cost/UsageRecord.js"
import { format } from "../cost/Usd.js"
import { CompletedRun } from "../lifecycle/CompletedRun.js"
import { Outcome } from "../run/OutcomeRecord.js"
import { Run } from "../run/Run.js"

/** The text of a value; `undefined` where JSON leaves it out. */
export const of = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return quoted(value)
    case "number":
      return number(value)
    case "boolean":
      return value ? "true" : "false"
    case "object":
      return value === null ? "null" : ofObject(value)
    default:
      return JSON.stringify(value)
  }
}

const ofObject = (value: object): string | undefined => {
  if (plain.has(Object.getPrototypeOf(value))) return ofFields(value as Readonly<Record<string, unknown>>)
  if (Array.isArray(value)) return ofItems(value)
  if (DateTime.TypeId in value) return instant((value as DateTime.DateTime).epochMillis)
  if (BigDecimal.TypeId in value) return amount(value as BigDecimal.BigDecimal)
  return JSON.stringify(value)
}

const ofFields = (value: Readonly<Record<string, unknown>>): string => {
  let text = ""
  for (const key of Object.keys(value)) {
    const field = of(value[key])
    if (field !== undefined) text += text === "" ? `${memberOf(key)}${field}` : `,${memberOf(key)}${field}`
  }
  return `{${text}}`
}

const members = new Map<string, string>()

/** `"key":`. Names of fields are few; those that a program makes are not kept. */
const memberOf = (key: string): string => {
  const known = members.get(key)
  if (known !== undefined) return known
  const member = `${quoted(key)}:`
  if (members.size < maxMembers) members.set(key, member)
  return member
}

const maxMembers = 256

const ofItems = (values: ReadonlyArray<unknown>): string => {
  let text = "["
  for (let index = 0; index < values.length; index++) text += `${index === 0 ? "" : ","}${of(values[index]) ?? "null"}`
  return `${text}]`
}

/** Objects of which JSON has the fields: for some of these `toJSON` writes their amounts as text, and nothing else. */
const plain: ReadonlySet<unknown> = new Set([
  Object.prototype,
  ...[CompletedRun, CostTotals, Outcome, Priced, RecordedUsage, Repricing, Run, Unpriced, Usage].map(
    (of) => of.prototype
  )
])

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are escaped in JSON
const needsEscape = /[\u0000-\u001f"\\\ud800-\udfff]/

/** A text in quotes. */
export const quoted = (text: string): string => (needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`)

const dayMillis = 86_400_000

/** The day of the instant that was written last: most are of the same. */
let day = Number.NaN
let dayText = ""

const two = (number: number): string => (number < 10 ? `0${number}` : `${number}`)

/** A number; JSON has none that is not finite. */
export const number = (value: number): string => (Number.isFinite(value) ? `${value}` : "null")

/** The amount that was written last: a call has one price, and often it is the cost of the run. */
let latest: BigDecimal.BigDecimal = BigDecimal.make(0n, 0)
let latestText = `"0"`

/** An amount as decimal text. */
export const amount = (value: BigDecimal.BigDecimal): string => {
  if (value.value !== latest.value || value.scale !== latest.scale) {
    latestText = `"${format(value)}"`
    latest = value
  }
  return latestText
}

/** An instant in ISO 8601, in UTC with milliseconds. */
export const instant = (epochMillis: number): string => {
  const time = Math.floor(epochMillis)
  const ofDay = Math.floor(time / dayMillis)
  if (ofDay !== day) {
    const date = new Date(ofDay * dayMillis)
    if (!Number.isInteger(time) || Number.isNaN(date.getTime())) return JSON.stringify(new Date(epochMillis))
    dayText = date.toISOString().slice(0, -13)
    day = ofDay
  }
  const rest = time - ofDay * dayMillis
  const millis = rest % 1000
  const seconds = Math.floor(rest / 1000)
  const padded = millis < 10 ? `00${millis}` : millis < 100 ? `0${millis}` : `${millis}`
  return `"${dayText}${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${padded}Z"`
}
