/**
 * A support ticket: what a customer asks for, and how the simulated desk will fare with it.
 */
import { Run } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import { Either, ParseResult, Schema } from "effect"

const { truncate, visible } = TerminalText

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: NoInfer<A>) =>
  Schema.optionalWith(schema, { default: () => value })

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const wholeNumber = (most: number) =>
  Schema.Int.pipe(Schema.between(0, most, { message: () => `expected a whole number from 0 to ${most}` }))

const Milliseconds = wholeNumber(60_000)

const Share = Schema.Number.pipe(Schema.between(0, 1, { message: () => "expected a number from 0 to 1" }))

const Usd = Schema.Number.pipe(
  Schema.greaterThan(0),
  Schema.lessThanOrEqualTo(1_000_000, { message: () => "expected an amount of at most 1000000" })
)

const simulation = {
  /** How long the work takes. */
  workMs: withDefault(Milliseconds, 250),
  /** How many attempts fail before one goes well. */
  failures: withDefault(wholeNumber(9), 0),
  /** Whether the back office waits for an answer that never comes. */
  hangs: optional(Schema.Boolean),
  /** When the customer withdraws the ticket, after work on it began. */
  withdrawnAfterMs: optional(Milliseconds),
  /** How many requests about it the model server refuses, as too many, before one is served. */
  refusals: optional(wholeNumber(9)),
  /** Whether the model server does not say what its answers consumed. */
  untold: optional(Schema.Boolean)
}

const common = {
  // What becomes the id of an event or of a customer is held to the rule of the run.
  id: Run.fields.eventId,
  org: Run.fields.customerId,
  tenant: optional(Run.fields.customerId),
  subject: Schema.NonEmptyString.pipe(Schema.maxLength(200)),
  body: Schema.String.pipe(Schema.maxLength(20_000))
}

/** Asks how something works. */
export const Question = Schema.Struct({
  ...common,
  topic: Schema.Literal("question"),
  simulate: withDefault(
    Schema.Struct({
      ...simulation,
      /** How sure the model is of its reply. */
      confidence: withDefault(Share, 0.9)
    }),
    { workMs: 250, failures: 0, confidence: 0.9 }
  )
})
export type Question = typeof Question.Type

/** A payment that a refund is about. */
export const Payment = Schema.Struct({
  reference: Schema.NonEmptyString.pipe(Schema.maxLength(100)),
  usd: Usd,
  refundable: withDefault(Schema.Boolean, true),
  /** How many simulated lookups fail before one goes well. */
  lookupFailures: withDefault(wholeNumber(9), 0)
})
export type Payment = typeof Payment.Type

/** Asks for money back. */
export const Refund = Schema.Struct({
  ...common,
  topic: Schema.Literal("refund"),
  payments: Schema.Array(Payment).pipe(
    Schema.minItems(1, { message: () => "expected at least one payment" }),
    Schema.maxItems(20, { message: () => "expected at most 20 payments" })
  ),
  simulate: withDefault(Schema.Struct(simulation), { workMs: 250, failures: 0 })
})
export type Refund = typeof Refund.Type

/** Asks to be let in again. */
export const Access = Schema.Struct({
  ...common,
  topic: Schema.Literal("access"),
  /** What the customer has to prove who they are. */
  proof: Schema.Literal("passkey", "email", "none").annotations({
    message: () => ({ message: 'expected "passkey", "email" or "none"', override: true })
  }),
  simulate: withDefault(Schema.Struct(simulation), { workMs: 250, failures: 0 })
})
export type Access = typeof Access.Type

export const Ticket = Schema.Union(Question, Refund, Access)
export type Ticket = typeof Ticket.Type

/** The ticket on a line of JSON, or what is wrong with the line. */
export const fromLine = (line: string): Either.Either<Ticket, string> =>
  parseJson(line).pipe(
    Either.filterOrLeft(isObject, () => "expected a ticket as a JSON object"),
    Either.flatMap((value) => Either.mapLeft(decode(value), firstIssue))
  )

const parseJson = (line: string): Either.Either<unknown, string> =>
  Either.try({ try: () => JSON.parse(line) as unknown, catch: () => "expected a ticket as JSON" })

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

const decode = Schema.decodeUnknownEither(Ticket)

const firstIssue = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return truncate(visible(`${issue?.path.join(".")}: ${issue?.message}`), 160)
}
