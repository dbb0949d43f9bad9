/**
 * How a run comes to be in this process: from options, or as the next attempt after another run.
 */
import { type ConfigError, Context, DateTime, Duration, Either, Schema } from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import * as FieldText from "../schema/FieldText.js"
import { type FieldsOf, makeUnsafe } from "../schema/SchemaRecord.js"
import { maxAttempt } from "../wire/Wire.js"
import { Run } from "./Run.js"
import { Generator } from "./RunId.js"
import { settingsFor } from "./Settings.js"

/** What a run is made of. */
export interface RunOptions {
  /** The name of the work. */
  readonly workflow: string
  /** The business transaction that the run is an attempt at. */
  readonly eventId: string
  /** The customer that the event belongs to. */
  readonly customerId: string
  /** The tenant, in a system of several. */
  readonly tenantId?: string | undefined
  /**
   * The deployment environment.
   * @default `BOTANU_ENVIRONMENT`, else `DEPLOYMENT_ENVIRONMENT`, else `production`
   */
  readonly environment?: string | undefined
  /** The version of the workflow. */
  readonly version?: string | undefined
  /** How long the run may take, from its start; an earlier deadline of the run around it comes first. */
  readonly deadline?: Duration.DurationInput | undefined
}

/** A run could not be made: `field` is not what was expected. Nothing was started. */
export class InvalidRunContext extends Schema.TaggedError<InvalidRunContext>()("InvalidRunContext", {
  /** The option or the environment variable that is wrong. */
  field: Schema.String,
  /** What was expected of it, and an excerpt of what was found. */
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * A run of these options. Without `previous` it is a first attempt, whose parent is the run around it; otherwise it is the
 * attempt after `previous`, and stands where that one stood. The deadline is bounded by that of the run around it.
 */
export const fromOptions = (
  fiber: AnyFiber,
  options: RunOptions,
  parent: Run | undefined,
  previous: Run | undefined
): Either.Either<Run, InvalidRunContext> => {
  const environment = environmentOf(fiber, options.environment)
  if (Either.isLeft(environment)) return Either.left(environment.left)
  const problem = textProblem(options, environment.right) ?? previousProblem(options, previous)
  if (problem !== undefined) return Either.left(problem)
  const now = nowOf(fiber)
  const deadline = deadlineOf(now, options.deadline, parent)
  if (Either.isLeft(deadline)) return Either.left(deadline.left)

  const runId = Context.get(fiber.currentContext, Generator).unsafeMake(now.epochMillis)
  const fields: FieldsOf<typeof Run> = {
    runId,
    workflow: options.workflow,
    eventId: options.eventId,
    customerId: options.customerId,
    environment: environment.right,
    rootRunId: previous === undefined ? runId : previous.rootRunId,
    attempt: previous === undefined ? 1 : previous.attempt + 1,
    startTime: now,
    cancelled: parent?.cancelled ?? false
  }
  const parentRunId = previous === undefined ? parent?.runId : previous.parentRunId
  if (parentRunId !== undefined) fields.parentRunId = parentRunId
  if (previous !== undefined) fields.retryOfRunId = previous.runId
  if (options.tenantId !== undefined) fields.tenantId = options.tenantId
  if (options.version !== undefined) fields.workflowVersion = options.version
  if (deadline.right !== undefined) fields.deadline = deadline.right
  // Each field was checked above, by the rule of its schema.
  return Either.right(makeUnsafe(Run, fields))
}

/** The options of the attempt after `previous`. The time that it had is granted anew. */
export const optionsOf = (previous: Run): RunOptions => ({
  workflow: previous.workflow,
  eventId: previous.eventId,
  customerId: previous.customerId,
  tenantId: previous.tenantId,
  environment: previous.environment,
  version: previous.workflowVersion,
  deadline: previous.deadline && Math.max(0, previous.deadline.epochMillis - previous.startTime.epochMillis)
})

const invalid = (field: string, problem: string): InvalidRunContext => new InvalidRunContext({ field, problem })

const environmentOf = (fiber: AnyFiber, option: string | undefined): Either.Either<string, InvalidRunContext> =>
  Either.mapBoth(settingsFor(fiber), {
    onLeft: (error) => fromConfigError(error),
    onRight: (settings) => option ?? settings.environment
  })

/** A wrong environment variable, named as the environment spells it. */
const fromConfigError = (error: ConfigError.ConfigError): InvalidRunContext => {
  const wrong = invalidData(error)
  return wrong === undefined ? invalid("environment", String(error)) : invalid(wrong.path.join("_"), wrong.message)
}

const invalidData = (error: ConfigError.ConfigError): ConfigError.InvalidData | undefined => {
  if (error._op === "InvalidData") return error
  return error._op === "And" || error._op === "Or" ? (invalidData(error.left) ?? invalidData(error.right)) : undefined
}

const textFields = ["workflow", "eventId", "customerId", "tenantId", "version"] as const

const textProblem = (options: RunOptions, environment: string): InvalidRunContext | undefined => {
  for (const field of textFields) {
    const value = options[field]
    const isAbsent = value === undefined && (field === "tenantId" || field === "version")
    const expected = isAbsent ? undefined : FieldText.refusal(value)
    if (expected !== undefined) return invalid(field, `${expected}, got ${FieldText.quote(value)}`)
  }
  const expected = FieldText.refusal(environment)
  return expected === undefined ? undefined : invalid("environment", `${expected}, got ${FieldText.quote(environment)}`)
}

const previousProblem = (options: RunOptions, previous: Run | undefined): InvalidRunContext | undefined => {
  if (previous === undefined) return undefined
  if (previous.attempt >= maxAttempt) return invalid("retryOf", `expected an attempt before number ${maxAttempt}`)
  if (options.eventId === previous.eventId) return undefined
  const expected = `expected ${FieldText.quote(previous.eventId)}, the event of the run that is retried`
  return invalid("eventId", `${expected}, got ${FieldText.quote(options.eventId)}`)
}

/** The earlier of the run's own deadline and that of the run around it. */
const deadlineOf = (
  now: DateTime.Utc,
  input: Duration.DurationInput | undefined,
  parent: Run | undefined
): Either.Either<DateTime.Utc | undefined, InvalidRunContext> => {
  if (input === undefined) return Either.right(parent?.deadline)
  const duration = Duration.decodeUnknown(input)
  if (duration._tag === "None")
    return Either.left(invalid("deadline", `expected a duration, got ${FieldText.quote(input)}`))
  // Rounded up: a deadline is never earlier than asked.
  const millis = Math.ceil(now.epochMillis + Duration.toMillis(duration.value))
  if (parent?.deadline !== undefined && parent.deadline.epochMillis <= millis) return Either.right(parent.deadline)
  if (!Duration.isFinite(duration.value)) return Either.right(undefined)
  return Either.fromOption(DateTime.make(millis), () =>
    invalid(
      "deadline",
      `expected an instant that a date can hold, got ${FieldText.quote(Duration.format(duration.value))} from now`
    )
  )
}
