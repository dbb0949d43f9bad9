/**
 * What the outside sees of runs: completed runs on the in-memory exporter, and spans on a real OpenTelemetry SDK.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Context, Effect, Layer, Logger } from "effect"
import { type CompletedRun, RunExporter } from "../src/index.js"

class Spans extends Context.Tag("test/Spans")<Spans, InMemorySpanExporter>() {}

const spansLive = Layer.effect(
  Spans,
  Effect.sync(() => new InMemorySpanExporter())
)

const sdkTo = (exporter: InMemorySpanExporter) =>
  NodeSdk.layer(() => ({
    resource: { serviceName: "test" },
    spanProcessor: new SimpleSpanProcessor(exporter)
  }))

/** An OpenTelemetry SDK, and where its spans go. */
export const sdk = () => {
  const exporter = new InMemorySpanExporter()
  return { exporter, layer: sdkTo(exporter) }
}

const tracer = Layer.unwrapEffect(Effect.map(Spans, sdkTo))

export const observed = Layer.mergeAll(RunExporter.layerMemory, tracer.pipe(Layer.provideMerge(spansLive)))

export const completedRuns = Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)

let named = 0

/** A name that no metric of the process has as a label yet. */
export const unheard = (name: string): string => {
  named += 1
  return `${name} ${named}`
}

/** Spans that have ended, in the order in which they ended. */
export const endedSpans: Effect.Effect<ReadonlyArray<ReadableSpan>, never, Spans> = Effect.map(Spans, (exporter) =>
  exporter.getFinishedSpans()
)

export const spanOf = (completed: CompletedRun) =>
  Effect.flatMap(endedSpans, (spans) => {
    const own = spans.filter(
      (span) => span.name.startsWith("botanu.run/") && span.attributes["botanu.run_id"] === completed.run.runId
    )
    const [span] = own
    return own.length === 1 && span !== undefined
      ? Effect.succeed(span)
      : Effect.die(`expected one span of run ${completed.run.runId}, found ${own.length}`)
  })

/** The only run that has completed, with its span. */
export const onlyRun = Effect.gen(function* () {
  const [completed, ...more] = yield* completedRuns
  if (completed === undefined || more.length > 0) return yield* Effect.die("expected exactly one completed run")
  return { completed, span: yield* spanOf(completed) }
})

/** Our events on a span by name; OpenTelemetry adds one for an exception. */
export const eventsOf = (span: ReadableSpan): ReadonlyArray<string> =>
  span.events.map(({ name }) => name).filter((name) => name.startsWith("botanu."))

/** Keeps the messages of log lines. */
export const logging = (lines: Array<string>): Layer.Layer<never> =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      lines.push([message].flat().map(String).join(" "))
    })
  )
