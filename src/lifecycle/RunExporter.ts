/**
 * Where runs go. Any number of exporters can be active; none can harm the program.
 */
import { Console, Context, Effect, Layer, type Scope } from "effect"
import { activate, type RunExporter } from "./ActiveExporters.js"
import type { CompletedRun } from "./CompletedRun.js"
import type { ExporterOptions } from "./ExporterOptions.js"
import { lineOf } from "./RunLine.js"

export type { RunExporter } from "./ActiveExporters.js"
export type { ExporterOptions } from "./ExporterOptions.js"

/**
 * Adds an exporter to those that are active. It has a queue of its own, within the bounds that `options` give. The release of the
 * layer delivers what is queued, within `releaseTimeout`, and reports in the log what was not delivered.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Botanu, RunExporter } from "botanu-effect"
 *
 * const logRuns = RunExporter.layer(
 *   { export: ({ run, status }) => Console.log(`${run.workflow}: ${status}`) },
 *   { name: "console", capacity: 1_000 }
 * )
 *
 * const program = Effect.succeed("draft").pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(Effect.provide(program, logRuns))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (exporter: RunExporter, options?: ExporterOptions | undefined): Layer.Layer<never> =>
  layerScoped(Effect.succeed(exporter), options)

/**
 * Adds an exporter that is acquired with the layer. It is released with the layer, after what is queued was delivered.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Botanu, RunExporter } from "botanu-effect"
 *
 * const connection = Effect.acquireRelease(Console.log("connected"), () => Console.log("disconnected"))
 * const remote = RunExporter.layerScoped(
 *   Effect.as(connection, { export: ({ run }) => Console.log(`sent ${run.workflow}`) })
 * )
 *
 * const program = Effect.void.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *
 * await Effect.runPromise(Effect.provide(program, remote))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerScoped = <E, R>(
  exporter: Effect.Effect<RunExporter, E, R>,
  options?: ExporterOptions | undefined
): Layer.Layer<never, E, Exclude<R, Scope.Scope>> =>
  Layer.scopedDiscard(Effect.flatMap(exporter, (exporter) => activate(exporter, options)))

/**
 * Writes one line about each completed run to the `Console`, for development: its workflow, status, duration, event, customer,
 * outcome and cost.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const work = Effect.void.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *
 * Effect.runPromise(Effect.provide(work, RunExporter.console))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const console: Layer.Layer<never> = layer({ export: (run) => Console.log(lineOf(run)) })

/**
 * The runs that `layerMemory` has received.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu, RunExporter } from "botanu-effect"
 *
 * const program = Effect.gen(function* () {
 *   const memory = yield* RunExporter.Memory
 *   yield* Effect.void.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   return (yield* memory.runs).map(({ status }) => status)
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, RunExporter.layerMemory))) // [ 'success' ]
 * ```
 *
 * @since 0.1.0
 * @category context
 */
export class Memory extends Context.Tag("botanu/RunExporter/Memory")<
  Memory,
  {
    /** In the order in which they completed. */
    readonly runs: Effect.Effect<ReadonlyArray<CompletedRun>>
    readonly clear: Effect.Effect<void>
  }
>() {}

/**
 * Keeps completed runs in memory, for tests. A run is there when its workflow is over.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu, RunExporter } from "botanu-effect"
 *
 * const program = Effect.fail("no answer").pipe(
 *   Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }),
 *   Effect.ignore,
 *   Effect.zipRight(Effect.flatMap(RunExporter.Memory, (memory) => memory.runs))
 * )
 *
 * const [completed] = await Effect.runPromise(Effect.provide(program, RunExporter.layerMemory))
 * console.log(completed?.status) // failure
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
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
