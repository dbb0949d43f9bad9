/**
 * A support ticket: what a customer asks for, and how the simulated desk will fare with it.
 */
import { FileSystem } from "@effect/platform"
import { Run } from "botanu-effect"
import { Effect, Schema } from "effect"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const orZero = Schema.optionalWith(Schema.Int, { default: () => 0 })

const simulation = {
  /** How long the work takes. */
  workMs: Schema.Int,
  /** How many attempts fail before one goes well. */
  failures: orZero,
  /** Whether the back office waits for an answer that never comes. */
  hangs: optional(Schema.Boolean),
  /** When the customer withdraws the ticket, after work on it began. */
  withdrawnAfterMs: optional(Schema.Int),
  /** How many requests about it the models refuse, as too many, before one is served. */
  refusals: orZero,
  /** Whether the models do not report what their answers consumed. */
  untold: optional(Schema.Boolean)
}

const common = {
  // What becomes the id of an event or of a customer follows the rule of the run.
  id: Run.fields.eventId,
  org: Run.fields.customerId,
  tenant: Run.fields.customerId,
  subject: Schema.NonEmptyString,
  body: Schema.String
}

/** Asks how something works. */
export const Question = Schema.Struct({
  ...common,
  topic: Schema.Literal("question"),
  /** `confidence`: how sure the model is of its reply. */
  simulate: Schema.Struct({ ...simulation, confidence: Schema.Number })
})
export type Question = typeof Question.Type

/** A payment that a refund is about. */
export const Payment = Schema.Struct({
  reference: Schema.NonEmptyString,
  usd: Schema.Number,
  refundable: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  /** How many lookups fail before one goes well. */
  lookupFailures: orZero
})
export type Payment = typeof Payment.Type

/** Asks for money back. */
export const Refund = Schema.Struct({
  ...common,
  topic: Schema.Literal("refund"),
  payments: Schema.Array(Payment),
  simulate: Schema.Struct(simulation)
})
export type Refund = typeof Refund.Type

/** Asks to be let in again. */
export const Access = Schema.Struct({
  ...common,
  topic: Schema.Literal("access"),
  proof: Schema.Literal("passkey", "email", "none"),
  simulate: Schema.Struct(simulation)
})
export type Access = typeof Access.Type

export const Ticket = Schema.Union(Question, Refund, Access)
export type Ticket = typeof Ticket.Type

const fromLine = Schema.decode(Schema.parseJson(Ticket))

/** The tickets of a file of JSON lines. */
export const fromFile = (path: string) =>
  FileSystem.FileSystem.pipe(
    Effect.flatMap((files) => files.readFileString(path)),
    Effect.flatMap((text) => Effect.forEach(text.trimEnd().split("\n"), (line) => fromLine(line)))
  )
