/**
 * Runs for what OpenTelemetry instruments outside of Effect.
 */
import "../fiber/EffectMajor.js"

export { RunContextSpanProcessor, type SpanProcessorOptions } from "./RunContextSpanProcessor.js"
export * as RunOpenTelemetry from "./RunOpenTelemetry.js"
