/**
 * An OpenTelemetry context for the steps of fibers. `@effect/opentelemetry` derives the context of the current span for each step,
 * which copies all values. Most steps are in the span of the step before, so this one keeps what it derived last.
 */
import type { Context as OtelContext } from "@opentelemetry/api"
import type { Tracer } from "effect"

/** A context with the values of another one, and what is shown in it. */
export class StepContext<out Shown> implements OtelContext {
  private key: symbol | undefined
  private value: unknown
  private derived: OtelContext | undefined
  private span: Tracer.AnySpan | undefined
  private ofSpan: OtelContext | undefined

  constructor(
    protected readonly values: OtelContext,
    readonly shown: Shown
  ) {}

  getValue(key: symbol): unknown {
    return this.values.getValue(key)
  }

  setValue(key: symbol, value: unknown): OtelContext {
    if (this.derived !== undefined && this.key === key && this.value === value) return this.derived
    this.key = key
    this.value = value
    this.derived = new DerivedContext(this.values.setValue(key, value), this, key)
    return this.derived
  }

  deleteValue(key: symbol): OtelContext {
    return this.values.deleteValue(key)
  }

  /** This context, without the span for whose steps it was derived. */
  get withoutSpan(): StepContext<Shown> {
    return this
  }

  /** The context of a span, if it is the one that was kept last. */
  lastOf(span: Tracer.AnySpan): OtelContext | undefined {
    return this.span === span ? this.ofSpan : undefined
  }

  /** Keeps what was derived from here for the steps in a span. */
  keepOf(span: Tracer.AnySpan, derived: OtelContext): void {
    this.span = span
    this.ofSpan = derived
    if (derived instanceof DerivedContext) derived.isOf = span
  }
}

/**
 * A fiber that is resumed from within a step is in the context that was derived there. What is derived here for its next steps is kept
 * by the first context: contexts that keep each other would grow with each span of a run.
 */
class DerivedContext<out Shown> extends StepContext<Shown> {
  /** The span for whose steps this was derived last. */
  isOf: Tracer.AnySpan | undefined = undefined

  constructor(
    values: OtelContext,
    private readonly first: StepContext<Shown>,
    private readonly changed: symbol
  ) {
    super(values, first.shown)
  }

  override setValue(key: symbol, value: unknown): OtelContext {
    if (key !== this.changed) return this.values.setValue(key, value)
    return value !== undefined && this.getValue(key) === value ? this : this.first.setValue(key, value)
  }

  override get withoutSpan(): StepContext<Shown> {
    return this.isOf === undefined ? this : this.first
  }

  override lastOf(span: Tracer.AnySpan): OtelContext | undefined {
    return this.isOf === span ? this : this.first.lastOf(span)
  }

  override keepOf(span: Tracer.AnySpan, derived: OtelContext): void {
    this.first.keepOf(span, derived)
  }
}
