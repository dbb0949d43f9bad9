/**
 * What the services report: completed runs, each with the service that had it, spans, and warnings.
 */
import type { CompletedRun } from "botanu-effect"
import { Context, Layer } from "effect"
import type { SpanRecord } from "./SpanRecord.js"

export class Records extends Context.Tag("support-desk/Records")<
  Records,
  {
    readonly completed: (run: CompletedRun, service: string) => void
    readonly ended: (span: SpanRecord) => void
    readonly warned: (text: string) => void
    readonly runs: ReadonlyArray<CompletedRun>
    readonly spans: ReadonlyArray<SpanRecord>
    readonly warnings: ReadonlyArray<string>
    /** The run of an event that no other run is around: the last one that completed. */
    readonly lastRun: (eventId: string) => CompletedRun | undefined
    /** The service that had a run. */
    readonly serviceOf: (runId: string) => string | undefined
  }
>() {}

export const layer: Layer.Layer<Records> = Layer.sync(Records, () => {
  const runs: Array<CompletedRun> = []
  const spans: Array<SpanRecord> = []
  const warnings: Array<string> = []
  const lastRuns = new Map<string, CompletedRun>()
  const services = new Map<string, string>()
  return {
    completed: (completed, service) => {
      const { eventId, parentRunId, runId } = completed.run
      runs.push(completed)
      services.set(runId, service)
      if (parentRunId === undefined) lastRuns.set(eventId, completed)
    },
    ended: (span) => {
      spans.push(span)
    },
    warned: (text) => {
      warnings.push(text)
    },
    runs,
    spans,
    warnings,
    lastRun: (eventId) => lastRuns.get(eventId),
    serviceOf: (runId) => services.get(runId)
  }
})
