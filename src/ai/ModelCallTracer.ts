/**
 * A tracer that notices calls of `@effect/ai` models by their spans.
 */
import { type Exit, Fiber, Option, type Tracer, type Types } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { warnFor } from "../fiber/FiberLog.js"
import { CallSite } from "./CallSite.js"
import { type CallName, isModelCallOf, ModelCall, openCallIn, setModelCall } from "./ModelCall.js"
import { areClientsObserved } from "./ObservedModels.js"

/** A tracer that does as another one does, and notices calls as long as `isOn` says so. */
export const observingModelCalls = (tracer: Tracer.Tracer, isOn: () => boolean): Tracer.Tracer => {
  // All else is the other's own: what surrounds each step of a fiber is not called through this one.
  const noticing: Types.Mutable<Tracer.Tracer> = Object.create(tracer)
  noticing.span = (name, parent, context, links, startTime, kind, options) => {
    const span = tracer.span(name, parent, context, links, startTime, kind, options)
    if (names.has(name)) {
      if (isOn()) observe(name as CallName, span)
    } else if (kind === "client") callOfRequest(parent)?.addRequest(span)
    return span
  }
  return noticing
}

const names: ReadonlySet<string> = new Set<CallName>([
  "LanguageModel.generateText",
  "LanguageModel.generateObject",
  "LanguageModel.streamText",
  "EmbeddingModel.embed",
  "EmbeddingModel.embedMany"
])

// On the span itself: a table beside them would be gone through whenever memory is cleaned up.
const ofSpan: unique symbol = Symbol.for("botanu/ai/ModelCall")

interface ObservedSpan extends Tracer.Span {
  [ofSpan]?: ModelCall
}

/** The call of a span, if it was noticed. */
export const callOf = (span: Tracer.Span): ModelCall | undefined => (span as ObservedSpan)[ofSpan]

/** The noticed call for which a request is sent, by its span. What a stream does is not under the span of its call. */
const callOfRequest = (parent: Option.Option<Tracer.AnySpan>): ModelCall | undefined => {
  const above = callAbove(parent)
  if (above !== undefined) return above
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  return fiber && openCallIn(fiber)
}

const callAbove = (parent: Option.Option<Tracer.AnySpan>): ModelCall | undefined => {
  let span = Option.getOrUndefined(parent)
  while (span?._tag === "Span") {
    const call = callOf(span)
    if (call !== undefined) return call
    span = Option.getOrUndefined(span.parent)
  }
  return undefined
}

const observe = (name: CallName, span: ObservedSpan): void => {
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  const site = fiber && CallSite.in(fiber.currentContext)
  if (fiber === undefined || site === undefined || callOf(span) !== undefined) return
  // A data loader embeds each of many by itself.
  if (name === "EmbeddingModel.embed" && openCallIn(fiber)?.name === "EmbeddingModel.embedMany") return
  const call = new ModelCall(fiber, name, site, span)
  const endSpan = span.end
  try {
    span[ofSpan] = call
    span.end = (endTime, exit) => {
      end(call, fiber, exit)
      endSpan.call(span, endTime, exit)
    }
  } catch {
    // A span that cannot be followed is a call that is not seen.
    return
  }
  if (call.isEmbedding || call.isStream || areClientsObserved()) setModelCall(fiber, call)
}

const end = (call: ModelCall, starter: AnyFiber, exit: Exit.Exit<unknown, unknown>): void => {
  const fiber = Option.getOrElse(Fiber.getCurrentFiber(), () => starter)
  try {
    call.end(fiber, exit)
  } catch (error) {
    warnFor(fiber, `the usage of a call of ${call.name} could not be recorded: ${String(error)}`)
  }
  if (isModelCallOf(fiber, call)) setModelCall(fiber, call.parent)
}
