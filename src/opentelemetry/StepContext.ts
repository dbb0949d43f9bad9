/**
 * An OpenTelemetry context for the steps of fibers. `@effect/opentelemetry` derives the context of the current span for each step,
 * which copies all values. Most steps are in the span of the step before, so this one keeps what it derived last.
 */
import type { Context as OtelContext } from "@opentelemetry/api"

/** A context with the values of another one, and what is shown in it. */
export class StepContext<out Shown> implements OtelContext {
  private key: symbol | undefined
  private value: unknown
  private derived: OtelContext | undefined

  constructor(
    private readonly values: OtelContext,
    readonly shown: Shown
  ) {}

  getValue(key: symbol): unknown {
    return this.values.getValue(key)
  }

  setValue(key: symbol, value: unknown): OtelContext {
    if (this.derived !== undefined && this.key === key && this.value === value) return this.derived
    // A fiber that is resumed from within a step is in the context that was derived there.
    if (value !== undefined && this.values.getValue(key) === value) return this
    this.key = key
    this.value = value
    this.derived = new StepContext(this.values.setValue(key, value), this.shown)
    return this.derived
  }

  deleteValue(key: symbol): OtelContext {
    return this.values.deleteValue(key)
  }
}
