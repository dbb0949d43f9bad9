/**
 * Why OpenTelemetry cannot be set up.
 */
import { Schema } from "effect"

/**
 * OpenTelemetry cannot be set up: a variable of the environment is not as expected, or a package is not installed.
 *
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 * import { Effect, Layer } from "effect"
 *
 * const openTelemetry = RunOpenTelemetry.layerNodeSdk({
 *   serviceName: "support-desk",
 *   propagateTo: [],
 *   inbound: "untrusted"
 * })
 *
 * export const program = Layer.launch(openTelemetry).pipe(
 *   Effect.catchTag("SetupError", (error: RunOpenTelemetry.SetupError) => Effect.log(error.field, error.problem))
 * )
 * ```
 *
 * @since 0.2.0
 * @category errors
 */
export class SetupError extends Schema.TaggedError<SetupError>()("SetupError", {
  /** The variable, or the package. */
  field: Schema.String,
  /** What was expected of it, and what was found. */
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}
