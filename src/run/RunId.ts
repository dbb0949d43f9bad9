/**
 * The identifier of a run: a UUIDv7 (RFC 9562 §5.7), strictly increasing within a process.
 */
import { Clock, Context, DateTime, Effect, Layer, Schema, Utils } from "effect"
import { V7Generator } from "uuidv7"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/**
 * A UUID of any version. Runs that other SDKs started may have any.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * console.log(Schema.is(RunId.Uuid)("5b1f9a52-3f0f-4d8e-9f1c-0d9a3d1c7b11")) // true
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const Uuid = Schema.String.pipe(
  Schema.pattern(uuid, { message: () => "expected a UUID" }),
  Schema.brand("botanu/Uuid"),
  Schema.annotations({ identifier: "Uuid" })
)
export type Uuid = typeof Uuid.Type

/**
 * The identifier of a run that was started here: a UUIDv7.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * const isRunId = Schema.is(RunId.RunId)
 *
 * console.log(isRunId("019abc12-def3-7890-abcd-1234567890ab")) // true
 * console.log(isRunId("5b1f9a52-3f0f-4d8e-9f1c-0d9a3d1c7b11")) // false
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const RunId = Uuid.pipe(
  Schema.pattern(uuidV7, { message: () => "expected a UUIDv7" }),
  Schema.brand("botanu/RunId"),
  Schema.annotations({ identifier: "RunId" })
)
export type RunId = typeof RunId.Type

/**
 * Whether `text` is a UUID, of any version.
 *
 * @example
 * ```ts
 * import { RunId } from "botanu-effect"
 *
 * console.log(RunId.isUuid("ticket-42")) // false
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isUuid = (text: string): text is Uuid => uuid.test(text)

/**
 * A new id, from the fiber's `Clock` and the `Generator` in scope. Dies with a `RangeError` where the clock is outside of 48 bits of
 * milliseconds.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * const [first, second] = await Effect.runPromise(Effect.all([RunId.make, RunId.make]))
 *
 * console.log(first < second) // true
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<RunId> = Effect.flatMap(Effect.context<never>(), (context) =>
  Clock.clockWith((clock) =>
    Effect.sync(() => Context.get(context, Generator).unsafeMake(clock.unsafeCurrentTimeMillis()))
  )
)

/**
 * When the id was made, to the millisecond.
 *
 * @example
 * ```ts
 * import { DateTime, Schema } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * const id = Schema.decodeSync(RunId.RunId)("019abc12-def3-7890-abcd-1234567890ab")
 *
 * console.log(DateTime.formatIso(RunId.timestamp(id))) // 2025-11-25T13:10:13.875Z
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const timestamp = (id: RunId): DateTime.Utc =>
  DateTime.unsafeMake(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))

/**
 * Where random bits come from.
 *
 * @example
 * ```ts
 * import { RunId } from "botanu-effect"
 *
 * const source: RunId.RandomSource = { nextUint32: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0 }
 *
 * console.log(RunId.isUuid(RunId.makeGenerator(source).unsafeMake(Date.now()))) // true
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RandomSource {
  /** A whole number from 0 to 2³² - 1. */
  readonly nextUint32: () => number
}

/**
 * Makes the ids of this process. The default draws on `crypto.getRandomValues`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * const id = Effect.map(RunId.Generator, (generator) => generator.unsafeMake(1_770_000_000_000))
 *
 * console.log(RunId.isUuid(await Effect.runPromise(id))) // true
 * ```
 *
 * @since 0.1.0
 * @category context
 */
export class Generator extends Context.Reference<Generator>()("botanu/RunId/Generator", {
  defaultValue: (): GeneratorService => makeGenerator()
}) {}

/**
 * A source of ids.
 *
 * @example
 * ```ts
 * import { RunId } from "botanu-effect"
 *
 * const generator: RunId.GeneratorService = RunId.makeGenerator()
 *
 * console.log(generator.unsafeMake(2_000) > generator.unsafeMake(1_000)) // true
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface GeneratorService {
  /**
   * The next id for the time given (ms since the epoch): greater than all before it, also where the clock stands still or
   * goes back by up to 10 seconds. Throws a `RangeError` for a time that does not fit into 48 bits.
   */
  readonly unsafeMake: (epochMillis: number) => RunId
}

/**
 * A generator with a state of its own. Inside of a millisecond a 42-bit counter goes up, which begins at random (RFC 9562
 * §6.2, method 1); when it overflows, the timestamp runs ahead of the clock.
 *
 * @example
 * ```ts
 * import { RunId } from "botanu-effect"
 *
 * const generator = RunId.makeGenerator()
 *
 * console.log(generator.unsafeMake(1_000) < generator.unsafeMake(1_000)) // true
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeGenerator = (random: RandomSource = cryptographic()): GeneratorService => {
  const generator = new V7Generator(random)
  return {
    unsafeMake: (epochMillis) => generator.generateOrResetWithTs(Math.floor(epochMillis)).toString() as RunId
  }
}

/** Draws many words at once: a draw costs more than an id. */
const cryptographic = (): RandomSource => {
  const words = new Uint32Array(256)
  let next = words.length
  return {
    nextUint32: () => {
      if (next === words.length) {
        crypto.getRandomValues(words)
        next = 0
      }
      return words[next++] as number
    }
  }
}

/**
 * Ids that are the same each time a test runs: their random bits come from a seeded generator. Not for production.
 *
 * @example
 * ```ts
 * import { Effect, TestClock, TestContext } from "effect"
 * import { RunId } from "botanu-effect"
 *
 * const id = Effect.zipRight(TestClock.setTime(1_000), RunId.make).pipe(
 *   Effect.provide(RunId.layerSeeded(42)),
 *   Effect.provide(TestContext.TestContext)
 * )
 *
 * console.log((await Effect.runPromise(id)) === (await Effect.runPromise(id))) // true
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSeeded = (seed: number): Layer.Layer<Generator> =>
  Layer.sync(Generator, () => {
    const random = new Utils.PCGRandom(seed)
    return makeGenerator({ nextUint32: () => Math.floor(random.number() * 2 ** 32) })
  })
