/**
 * The business that a run belongs to: team, cost centre, region, …
 */
import { Effect, FiberRef, Schema } from "effect"
import {
  type AttributeEntry,
  attributeName,
  type BusinessContext,
  businessEntries,
  withEntries
} from "./lifecycle/RunAnnotations.js"
import { type RunScope, scopeOf } from "./lifecycle/RunScope.js"
import { RunContext } from "./RunContext.js"
import { type FieldProblem, quote, refusal } from "./schema/FieldText.js"
import { Key } from "./wire/Wire.js"

/**
 * A business context was refused: `field` names the key that is wrong, `problem` what was expected of it. No key of the context
 * was recorded.
 *
 * @example
 * ```ts
 * import { Botanu, type InvalidAnnotation } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Botanu.annotate({ team: "" }).pipe(
 *   Effect.catchTag("InvalidAnnotation", (error: InvalidAnnotation) => Effect.log(error.field, error.problem)),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidAnnotation extends Schema.TaggedError<InvalidAnnotation>()("InvalidAnnotation", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * Records which business the current run belongs to. The keys are recorded on the span and in the record of the run, on the spans
 * and log lines that this fiber and its children make from now on, and on runs that are started inside the run from now on. As
 * attributes they are in snake case: `costCenter` is `botanu.cost_center`. A key that is given again has the new value. Text is
 * non-empty, without control characters, and at most 256 bytes of UTF-8. Fails with `InvalidAnnotation`, which names the key that
 * is wrong.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Botanu.annotate({ team: "support", costCenter: "CC-1200" }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category business context
 */
export const annotate = (context: BusinessContext): Effect.Effect<void, InvalidAnnotation, RunContext> =>
  Effect.flatMap(RunContext, (run) => {
    const wrong = problemOf(context)
    if (wrong !== undefined) return Effect.fail(new InvalidAnnotation(wrong))
    return Effect.withFiberRuntime((fiber) => {
      const entries = businessEntries(context)
      const scope = scopeOf(fiber.currentContext, run)
      if (scope !== undefined) {
        scope.annotations = { ...scope.annotations, ...context }
        if (!scope.isClosed) describe(scope.span, entries)
      }
      return Effect.zipRight(
        FiberRef.update(FiberRef.currentTracerSpanAnnotations, (annotations) => withEntries(annotations, entries)),
        FiberRef.update(FiberRef.currentLogAnnotations, (annotations) => withEntries(annotations, entries))
      )
    })
  })

const describe = (span: RunScope["span"], entries: ReadonlyArray<AttributeEntry>): void => {
  if (span?._tag !== "Span") return
  try {
    for (const [key, value] of entries) span.attribute(key, value)
  } catch {
    // A tracer that throws is no reason for the program to fail.
  }
}
const name = /^[A-Za-z][A-Za-z0-9_]{0,63}$/
const taken: ReadonlySet<string> = new Set(Object.values(Key))

const problemOf = (context: BusinessContext): FieldProblem | undefined => {
  for (const [field, value] of Object.entries(context)) {
    if (!name.test(field))
      return { field: quote(field), problem: "expected a name of letters, digits and _, at most 64" }
    if (taken.has(attributeName(field))) return { field, problem: "expected a name that is not one of the run's own" }
    const expected = typeof value === "string" ? refusal(value) : otherRefusal(value)
    if (expected !== undefined) return { field, problem: `${expected}, got ${quote(value)}` }
  }
  return undefined
}

const otherRefusal = (value: unknown): string | undefined =>
  typeof value === "boolean" || Number.isFinite(value) ? undefined : "expected text, a finite number or a boolean"
