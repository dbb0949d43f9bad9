/**
 * What is wrong with a price. Nothing is known of its shape: it may come from a file or from code without types.
 */
import { DateTime } from "effect"
import { type FieldProblem, quote, quoteName, refusal } from "../schema/FieldText.js"
import { isMeterName, meterOf, units } from "./Meter.js"
import { UsageKind } from "./UsageKind.js"
import { expectedAmount, fromNonNegative } from "./Usd.js"

/** The first field that is not as it should be. */
export const problemOf = (price: unknown): FieldProblem | undefined =>
  isRecord(price)
    ? (selectorProblem(price) ?? periodProblem(price) ?? pricesProblem(price) ?? partsProblem(price))
    : { field: "price", problem: `expected a record, got ${quote(price)}` }

/** What is wrong with a list of prices, whatever is in it. */
export const listProblem = (prices: unknown): FieldProblem | undefined =>
  typeof prices === "object" && prices !== null && Symbol.iterator in prices
    ? undefined
    : { field: "prices", problem: `expected a list of prices, got ${quote(prices)}` }

/** What is wrong with the models behind deployments. */
export const deploymentsProblem = (deployments: unknown): FieldProblem | undefined =>
  recordProblem(deployments, "deployments", "models by deployment", (model, field) => {
    const expected = refusal(model)
    return expected === undefined ? undefined : { field, problem: `${expected}, got ${quote(model)}` }
  })

/** The place of a price in its list, and what it is the price of. */
export const nameOf = (price: unknown, index: number): string => {
  if (!isRecord(price)) return `${index}`
  const what = [price["provider"], price["model"]].filter((text) => typeof text === "string" && text !== "").join("/")
  const name = what === "" ? price["kind"] : what
  return typeof name === "string" ? `${index} (${quote(name)})` : `${index}`
}

/** In epoch milliseconds; `NaN` where it is no instant. */
export const epochMillisOf = (instant: unknown): number => {
  if (DateTime.isDateTime(instant)) return instant.epochMillis
  if (instant instanceof Date) return instant.getTime()
  return typeof instant === "string" ? Date.parse(instant) : Number.NaN
}

type Fields = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const selectorProblem = (price: Fields): FieldProblem | undefined => {
  const { kind, model, provider } = price
  if (kind !== undefined && !(UsageKind.literals as ReadonlyArray<unknown>).includes(kind)) {
    return { field: "kind", problem: `expected one of ${UsageKind.literals.join(", ")}, got ${quote(kind)}` }
  }
  if (model === undefined && provider === undefined && kind === undefined) {
    return { field: "model", problem: "expected a model, a provider or a kind" }
  }
  for (const field of ["model", "provider", "operation", "customerId", "tenantId"]) {
    const expected = price[field] === undefined ? undefined : refusal(price[field])
    if (expected !== undefined) return { field, problem: `${expected}, got ${quote(price[field])}` }
  }
  const { source } = price
  if (source === undefined || (typeof source === "string" && source !== "")) return undefined
  return { field: "source", problem: `expected non-empty text, got ${quote(source)}` }
}

const periodProblem = ({ from, until }: Fields): FieldProblem | undefined => {
  const start = from === undefined ? Number.NEGATIVE_INFINITY : epochMillisOf(from)
  const end = until === undefined ? Number.POSITIVE_INFINITY : epochMillisOf(until)
  if (Number.isNaN(start)) return { field: "from", problem: `expected an instant, got ${quote(from)}` }
  return end > start
    ? undefined
    : { field: "until", problem: `expected an instant${Number.isNaN(end) ? "" : " after from"}, got ${quote(until)}` }
}

const pricesProblem = (price: Fields): FieldProblem | undefined =>
  tierProblem(price, "") ??
  recordProblem(price["serviceTiers"], "serviceTiers", "prices by service tier", (prices, path) =>
    isRecord(prices)
      ? tierProblem(prices, `${path}.`)
      : { field: path, problem: `expected prices, got ${quote(prices)}` }
  ) ??
  recordProblem(price["regions"], "regions", "factors by region", (factor, path) =>
    amountProblem(factor, path, "a factor, zero or more")
  )

const tierProblem = ({ tiers, usd }: Fields, path: string): FieldProblem | undefined => {
  const problem = unitsProblem(usd, `${path}usd`)
  if (problem !== undefined || tiers === undefined) return problem
  if (!Array.isArray(tiers)) return { field: `${path}tiers`, problem: `expected a list, got ${quote(tiers)}` }
  for (const [i, tier] of tiers.entries()) {
    const field = `${path}tiers.${i}`
    if (!isRecord(tier)) return { field, problem: `expected a record, got ${quote(tier)}` }
    const above = tier["aboveInputTokens"]
    if (!Number.isSafeInteger(above) || (above as number) < 0) {
      return { field: `${field}.aboveInputTokens`, problem: "expected a whole number, zero or more" }
    }
    const problem = unitsProblem(tier["usd"], `${field}.usd`)
    if (problem !== undefined) return problem
  }
  return undefined
}

const unitsProblem = (prices: unknown, path: string): FieldProblem | undefined => {
  if (!isRecord(prices)) return { field: path, problem: `expected prices by unit, got ${quote(prices)}` }
  for (const [unit, price] of Object.entries(prices)) {
    if (price === undefined) continue
    const problem = knownUnits.has(unit) ? amountProblem(price, `${path}.${unit}`) : namedProblem(unit, price, path)
    if (problem !== undefined) return problem
  }
  return undefined
}

const namedProblem = (unit: string, prices: unknown, path: string): FieldProblem | undefined =>
  unit === "toolCalls" || unit === "other"
    ? recordProblem(prices, `${path}.${unit}`, "prices by name", amountProblem)
    : { field: `${path}.${quoteName(unit)}`, problem: "expected a unit, such as inputToken" }

const recordProblem = (
  record: unknown,
  path: string,
  expected: string,
  problemIn: (value: unknown, path: string) => FieldProblem | undefined
): FieldProblem | undefined => {
  if (record === undefined) return undefined
  if (!isRecord(record)) return { field: path, problem: `expected ${expected}, got ${quote(record)}` }
  for (const [name, value] of Object.entries(record)) {
    const problem = problemIn(value, `${path}.${quoteName(name)}`)
    if (problem !== undefined) return problem
  }
  return undefined
}

const amountProblem = (amount: unknown, field: string, expected: string = expectedAmount): FieldProblem | undefined =>
  isAmount(amount) ? undefined : { field, problem: `expected ${expected}, got ${quote(amount)}` }

const isAmount = (amount: unknown): boolean => isOrdinary(amount) || fromNonNegative(amount) !== undefined

/** Whether a value is a number that is surely an amount, as nearly all of them are. */
export const isOrdinary = (amount: unknown): amount is number =>
  typeof amount === "number" && (amount === 0 || (amount > 1e-20 && amount < 1e20))

const partsProblem = ({ expects }: Fields): FieldProblem | undefined => {
  if (expects === undefined) return undefined
  if (!Array.isArray(expects)) return { field: "expects", problem: `expected a list, got ${quote(expects)}` }
  const wrong = expects.findIndex((name) => !isPart(name))
  return wrong === -1
    ? undefined
    : {
        field: `expects.${wrong}`,
        problem: `expected a meter that is a part of another, such as outputImageTokens, got ${quote(expects[wrong])}`
      }
}

const isPart = (name: unknown): boolean =>
  typeof name === "string" && isMeterName(name) && meterOf(name).partOf !== undefined

const knownUnits: ReadonlySet<string> = new Set(units)
