/**
 * The run on spans that Effect did not create.
 */
import {
  type Attributes,
  type Baggage as OtelBaggage,
  type Context as OtelContext,
  propagation,
  type Span
} from "@opentelemetry/api"
import { DateTime, Option } from "effect"
import { type Entry, leanEntries } from "../run/Run.js"
import * as RunBaggage from "../run/RunBaggage.js"
import { fromOpenTelemetry } from "./OtelBaggage.js"
import { isSpanOfEffect } from "./OtelContextTracer.js"
import { runOtelContextIn } from "./RunOtelContext.js"

/**
 * How a `RunContextSpanProcessor` reads the run.
 *
 * @example
 * ```ts
 * import { RunContextSpanProcessor, type SpanProcessorOptions } from "botanu-effect/opentelemetry"
 *
 * const options: SpanProcessorOptions = { inbound: "untrusted" }
 * export const processor = new RunContextSpanProcessor(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface SpanProcessorOptions {
  /**
   * Whether baggage that others sent is trusted. Spans inside of a run of this process carry that run in any case; those that
   * are made before a run is joined, such as an instrumented server's, carry what came in where it is `"trusted"`, and nothing
   * where it is `"untrusted"`. There is no default, because anyone who can reach the server can write that baggage.
   */
  readonly inbound: "trusted" | "untrusted"
}

/** A span of an OpenTelemetry SDK. Its type is in another package in each major of the SDK. */
type StartedSpan = Pick<Span, "setAttribute"> & { readonly attributes: Attributes }

/**
 * Stamps spans that Effect did not create with the keys that every span inside of a run carries: `botanu.run_id`,
 * `botanu.workflow`, `botanu.event_id` and `botanu.customer_id`; in full mode also `botanu.environment`, `botanu.tenant_id` and
 * `botanu.parent_run_id`. What a span says itself stands. Goes before the processors that export.
 *
 * @example
 * ```ts
 * import { RunContextSpanProcessor } from "botanu-effect/opentelemetry"
 *
 * export const spanProcessors = [new RunContextSpanProcessor({ inbound: "untrusted" })]
 * ```
 *
 * @since 0.1.0
 * @category processors
 */
export class RunContextSpanProcessor {
  private readonly isTrusted: boolean

  constructor({ inbound }: SpanProcessorOptions) {
    this.isTrusted = inbound === "trusted"
  }

  /** Puts the run on a span that Effect did not create. */
  onStart(span: StartedSpan, parent: OtelContext): void {
    if (isSpanOfEffect()) return
    const shown = runOtelContextIn(parent)
    const entries =
      shown === undefined && this.isTrusted ? entriesIn(propagation.getBaggage(parent)) : shown?.annotations
    for (const [key, value] of entries ?? []) if (!(key in span.attributes)) span.setAttribute(key, value)
  }

  /** Does nothing. */
  onEnd(): void {}

  /** Does nothing: nothing is queued here. */
  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  /** Does nothing: nothing is open here. */
  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

const known = new WeakMap<OtelBaggage, ReadonlyArray<Entry>>()

/** What baggage that came in says of a run, where that is one. */
const entriesIn = (baggage: OtelBaggage | undefined): ReadonlyArray<Entry> => {
  if (baggage === undefined) return []
  const before = known.get(baggage)
  if (before !== undefined) return before
  const { run } = RunBaggage.read(fromOpenTelemetry(baggage), DateTime.unsafeMake(0))
  const entries = Option.match(run, { onNone: () => [], onSome: leanEntries })
  known.set(baggage, entries)
  return entries
}
