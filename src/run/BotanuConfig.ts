/**
 * What the environment says about all runs of a process: `BOTANU_ENVIRONMENT` and `BOTANU_PROPAGATION_MODE`.
 */
import { type ConfigError, Effect, Layer } from "effect"
import { BotanuConfig, config, type Settings, settingsFor } from "./Settings.js"

export { BotanuConfig, config, type PropagationMode, type Settings } from "./Settings.js"

/** Reads the settings when the layer is built, so that a wrong value is found at start. */
export const layer: Layer.Layer<BotanuConfig, ConfigError.ConfigError> = Layer.effect(BotanuConfig, config)

/** Settings that the environment has no say in. */
export const layerOf = (settings: Settings): Layer.Layer<BotanuConfig> => Layer.succeed(BotanuConfig, settings)
/** The settings in scope. */
export const settings: Effect.Effect<Settings, ConfigError.ConfigError> = Effect.withFiberRuntime((fiber) =>
  settingsFor(fiber)
)
