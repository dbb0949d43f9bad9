/**
 * A run from the baggage of a peer: strictly, as a Schema, or leniently, as the edges take it.
 */
import { DateTime, Effect, Option, ParseResult, Schema } from "effect"
import { BaggageFromSelf } from "../baggage/Baggage.js"
import type { Baggage } from "../baggage/BaggageMembers.js"
import * as FieldText from "../schema/FieldText.js"
import { Key, maxAttempt } from "../wire/Wire.js"
import { makeRunUnsafe, Run, type RunFields } from "./Run.js"
import { isUuid, type Uuid } from "./RunId.js"

/** A baggage key that does not hold what it should. */
export interface Problem {
  readonly key: string
  readonly expected: string
  readonly actual: string | undefined
}

/** What baggage says of a run; `run` is absent where one of the four required keys is missing or bad. */
export interface Received {
  readonly run: Option.Option<Run>
  /** The step of the run in which it was sent. */
  readonly step: string | undefined
  readonly problems: ReadonlyArray<Problem>
  /** How many of our keys there were, good or bad. */
  readonly keys: number
}

/**
 * Reads a run. A bad optional key is left out and the run goes on with its default: attempt 1, no deadline, not cancelled,
 * `rootRunId` the run's own id, environment `unknown`.
 */
export const read = (baggage: Baggage, receivedAt: DateTime.Utc): Received => {
  const reader = new Reader(baggage)
  const runId = reader.required(Key.runId, uuidRefusal) as Uuid | undefined
  const workflow = reader.required(Key.workflow, FieldText.refusal)
  const eventId = reader.required(Key.eventId, FieldText.refusal)
  const customerId = reader.required(Key.customerId, FieldText.refusal)
  const environment = reader.optional(Key.environment, FieldText.refusal)
  const tenantId = reader.optional(Key.tenantId, FieldText.refusal)
  const parentRunId = reader.optional(Key.parentRunId, uuidRefusal) as Uuid | undefined
  const rootRunId = reader.optional(Key.rootRunId, uuidRefusal) as Uuid | undefined
  const attempt = reader.optional(Key.attempt, attemptRefusal)
  const retryOfRunId = reader.optional(Key.retryOfRunId, uuidRefusal) as Uuid | undefined
  const deadline = reader.optional(Key.deadline, deadlineRefusal)
  const cancelled = reader.optional(Key.cancelled, anything)
  const step = reader.optional(Key.step, FieldText.refusal)
  const { keys, problems } = reader
  if (runId === undefined || workflow === undefined || eventId === undefined || customerId === undefined) {
    return { run: Option.none(), step: undefined, problems, keys }
  }
  const fields: RunFields = {
    runId,
    workflow,
    eventId,
    customerId,
    environment: environment ?? "unknown",
    rootRunId: rootRunId ?? runId,
    attempt: attempt === undefined ? 1 : Number(attempt),
    startTime: receivedAt,
    cancelled: cancelled?.toLowerCase() === "true"
  }
  if (tenantId !== undefined) fields.tenantId = tenantId
  if (parentRunId !== undefined) fields.parentRunId = parentRunId
  if (retryOfRunId !== undefined) fields.retryOfRunId = retryOfRunId
  if (deadline !== undefined) fields.deadline = DateTime.unsafeMake(Number(deadline))
  // Each field was checked above, by the rule of its schema.
  return { run: Option.some(makeRunUnsafe(fields)), step, problems, keys }
}

/** What was wrong, for a person: the key, what was expected, and at most 64 characters of what was found. */
export const describe = (problem: Problem): string =>
  problem.actual === undefined
    ? `${problem.key}: ${problem.expected}, but it is missing`
    : `${problem.key}: ${problem.expected}, got ${FieldText.quote(problem.actual)}`

/** `Baggage` to `Run` and back, in full mode. Strict: any bad key is a `ParseError` that names it. */
export const FromBaggage: Schema.Schema<Run, Baggage> = Schema.transformOrFail(
  BaggageFromSelf,
  Schema.typeSchema(Run),
  {
    strict: true,
    decode: (baggage, options, ast) =>
      Effect.flatMap(DateTime.now, (now) => {
        const { problems, run } = read(baggage, now)
        return Option.isSome(run) && problems.length === 0
          ? ParseResult.succeed(run.value)
          : ParseResult.fail(parseIssue(baggage, ast, options.errors === "all" ? problems : problems.slice(0, 1)))
      }),
    encode: (run) => ParseResult.succeed(run.toBaggage("full"))
  }
).annotations({ identifier: "RunFromBaggage" })

const parseIssue = (
  baggage: Baggage,
  ast: ConstructorParameters<typeof ParseResult.Type>[0],
  problems: ReadonlyArray<Problem>
): ParseResult.ParseIssue =>
  new ParseResult.Composite(
    ast,
    baggage,
    problems.map(
      (problem) =>
        new ParseResult.Pointer(
          problem.key,
          baggage,
          new ParseResult.Type(ast, FieldText.quote(problem.actual), describe(problem))
        )
    ) as [ParseResult.ParseIssue, ...Array<ParseResult.ParseIssue>]
  )

type Refusal = (value: string) => string | undefined

class Reader {
  readonly problems: Array<Problem> = []
  keys = 0

  constructor(private readonly baggage: Baggage) {}

  required(key: string, refusal: Refusal): string | undefined {
    const member = this.baggage.members.get(key)
    if (member !== undefined) return this.checked(key, member.value, refusal)
    this.problems.push({ key, expected: "expected a value", actual: undefined })
    return undefined
  }

  optional(key: string, refusal: Refusal): string | undefined {
    const { members } = this.baggage
    // In lean mode all there is was found before the first optional key.
    const member = this.keys < members.size ? members.get(key) : undefined
    return member === undefined ? undefined : this.checked(key, member.value, refusal)
  }

  private checked(key: string, actual: string, refusal: Refusal): string | undefined {
    this.keys += 1
    const expected = refusal(actual)
    if (expected === undefined) return actual
    this.problems.push({ key, expected, actual })
    return undefined
  }
}

const anything: Refusal = () => undefined

const uuidRefusal: Refusal = (value) => (isUuid(value) ? undefined : "expected a UUID")

const attemptRefusal: Refusal = (value) =>
  /^[1-9][0-9]{0,5}$/.test(value) ? undefined : `expected a whole number from 1 to ${maxAttempt}`

// The range of time values (ECMA-262, section "Time Values and Time Range").
const maxEpochMillis = 8.64e15

const deadlineRefusal: Refusal = (value) =>
  /^-?[0-9]{1,16}$/.test(value) && Math.abs(Number(value)) <= maxEpochMillis
    ? undefined
    : "expected whole milliseconds since the epoch"
