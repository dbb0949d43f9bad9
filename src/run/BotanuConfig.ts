/**
 * What the environment says about all runs of a process: `BOTANU_ENVIRONMENT` and `BOTANU_PROPAGATION_MODE`.
 */
import { type ConfigError, Effect, Layer } from "effect"
import { BotanuConfig, config, type Settings, withSettings } from "./Settings.js"

export { BotanuConfig, config, type PropagationMode, type Settings } from "./Settings.js"

/**
 * Reads the settings when the layer is built: a wrong value is found at start, and no run waits for a `ConfigProvider` that
 * answers asynchronously.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu, BotanuConfig } from "botanu-effect"
 *
 * const program = Effect.void.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *
 * await Effect.runPromise(Effect.provide(program, BotanuConfig.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<BotanuConfig, ConfigError.ConfigError> = Layer.effect(BotanuConfig, config)

/**
 * Settings of the program. The environment is not read.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu, BotanuConfig } from "botanu-effect"
 *
 * const program = Effect.void.pipe(Botanu.workflow("Support", { eventId: "ticket-42", customerId: "bigretail" }))
 * const settings = BotanuConfig.layerOf({ environment: "staging", propagationMode: "full" })
 *
 * await Effect.runPromise(Effect.provide(program, settings))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (settings: Settings): Layer.Layer<BotanuConfig> => Layer.succeed(BotanuConfig, settings)

/**
 * The settings in scope: those of a layer, else those of the `ConfigProvider`, which are read once. A source that is unavailable is
 * asked again the next time. Fails with a `ConfigError` that names the variable.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { BotanuConfig } from "botanu-effect"
 *
 * console.log(await Effect.runPromise(BotanuConfig.settings))
 * ```
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Effect.Effect<Settings, ConfigError.ConfigError> = Effect.withFiberRuntime((fiber) =>
  withSettings(fiber, (settings) => settings)
)
