/**
 * Calls of `@effect/ai` models in a run that nothing records: without this, such a run would seem to have cost nothing.
 */
import { type Clock, Context, DefaultServices, Effect, Tracer, type Types } from "effect"
import { type AnyFiber, clockOf } from "../fiber/CurrentFiber.js"
import { wrapOnce } from "../fiber/TracerWrapper.js"
import { scopeOf } from "../lifecycle/RunScope.js"
import type { Run } from "../run/Run.js"

/** On the span transformer of an integration that records the calls itself. */
export const recordsModelCalls: unique symbol = Symbol.for("botanu/ai/recordsModelCalls")

// The tags of `@effect/ai`, which the core does not import.
const languageModelKey = "@effect/ai/LanguageModel"
const spanTransformerKey = "@effect/ai/Telemetry/CurrentSpanTransformer"

const spanNames: ReadonlySet<string> = new Set([
  "LanguageModel.generateText",
  "LanguageModel.generateObject",
  "LanguageModel.streamText"
])

/** Once a process; by clock, so that the time of one test is not that of another. */
const hasWarned = new WeakSet<Clock.Clock>()

/**
 * `work` on a run, after which a warning is logged where it called a model that was in its context from the start, and no usage of
 * a model is on the record.
 */
export const noticingModelCalls = <A, E, R>(
  fiber: AnyFiber,
  run: Run,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const context = fiber.currentContext
  if (!context.unsafeMap.has(languageModelKey) || hasWarned.has(clockOf(fiber)) || isRecorded(context)) return work
  const services = fiber.currentDefaultServices
  let isCalled = false
  const noticing = wrapOnce(Context.get(services, Tracer.Tracer), (tracer) => {
    const own: Types.Mutable<Tracer.Tracer> = Object.create(tracer)
    own.span = (name, ...rest) => {
      if (spanNames.has(name)) isCalled = true
      return tracer.span(name, ...rest)
    }
    return own
  })
  const noticed = Effect.locally(work, DefaultServices.currentServices, Context.add(services, Tracer.Tracer, noticing))
  return Effect.onExit(noticed, () => {
    const usages = scopeOf(context, run)?.usageTotals?.usages ?? []
    if (!isCalled || hasWarned.has(clockOf(fiber)) || usages.some(({ usage }) => usage.kind === "llm"))
      return Effect.void
    hasWarned.add(clockOf(fiber))
    return Effect.logWarning(
      `run ${run.runId} of workflow "${run.workflow}" called a language model, and its usage is not recorded: ` +
        "provide RunAi.layer of botanu-effect/ai, or use Llm.track. This is logged once"
    )
  })
}

const isRecorded = (context: Context.Context<never>): boolean => {
  const transformer: unknown = context.unsafeMap.get(spanTransformerKey)
  return typeof transformer === "function" && recordsModelCalls in transformer
}
