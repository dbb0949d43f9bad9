/**
 * The identifier of a run: a UUIDv7 (RFC 9562 §5.7), strictly increasing within a process.
 */
import { Clock, Context, DateTime, Effect, Layer, Schema, Utils } from "effect"
import { V7Generator } from "uuidv7"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** A UUID of any version: what runs that were started by other SDKs may bear. */
export const Uuid = Schema.String.pipe(
  Schema.pattern(uuid, { message: () => "expected a UUID" }),
  Schema.brand("botanu/Uuid"),
  Schema.annotations({ identifier: "Uuid" })
)
export type Uuid = typeof Uuid.Type

/** The identifier of a run that was started here: a UUIDv7. */
export const RunId = Uuid.pipe(
  Schema.pattern(uuidV7, { message: () => "expected a UUIDv7" }),
  Schema.brand("botanu/RunId"),
  Schema.annotations({ identifier: "RunId" })
)
export type RunId = typeof RunId.Type

/** Whether `text` is a UUID, of any version. */
export const isUuid = (text: string): text is Uuid => uuid.test(text)

/** A new id, from the fiber's `Clock` and the `Generator` in scope. Dies where the clock is outside of 48 bits. */
export const make: Effect.Effect<RunId> = Effect.flatMap(Effect.context<never>(), (context) =>
  Clock.clockWith((clock) =>
    Effect.sync(() => Context.get(context, Generator).unsafeMake(clock.unsafeCurrentTimeMillis()))
  )
)

/** When the id was made, to the millisecond. */
export const timestamp = (id: RunId): DateTime.Utc =>
  DateTime.unsafeMake(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))

/** Where random bits come from: whole numbers from 0 to 2³² - 1. */
export interface RandomSource {
  readonly nextUint32: () => number
}

/** Makes the ids of this process. The default draws on `crypto.getRandomValues`. */
export class Generator extends Context.Reference<Generator>()("botanu/RunId/Generator", {
  defaultValue: (): GeneratorService => makeGenerator()
}) {}

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
 */
export const makeGenerator = (random?: RandomSource): GeneratorService => {
  const generator = new V7Generator(random)
  return {
    unsafeMake: (epochMillis) => generator.generateOrResetWithTs(Math.floor(epochMillis)).toString() as RunId
  }
}

/** Ids that are the same in every run of a test: their random bits come from a seeded generator. Not for production. */
export const layerSeeded = (seed: number): Layer.Layer<Generator> =>
  Layer.sync(Generator, () => {
    const random = new Utils.PCGRandom(seed)
    return makeGenerator({ nextUint32: () => Math.floor(random.number() * 2 ** 32) })
  })
