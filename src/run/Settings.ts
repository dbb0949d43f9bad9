/**
 * The settings that a fiber works under.
 */
import { Cause, Config, ConfigError, ConfigProvider, Context, Effect, Either, type Fiber, Runtime } from "effect"
import { quote, refusal } from "../schema/FieldText.js"

/**
 * How much of a run is propagated: its four identifying keys (`lean`), or all of it (`full`).
 *
 * @example
 * ```ts
 * import type { BotanuConfig } from "botanu-effect"
 *
 * const modes: ReadonlyArray<BotanuConfig.PropagationMode> = ["lean", "full"]
 *
 * console.log(modes.length) // 2
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type PropagationMode = "lean" | "full"

/**
 * What holds for all runs of a process.
 *
 * @example
 * ```ts
 * import { BotanuConfig } from "botanu-effect"
 *
 * const staging: BotanuConfig.Settings = { environment: "staging", propagationMode: "full" }
 *
 * console.log(staging.propagationMode) // full
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** The deployment environment of runs that name none. */
  readonly environment: string
  /** How much of a run is propagated. */
  readonly propagationMode: PropagationMode
}

/**
 * Reads `BOTANU_ENVIRONMENT` (else `DEPLOYMENT_ENVIRONMENT`, else `production`) and `BOTANU_PROPAGATION_MODE` (`lean`, the
 * default, or `full`). An empty variable counts as unset.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { BotanuConfig } from "botanu-effect"
 *
 * const program = Effect.map(BotanuConfig.config, ({ environment }) => environment)
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * @since 0.1.0
 * @category configuration
 */
export const config: Config.Config<Settings> = Config.all({
  environment: Config.suspend(() => fieldText("BOTANU_ENVIRONMENT")).pipe(
    Config.orElseIf({ if: ConfigError.isMissingDataOnly, orElse: () => fieldText("DEPLOYMENT_ENVIRONMENT") }),
    Config.withDefault("production")
  ),
  propagationMode: Config.suspend(() => mode("BOTANU_PROPAGATION_MODE")).pipe(Config.withDefault("lean" as const))
})

/** A variable that may stand in a field of a run. */
const fieldText = (name: string): Config.Config<string> =>
  Config.mapOrFail(Config.nonEmptyString(name), (text) => {
    const expected = refusal(text)
    return expected === undefined
      ? Either.right(text)
      : Either.left(ConfigError.InvalidData([], `${expected}, got ${quote(text)}`))
  })

const mode = (name: string): Config.Config<PropagationMode> =>
  Config.mapOrFail(Config.nonEmptyString(name), (text) =>
    text === "lean" || text === "full"
      ? Either.right(text)
      : Either.left(ConfigError.InvalidData([], `Expected one of (lean, full) but received ${quote(text)}`))
  )

/**
 * The settings in scope. Without a layer of this module they are read from the `ConfigProvider`, once.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { BotanuConfig } from "botanu-effect"
 *
 * const program = Effect.map(BotanuConfig.BotanuConfig, ({ environment }) => environment)
 *
 * console.log(await Effect.runPromise(Effect.provide(program, BotanuConfig.layer)))
 * ```
 *
 * @since 0.1.0
 * @category context
 */
export class BotanuConfig extends Context.Tag("botanu/BotanuConfig")<BotanuConfig, Settings>() {}

/** What was read, or why it cannot be. */
export type SettingsResult = Either.Either<Settings, ConfigError.ConfigError>

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

interface Reading {
  result: SettingsResult | undefined
  /** Gives the result, also to those that come when it is known. */
  readonly fiber: Fiber.RuntimeFiber<SettingsResult>
}

const readings = new WeakMap<ConfigProvider.ConfigProvider, Reading>()

/** The settings that a fiber works under; `undefined` as long as its `ConfigProvider` has not answered. */
export const settingsFor = (fiber: AnyFiber): SettingsResult | undefined => {
  const provided = fiber.currentContext.unsafeMap.get(BotanuConfig.key) as Settings | undefined
  return provided === undefined ? readingFor(fiber).result : Either.right(provided)
}

/** What follows from the settings that a fiber works under, at once where they are known. */
export const withSettings = <A, E, R>(
  fiber: AnyFiber,
  use: (settings: SettingsResult) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const settings = settingsFor(fiber)
  return settings === undefined ? Effect.flatMap(Effect.flatten(readingFor(fiber).fiber.await), use) : use(settings)
}

const readingFor = (fiber: AnyFiber): Reading => {
  const provider = Context.get(fiber.currentDefaultServices, ConfigProvider.ConfigProvider)
  const known = readings.get(provider)
  if (known !== undefined) return known
  // In a fiber of its own: the run that asks first may be interrupted, and others wait for the same answer.
  const read = Effect.suspend(() => provider.load(config)).pipe(Effect.catchAllDefect(unavailable), Effect.either)
  const runtime = Runtime.make({
    context: Context.empty(),
    runtimeFlags: Runtime.defaultRuntimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })
  const reading: Reading = { result: undefined, fiber: Runtime.runFork(runtime, read, { immediate: true }) }
  readings.set(provider, reading)
  reading.fiber.addObserver((exit) => {
    if (exit._tag === "Success") reading.result = exit.value
    // A source that is not available now may be so later.
    if (reading.result === undefined || isUnavailable(reading.result)) readings.delete(provider)
  })
  return reading
}

const unavailable = (defect: unknown): Effect.Effect<never, ConfigError.ConfigError> =>
  Effect.fail(ConfigError.SourceUnavailable([], `the ConfigProvider failed: ${quote(defect)}`, Cause.die(defect)))

const isUnavailable = (result: SettingsResult): boolean =>
  Either.isLeft(result) && ConfigError.isSourceUnavailable(result.left)

/** The propagation mode that a fiber works under; the one that sends the least where it is not known. */
export const propagationModeFor = (fiber: AnyFiber): PropagationMode => {
  const settings = settingsFor(fiber)
  return settings?._tag === "Right" ? settings.right.propagationMode : "lean"
}
