/**
 * The span processor, as OpenTelemetry 3 takes it.
 */
import { TracerProvider } from "@opentelemetry/sdk-trace"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"

export const provider = new TracerProvider({ spanProcessors: [new RunContextSpanProcessor({ inbound: "untrusted" })] })
export const { layer } = RunOpenTelemetry
