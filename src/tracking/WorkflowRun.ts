/**
 * The runs of a workflow: its attempts within their budgets, with a look at calls of models that nothing records.
 */
import { Effect, Either, Stream } from "effect"
import { type Budget, BudgetExceeded, BudgetMeter, type ValidBudget, validate } from "../cost/Budget.js"
import { withinBudgets } from "../cost/PeriodBudget.js"
import type { AttemptOptions } from "../lifecycle/Attempt.js"
import * as Attempt from "../lifecycle/Attempt.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { lostLineage } from "../lifecycle/IncomingRun.js"
import { type RetryOptions, retry } from "../lifecycle/Retry.js"
import type { Cancellation } from "../lifecycle/RunScope.js"
import { streamRun } from "../lifecycle/StreamRun.js"
import { type CallSite, framesOf } from "../run/CallSite.js"
import { InvalidRunContext, invalidRequest } from "../run/NewRun.js"
import { remoteSpanOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { noticingModelCalls } from "./UnrecordedModelCalls.js"

/** The options of a workflow, and where it was called and defined. */
export interface WorkflowRequest extends Omit<AttemptOptions<unknown>, "budgetMeter" | "cancellation"> {
  readonly budget?: Budget | undefined
  readonly retry?: RetryOptions["policy"] | undefined
  readonly retryOf?: Run | undefined
}

/**
 * A request for a run, from where `callSite` and `definition` say. It is put together by name: to copy the options and add to the copy
 * would take a tenth of the time of a run.
 */
export const requestOf = (
  workflow: string,
  options: Omit<WorkflowRequest, "workflow" | "callSite" | "stackFrames">,
  callSite: CallSite,
  definition?: CallSite
): WorkflowRequest => ({
  workflow,
  eventId: options.eventId,
  customerId: options.customerId,
  tenantId: options.tenantId,
  environment: options.environment,
  version: options.version,
  deadline: options.deadline,
  budget: options.budget,
  retry: options.retry,
  retryOf: options.retryOf,
  spanKind: options.spanKind,
  autoOutcome: options.autoOutcome,
  outcome: options.outcome,
  callSite,
  stackFrames: () => (definition === undefined ? framesOf(callSite) : framesOf(definition, callSite))
})

/** What a workflow is made of. */
export type Work = Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** The work as a run of its own each time that it is executed. */
export const runOf = <W extends Work>(work: W, request: WorkflowRequest): W =>
  // In its types an effect is a stream, too.
  (Effect.isEffect(work)
    ? runOfEffect(work as Effect.Effect<unknown, unknown>, request)
    : runStream(work, request)) as W

const runStream = (
  body: Stream.Stream<unknown, unknown>,
  { budget, retry: _, retryOf, ...request }: WorkflowRequest
): Stream.Stream<unknown, unknown> => {
  const checked = Effect.withFiberRuntime<void, unknown>((fiber) => {
    const run = currentRun(fiber.currentContext)
    return run === undefined ? Effect.void : withinBudgets(fiber, run, Effect.void)
  })
  const previous = retryOf && { run: retryOf, span: remoteSpanOf(retryOf) }
  const ran = streamRun(Stream.concat(Stream.execute(checked), body), () => {
    const valid = budget && validate(budget)
    if (valid !== undefined && Either.isLeft(valid)) return Either.left(invalidRequest(request, valid.left))
    return Either.right([{ ...request, budgetMeter: accountFor(valid?.right)() }, previous])
  })
  const warning = retryOf && lostLineage(retryOf)
  return warning === undefined ? ran : Stream.concat(Stream.execute(warning), ran)
}

/** The same of an effect. `onOpen` learns of each attempt when it is opened, also of one whose work does not begin. */
export const runOfEffect = (
  body: Effect.Effect<unknown, unknown>,
  request: WorkflowRequest,
  onOpen: (run: Run) => void = ignore
): Effect.Effect<unknown, unknown> => {
  const warning = request.retryOf && lostLineage(request.retryOf)
  const attempted = attempts(body, request, onOpen)
  return warning === undefined ? attempted : Effect.zipRight(warning, attempted)
}

const attempts = (
  work: Effect.Effect<unknown, unknown>,
  request: WorkflowRequest,
  onOpen: (run: Run) => void
): Effect.Effect<unknown, unknown> => {
  const { budget, retry: policy, retryOf } = request
  const body = begun(work)
  const first = retryOf && { run: retryOf, span: remoteSpanOf(retryOf) }
  if (budget === undefined && policy === undefined)
    return Attempt.attempt(body, request, first, ({ run }) => onOpen(run))
  return Effect.suspend(() => {
    const checked = budget && validate(budget)
    if (checked !== undefined && Either.isLeft(checked)) return Effect.fail(invalidRequest(request, checked.left))
    const account = accountFor(checked?.right)
    let previous: Attempt.Previous | undefined = first
    const attempt = (cancellation?: Cancellation) =>
      Effect.suspend(() =>
        Attempt.attempt(body, { budgetMeter: account(), cancellation, ...request }, previous, (opened) => {
          previous = opened
          onOpen(opened.run)
        })
      )
    if (policy === undefined) return attempt()
    const isFinal = (error: unknown) =>
      error instanceof InvalidRunContext ||
      (error instanceof BudgetExceeded &&
        (error.scope !== "run" || checked?.right.retries === true) &&
        error.runId === previous?.run.runId)
    return retry(attempt, { policy, isFinal, lastRun: () => previous?.run })
  })
}

const ignore = () => {}

/** The work on a run, unless a budget over time is exceeded when it begins. Its failure is in no type, as its layer is not. */
const begun =
  (work: Effect.Effect<unknown, unknown>): Attempt.Body<unknown, unknown, never> =>
  (fiber, run) =>
    withinBudgets(fiber, run, noticingModelCalls(fiber, run, work))

/** What the next attempt may spend: what is left of the one account, or all of a new one. */
const accountFor = (budget: ValidBudget | undefined): (() => BudgetMeter | undefined) => {
  if (budget === undefined) return () => undefined
  const shared = new BudgetMeter(budget)
  return () => (budget.retries ? shared : new BudgetMeter(budget))
}
