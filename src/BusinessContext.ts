/**
 * What a program says of the business that a run belongs to: team, cost centre, region, …
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

/** A business context was refused: `field` is not what was expected. Nothing of it was taken. */
export class InvalidAnnotation extends Schema.TaggedError<InvalidAnnotation>()("InvalidAnnotation", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * Says of the current run what business it belongs to. The keys stand on the span and on the record of the run, on the spans
 * and log lines that this fiber and those that it forks make from now on, and on runs that are started inside of the run from
 * now on. As attributes they are in snake case: `costCenter` is `botanu.cost_center`. Said again, a key has the new value. Text
 * is non-empty, without control characters, and at most 256 bytes of UTF-8.
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
