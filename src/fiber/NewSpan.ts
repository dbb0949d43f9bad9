/**
 * A span, made at once. Effect makes one in a step of the fiber, and to get the span from that step takes three more.
 */
import { Effect, type FiberRef, Runtime, type Tracer } from "effect"
import { type AnyFiber, setRefFor } from "./CurrentFiber.js"

/** The span that `Effect.makeSpan` makes in this fiber. Throws what the tracer throws. */
export const makeSpanFor = (fiber: AnyFiber, name: string, options: Tracer.SpanOptions): Tracer.Span => {
  const effect = Effect.makeSpan(name, options)
  const { _op, effect_instruction_i0: step } = effect as unknown as Step
  if (_op !== "WithRuntime" || step === undefined) return runSync(fiber, effect)
  const made = step(fiber)
  return made._op === "Success" ? made.effect_instruction_i0 : runSync(fiber, effect)
}

/** A span that no tracer sees. */
export const makeUnseenSpanFor = (fiber: AnyFiber, name: string): Tracer.Span =>
  runSync(fiber, Effect.withTracerEnabled(Effect.makeSpan(name, { captureStackTrace: false }), false))

/** What `make` gives while a reference of the fiber holds another value. */
export const withRefFor = <A, B>(fiber: AnyFiber, ref: FiberRef.FiberRef<A>, value: A, make: () => B): B => {
  const before = fiber.getFiberRef(ref)
  if (before === value) return make()
  setRefFor(fiber, ref, value)
  try {
    return make()
  } finally {
    setRefFor(fiber, ref, before)
  }
}

// Effect's own form of an effect that is one step of its fiber.
interface Step {
  readonly _op: string
  readonly effect_instruction_i0?: (fiber: AnyFiber) => {
    readonly _op: string
    readonly effect_instruction_i0: Tracer.Span
  }
}

const runSync = (fiber: AnyFiber, effect: Effect.Effect<Tracer.Span>): Tracer.Span =>
  Runtime.runSync(
    Runtime.make({
      context: fiber.currentContext,
      runtimeFlags: Runtime.defaultRuntimeFlags,
      fiberRefs: fiber.getFiberRefs()
    }),
    effect
  )
