/**
 * Completed runs in files.
 */
import type { Error, FileSystem } from "@effect/platform"
import { Effect, type Layer } from "effect"
import * as RunExporter from "../lifecycle/RunExporter.js"
import { open, type RotationOptions } from "./LineFile.js"

export type { RotationOptions } from "./LineFile.js"

/**
 * Appends each completed run to a file, as one line of JSON (JSON Lines): what `JSON.stringify` gives of it, which
 * `Schema.decodeUnknown(CompletedRun)` reads.
 *
 * A file that a run would make larger than `maxBytes` is put aside as `runs.jsonl.1`, `runs.jsonl.2` and so on, the highest
 * number being the latest. Releasing the layer writes what is queued, flushes the file to the disk and closes it. One process
 * writes to one file. Fails where the layer is built with a `PlatformError` if the file cannot be opened, or with its
 * `BadArgument` if an option is not as it should be; a run that cannot be written is logged.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { RunExporterFile } from "botanu-effect/platform"
 * import { Layer } from "effect"
 *
 * export const runs = RunExporterFile.jsonLines("runs.jsonl", { maxBytes: 10_000_000, maxFiles: 20 }).pipe(
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const jsonLines = (
  path: string,
  options: RotationOptions = {}
): Layer.Layer<never, Error.PlatformError, FileSystem.FileSystem> =>
  RunExporter.layerScoped(
    Effect.map(open(path, options), ({ append }) => ({ export: (run) => append(JSON.stringify(run)) }))
  )
