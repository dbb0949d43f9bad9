/**
 * The span transformer of `@effect/ai`, through which a response reaches the call that it answers.
 */
import type { Telemetry } from "@effect/ai"
import { Exit, Fiber, Option } from "effect"
import { recordsModelCalls } from "../tracking/UnrecordedModelCalls.js"
import { CallSite } from "./CallSite.js"
import { type CallName, ModelCall } from "./ModelCall.js"
import { callOf } from "./ModelCallTracer.js"
import { isObserved, languageModelIn } from "./ObservedModels.js"

/** Reports the response to its call, then does what the outer transformer does. */
export const responseTransformer = (outer: Telemetry.SpanTransformer | undefined): Telemetry.SpanTransformer =>
  Object.assign(
    (options: Options) => {
      try {
        report(options)
      } catch {
        // A response that is not understood is not reported; the call is recorded all the same.
      }
      outer?.(options)
    },
    { [recordsModelCalls]: true }
  )

type Options = Parameters<Telemetry.SpanTransformer>[0]

const report = ({ response, span }: Options): void => {
  const call = callOf(span)
  if (call === undefined) record(response, span)
  else call.report(response)
}

/** Records a call whose start was not seen, as tracing is off for it. Where its exchanges are observed, those report it. */
const record = (response: Options["response"], span: Options["span"]): void => {
  const fiber = Option.getOrUndefined(Fiber.getCurrentFiber())
  const site = fiber && CallSite.in(fiber.currentContext)
  if (fiber === undefined || site === undefined) return
  if (isObserved(languageModelIn(fiber.currentContext))) return
  const call = new ModelCall(fiber, span.name as CallName, site, span)
  call.report(response)
  call.end(fiber, Exit.void)
}
