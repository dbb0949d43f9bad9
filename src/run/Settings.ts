/**
 * The settings that a fiber works under.
 */
import { Config, ConfigError, ConfigProvider, Context, Effect, Either, type Fiber } from "effect"
import { quote, refusal } from "../schema/FieldText.js"

/** How much of a run is propagated: its four identifying keys (`lean`), or all of it (`full`). */
export type PropagationMode = "lean" | "full"

export interface Settings {
  /** The deployment environment of runs that name none. */
  readonly environment: string
  readonly propagationMode: PropagationMode
}

/**
 * Reads `BOTANU_ENVIRONMENT` (else `DEPLOYMENT_ENVIRONMENT`, else `production`) and `BOTANU_PROPAGATION_MODE` (`lean`, the
 * default, or `full`).
 */
export const config: Config.Config<Settings> = Config.all({
  environment: Config.suspend(() => fieldText("BOTANU_ENVIRONMENT")).pipe(
    Config.orElseIf({ if: ConfigError.isMissingDataOnly, orElse: () => fieldText("DEPLOYMENT_ENVIRONMENT") }),
    Config.withDefault("production")
  ),
  propagationMode: Config.literal("lean", "full")("BOTANU_PROPAGATION_MODE").pipe(Config.withDefault("lean" as const))
})

/** A variable that may stand in a field of a run; an empty one is none. */
const fieldText = (name: string): Config.Config<string> =>
  Config.mapOrFail(Config.nonEmptyString(name), (text) => {
    const expected = refusal(text)
    return expected === undefined
      ? Either.right(text)
      : Either.left(ConfigError.InvalidData([], `${expected}, got ${quote(text)}`))
  })

/** The settings in scope. Without a layer of this module they are read from the `ConfigProvider`, once. */
export class BotanuConfig extends Context.Tag("botanu/BotanuConfig")<BotanuConfig, Settings>() {}

const readOnce = new WeakMap<ConfigProvider.ConfigProvider, Either.Either<Settings, ConfigError.ConfigError>>()

/** The settings that a fiber works under. */
export const settingsFor = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Either.Either<Settings, ConfigError.ConfigError> => {
  const provided = Context.getOption(fiber.currentContext, BotanuConfig)
  if (provided._tag === "Some") return Either.right(provided.value)
  const provider = Context.get(fiber.currentDefaultServices, ConfigProvider.ConfigProvider)
  const known = readOnce.get(provider)
  if (known !== undefined) return known
  const read = Effect.runSync(Effect.either(provider.load(config)))
  readOnce.set(provider, read)
  return read
}

/** The propagation mode that a fiber works under; where it cannot be read, the one that tells the least. */
export const propagationModeFor = (fiber: Fiber.RuntimeFiber<unknown, unknown>): PropagationMode =>
  Either.match(settingsFor(fiber), { onLeft: () => "lean", onRight: ({ propagationMode }) => propagationMode })
