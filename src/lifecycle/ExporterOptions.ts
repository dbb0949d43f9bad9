/**
 * The bounds within which an exporter works.
 */
import { Duration, Effect, Either } from "effect"
import * as DurationOption from "../schema/DurationOption.js"
import { quote } from "../schema/FieldText.js"

/**
 * The bounds within which an exporter works. An option out of range is a defect of the layer, whose message names the option.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { RunExporter } from "botanu-effect"
 *
 * const patient: RunExporter.ExporterOptions = { name: "archive", timeout: "2 minutes", releaseTimeout: "20 seconds" }
 * const archive = RunExporter.layer({ export: () => Effect.void }, patient)
 *
 * console.log(Layer.isLayer(archive)) // true
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface ExporterOptions {
  /**
   * What log lines and metrics call the exporter.
   * @default "exporter"
   */
  readonly name?: string | undefined
  /**
   * How many records may wait for the exporter. When the queue is full, a new record is dropped, counted and reported. Starts of
   * runs may fill half of the queue, so that completed runs find room.
   * @default 10_000
   */
  readonly capacity?: number | undefined
  /**
   * How many records are delivered at the same time.
   * @default 16
   */
  readonly concurrency?: number | undefined
  /**
   * How long a delivery may take. One that takes longer is interrupted and reported, and the exporter is paused.
   * @default "30 seconds"
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * How long an exporter that did not finish in time gets no records. They wait in the queue; then one is delivered on trial.
   * @default "10 seconds"
   */
  readonly pause?: Duration.DurationInput | undefined
  /**
   * How long the release of the layer waits for what is queued and in delivery. What is left then is counted and reported.
   * @default "5 seconds"
   */
  readonly releaseTimeout?: Duration.DurationInput | undefined
}

/** Options that were checked, durations in milliseconds. */
export interface ExporterBounds {
  readonly name: string
  readonly capacity: number
  readonly concurrency: number
  readonly timeoutMillis: number
  readonly pauseMillis: number
  readonly releaseMillis: number
}

/** The bounds that options ask for. Dies where one is out of range. */
export const boundsOf = (options: ExporterOptions = {}): Effect.Effect<ExporterBounds> =>
  Effect.sync(() => ({
    name: options.name ?? "exporter",
    capacity: count("capacity", options.capacity ?? 10_000),
    concurrency: count("concurrency", options.concurrency ?? 16),
    timeoutMillis: millis("timeout", options.timeout ?? "30 seconds"),
    pauseMillis: millis("pause", options.pause ?? "10 seconds"),
    releaseMillis: millis("releaseTimeout", options.releaseTimeout ?? "5 seconds")
  }))

const count = (option: string, value: number): number => {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new RangeError(`run exporter: ${option}: expected a whole number above zero, got ${quote(value)}`)
}

const millis = (option: string, input: Duration.DurationInput): number =>
  Duration.toMillis(
    Either.getOrThrowWith(
      DurationOption.decode(input),
      (problem) => new RangeError(`run exporter: ${option}: ${problem}`)
    )
  )
