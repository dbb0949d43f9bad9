/**
 * A named part of a run, for which its cost can be shown apart.
 */
import { Context, Effect, FiberRef, Function, HashMap, Stream, Tracer } from "effect"
import * as BoundedWarning from "./fiber/BoundedWarning.js"
import type { AnyFiber } from "./fiber/CurrentFiber.js"
import { type LocalValues, withLocals } from "./fiber/LocalRefs.js"
import { CurrentStep } from "./lifecycle/CurrentStep.js"
import { scopeOf } from "./lifecycle/RunScope.js"
import { RunContext } from "./RunContext.js"
import { quote, refusal } from "./schema/FieldText.js"
import { Key, stepSpanName } from "./wire/Wire.js"

/**
 * An effect or a stream as a step of a run: it requires `RunContext`.
 *
 * @example
 * ```ts
 * import { Botanu, type RunContext } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const documents: Botanu.Step<Effect.Effect<ReadonlyArray<string>>> = Botanu.step(Effect.succeed(["a"]), "retrieval")
 * const inRun: Effect.Effect<ReadonlyArray<string>, never, RunContext> = documents
 * ```
 *
 * @since 0.2.0
 * @category steps
 */
export type Step<Self> =
  Self extends Effect.Effect<infer A, infer E, infer R>
    ? Effect.Effect<A, E, R | RunContext>
    : Self extends Stream.Stream<infer A, infer E, infer R>
      ? Stream.Stream<A, E, R | RunContext>
      : never

type AnyWork = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

/**
 * Makes an effect or a stream a step of the current run: a span `botanu.step/<name>`, and `botanu.step` on the spans, the log
 * lines and the usages below, those of runs that are started in it too. Of steps inside of steps the innermost counts. What is
 * sent in full mode carries the step.
 *
 * The name is non-empty text without control characters, of at most 256 bytes of UTF-8. With any other, the work is done outside
 * of a step, and that is logged.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const documents = Effect.succeed(["a", "b"]).pipe(Botanu.step("retrieval"))
 *
 * const answer = documents.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 * ```
 *
 * @since 0.2.0
 * @category steps
 */
export const step: {
  (name: string): <Self extends AnyWork>(self: Self) => Step<Self>
  <A, E, R>(self: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R | RunContext>
  <A, E, R>(self: Stream.Stream<A, E, R>, name: string): Stream.Stream<A, E, R | RunContext>
} = Function.dual(2, (self: AnyWork, name: string): AnyWork => {
  const expected = refusal(name)
  if (expected !== undefined) {
    const warning = BoundedWarning.warn("step", [{ kind: "name", text: `name: ${expected}, got ${quote(name)}` }])
    return Effect.isEffect(self) ? Effect.zipRight(warning, self) : Stream.concat(Stream.execute(warning), self)
  }
  return Effect.isEffect(self) ? effectStep(self, name) : streamStep(self, name)
}) as never

const effectStep = <A, E, R>(self: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R | RunContext> =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime((fiber) => {
      const own = { name, scope: scopeOf(fiber.currentContext, run) }
      return withLocals(Effect.withSpan(self, stepSpanName(name), spanOptions), insideFor(fiber, own))
    })
  )

const streamStep = <A, E, R>(self: Stream.Stream<A, E, R>, name: string): Stream.Stream<A, E, R | RunContext> =>
  Stream.fromPull(
    Effect.gen(function* () {
      const run = yield* RunContext
      const own = yield* Effect.withFiberRuntime<CurrentStep["Type"]>((fiber) =>
        Effect.succeed({ name, scope: scopeOf(fiber.currentContext, run) })
      )
      const inStep =
        (span: Tracer.Span | undefined) =>
        <A1, E1, R1>(work: Effect.Effect<A1, E1, R1>): Effect.Effect<A1, E1, R1> =>
          Effect.withFiberRuntime((fiber) => withLocals(work, insideFor(fiber, own, span)))
      const span = yield* inStep(undefined)(Effect.makeSpanScoped(stepSpanName(name), spanOptions))
      const inside = inStep(span)
      return inside(yield* inside(Stream.toPull(self)))
    })
  )

const spanOptions = { captureStackTrace: false } as const

/** What a fiber holds inside of a step; under its span, where that is open. */
const insideFor = (fiber: AnyFiber, own: CurrentStep["Type"], span?: Tracer.Span): LocalValues => {
  const services = new Map(fiber.currentContext.unsafeMap)
  services.set(CurrentStep.key, own)
  if (span !== undefined) services.set(Tracer.ParentSpan.key, span)
  return {
    context: Context.unsafeMake(services),
    onSpans: HashMap.set(fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations), Key.step, own.name),
    onLogs: HashMap.set(fiber.getFiberRef(FiberRef.currentLogAnnotations), Key.step, own.name)
  }
}
