/**
 * How a run comes to be in this process: from options, or as the next attempt after another run.
 */
import { type ConfigError, Context, DateTime, Duration, Either, Schema } from "effect"
import { type AnyFiber, clockOf } from "../fiber/CurrentFiber.js"
import * as DurationOption from "../schema/DurationOption.js"
import * as FieldText from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { maxAttempt } from "../wire/Wire.js"
import type { CallSite } from "./CallSite.js"
import { makeRunUnsafe, type Run, type RunFields } from "./Run.js"
import { Generator, type RunId } from "./RunId.js"
import type { SettingsResult } from "./Settings.js"

/**
 * What a run is made of.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RunContext, type RunOptions } from "botanu-effect"
 *
 * const options: RunOptions = { workflow: "Support", eventId: "ticket-42", customerId: "bigretail" }
 * const run = await Effect.runPromise(RunContext.make(options))
 *
 * console.log(run.attempt) // 1
 * ```
 *
 * @since 0.1.0
 * @category models
 */
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
  /** How long the run may take, from its start; an earlier deadline of the enclosing run comes first. */
  readonly deadline?: Duration.DurationInput | undefined
}

/** Options, and where they were given. */
export interface RunRequest extends RunOptions {
  readonly callSite?: CallSite | undefined
}

/**
 * A run could not be made: `field` is not what was expected. Nothing was started. The message names the workflow too, and where it
 * was called.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu, InvalidRunContext } from "botanu-effect"
 *
 * const program = Effect.void.pipe(Botanu.workflow("Support", { eventId: "", customerId: "bigretail" }))
 *
 * const error = await Effect.runPromise(Effect.flip(program))
 * console.log(error instanceof InvalidRunContext, error.field) // true eventId
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRunContext extends Schema.TaggedError<InvalidRunContext>()("InvalidRunContext", {
  /** The option or the environment variable that is wrong. */
  field: Schema.String,
  /** What was expected of it, and an excerpt of what was found. */
  problem: Schema.String,
  /** The workflow that the run was to be of. */
  workflow: optional(Schema.String)
}) {
  /** Where the workflow was called: file, line and column. It is not encoded, and stays in the process. */
  get callSite(): string | undefined {
    return callSites.get(this)?.()
  }

  override get message(): string {
    const where = [this.workflow && `workflow ${FieldText.quote(this.workflow)}`, this.callSite].filter(Boolean)
    return `${this.field}: ${this.problem}${where.length === 0 ? "" : ` (${where.join(", ")})`}`
  }
}

const callSites = new WeakMap<InvalidRunContext, CallSite>()

/** The error, with the workflow and the place that were asked for a run. */
export const invalidRequest = (
  { callSite, workflow }: Pick<RunRequest, "callSite" | "workflow">,
  { field, problem }: FieldText.FieldProblem
): InvalidRunContext => {
  const error = new InvalidRunContext({ field, problem, ...(typeof workflow === "string" && { workflow }) })
  if (callSite !== undefined) callSites.set(error, callSite)
  return error
}

/**
 * A run of these options. Without `previous` it is a first attempt, whose parent is the enclosing run; otherwise it is the attempt
 * after `previous`, and has the parent of that one. The deadline is bounded by that of the enclosing run.
 */
export const fromOptions = (
  fiber: AnyFiber,
  request: RunRequest,
  parent: Run | undefined,
  previous: Run | undefined,
  settings: SettingsResult
): Either.Either<Run, InvalidRunContext> =>
  Either.mapLeft(validated(fiber, request, parent, previous, settings), (problem) => invalidRequest(request, problem))

const validated = (
  fiber: AnyFiber,
  options: RunOptions,
  parent: Run | undefined,
  previous: Run | undefined,
  settings: SettingsResult
): Either.Either<Run, FieldText.FieldProblem> => {
  const environment = environmentOf(settings, options.environment)
  if (Either.isLeft(environment)) return Either.left(environment.left)
  const problem = textProblem(options, environment.right) ?? previousProblem(options, previous)
  if (problem !== undefined) return Either.left(problem)
  const nowMillis = nowMillisOf(fiber)
  if (Either.isLeft(nowMillis)) return Either.left(nowMillis.left)
  const runId = idAt(fiber, nowMillis.right)
  if (Either.isLeft(runId)) return Either.left(runId.left)
  const now = DateTime.unsafeMake(nowMillis.right)
  const deadline = deadlineOf(now, options.deadline, parent)
  if (Either.isLeft(deadline)) return Either.left(deadline.left)

  const fields: RunFields = {
    runId: runId.right,
    workflow: options.workflow,
    eventId: options.eventId,
    customerId: options.customerId,
    environment: environment.right,
    rootRunId: previous === undefined ? runId.right : previous.rootRunId,
    // Baggage has no place for more digits, and a workflow may be retried for ever.
    attempt: previous === undefined ? 1 : Math.min(previous.attempt + 1, maxAttempt),
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
  return Either.right(makeRunUnsafe(fields))
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

const invalid = (field: string, problem: string): FieldText.FieldProblem => ({ field, problem })

const nowMillisOf = (fiber: AnyFiber): Either.Either<number, FieldText.FieldProblem> =>
  Either.try({
    try: () => clockOf(fiber).unsafeCurrentTimeMillis(),
    catch: (error) => invalid("clock", `expected the time, got ${FieldText.quote(error)}`)
  })

const maxIdMillis = 2 ** 48 - 1

/** An id at an instant of the clock, which a UUIDv7 holds as 48 bits of milliseconds. */
const idAt = (fiber: AnyFiber, millis: number): Either.Either<RunId, FieldText.FieldProblem> => {
  if (!(millis >= 0 && millis <= maxIdMillis)) return Either.left(invalid("clock", expectedTime(millis)))
  return Either.try({
    try: () => Context.get(fiber.currentContext, Generator).unsafeMake(millis),
    catch: (error) => invalid("runId", `expected an id of RunId.Generator, got ${FieldText.quote(error)}`)
  })
}

const expectedTime = (millis: number): string =>
  `expected a time that a UUIDv7 can hold, from 1970 to the year 10889, got ${FieldText.quote(millis)} ms`

const environmentOf = (
  settings: SettingsResult,
  option: string | undefined
): Either.Either<string, FieldText.FieldProblem> =>
  Either.mapBoth(settings, {
    onLeft: (error) => fromConfigError(error),
    onRight: ({ environment }) => option ?? environment
  })

/** A wrong environment variable, named as the environment spells it. */
const fromConfigError = (error: ConfigError.ConfigError): FieldText.FieldProblem => {
  const wrong = invalidData(error)
  return wrong === undefined ? invalid("ConfigProvider", String(error)) : invalid(wrong.path.join("_"), wrong.message)
}

const invalidData = (error: ConfigError.ConfigError): ConfigError.InvalidData | undefined => {
  if (error._op === "InvalidData") return error
  return error._op === "And" || error._op === "Or" ? (invalidData(error.left) ?? invalidData(error.right)) : undefined
}

const textFields = ["workflow", "eventId", "customerId", "tenantId", "version"] as const

const textProblem = (options: RunOptions, environment: string): FieldText.FieldProblem | undefined => {
  for (const field of textFields) {
    const value = options[field]
    const isAbsent = value === undefined && (field === "tenantId" || field === "version")
    const expected = isAbsent ? undefined : FieldText.refusal(value)
    if (expected !== undefined) return invalid(field, `${expected}, got ${FieldText.quote(value)}`)
  }
  const expected = FieldText.refusal(environment)
  return expected === undefined ? undefined : invalid("environment", `${expected}, got ${FieldText.quote(environment)}`)
}

const previousProblem = (options: RunOptions, previous: Run | undefined): FieldText.FieldProblem | undefined => {
  if (previous === undefined) return undefined
  if (options.eventId === previous.eventId) return undefined
  const expected = `expected ${FieldText.quote(previous.eventId)}, the event of the run that is retried`
  return invalid("eventId", `${expected}, got ${FieldText.quote(options.eventId)}`)
}

/** The earlier of the run's own deadline and that of the enclosing run. */
const deadlineOf = (
  now: DateTime.Utc,
  input: Duration.DurationInput | undefined,
  parent: Run | undefined
): Either.Either<DateTime.Utc | undefined, FieldText.FieldProblem> => {
  if (input === undefined) return Either.right(parent?.deadline)
  const duration = DurationOption.decode(input)
  if (Either.isLeft(duration)) return Either.left(invalid("deadline", duration.left))
  // Rounded up: a deadline is never earlier than asked.
  const millis = Math.ceil(now.epochMillis + Duration.toMillis(duration.right))
  if (parent?.deadline !== undefined && parent.deadline.epochMillis <= millis) return Either.right(parent.deadline)
  if (!Duration.isFinite(duration.right)) return Either.right(undefined)
  return Either.fromOption(DateTime.make(millis), () =>
    invalid(
      "deadline",
      `expected an instant that a date can hold, got ${FieldText.quote(Duration.format(duration.right))} from now`
    )
  )
}
