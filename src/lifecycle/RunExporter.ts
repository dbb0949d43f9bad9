/**
 * Where completed runs go. Any number of exporters can be active; none can harm the program.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { activate, type RunExporter } from "./ActiveExporters.js"
import type { CompletedRun } from "./CompletedRun.js"

export type { RunExporter } from "./ActiveExporters.js"

/** Adds an exporter to those that are active. */
export const layer = (exporter: RunExporter): Layer.Layer<never> => layerScoped(Effect.succeed(exporter))

/** Adds an exporter that is acquired with the layer and released with it. */
export const layerScoped = <E, R>(
  exporter: Effect.Effect<RunExporter, E, R>
): Layer.Layer<never, E, Exclude<R, Scope.Scope>> => Layer.scopedDiscard(Effect.flatMap(exporter, activate))

/** The runs that `layerMemory` has received. */
export class Memory extends Context.Tag("botanu/RunExporter/Memory")<
  Memory,
  {
    /** In the order in which they completed. */
    readonly runs: Effect.Effect<ReadonlyArray<CompletedRun>>
    readonly clear: Effect.Effect<void>
  }
>() {}

/** Keeps completed runs in memory, for tests. */
export const layerMemory: Layer.Layer<Memory> = Layer.scoped(
  Memory,
  Effect.suspend(() => {
    const runs: Array<CompletedRun> = []
    const memory = {
      runs: Effect.sync(() => runs.slice()),
      clear: Effect.sync(() => {
        runs.length = 0
      })
    }
    const exporter: RunExporter = {
      export: (run) =>
        Effect.sync(() => {
          runs.push(run)
        })
    }
    return Effect.as(activate(exporter), memory)
  })
)
