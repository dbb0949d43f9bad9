/**
 * The identifier of a run: a UUIDv7 (RFC 9562 §5.7), strictly increasing within a process.
 */
import { Clock, Context, DateTime, Effect, Layer, Schema, Utils } from "effect"

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

/** Where the random bits of an id come from: whole numbers from 0 to 2³² - 1. */
export interface RandomSource {
  readonly nextUint32: () => number
}

/** Makes the ids of this process. The default draws on `crypto.getRandomValues`. */
export class Generator extends Context.Reference<Generator>()("botanu/RunId/Generator", {
  defaultValue: (): GeneratorService => makeGenerator(cryptoSource())
}) {}

export interface GeneratorService {
  /**
   * The next id for the time given (ms since the epoch); greater than all before it, also where the clock stands still or
   * goes back by up to 10 seconds. Throws a `RangeError` for a time that does not fit into 48 bits.
   */
  readonly unsafeMake: (epochMillis: number) => RunId
}

/** Ids that are the same in every run of a test: their random bits come from a seeded generator. Not for production. */
export const layerSeeded = (seed: number): Layer.Layer<Generator> =>
  Layer.sync(Generator, () => {
    const random = new Utils.PCGRandom(seed)
    return makeGenerator({ nextUint32: () => Math.floor(random.number() * 2 ** 32) })
  })

const maxEpochMillis = 2 ** 48 - 1
const rollbackAllowanceMillis = 10_000

/**
 * A generator with a state of its own. Bits, from the left: 48 timestamp, version, 12 upper counter, variant, 30 lower
 * counter, 32 random. The 42 counter bits begin each millisecond at random with the top bit clear, and count up by one
 * (RFC 9562 §6.2, method 1); should they overflow, the timestamp runs ahead of the clock.
 */
export const makeGenerator = (random: RandomSource): GeneratorService => {
  let time = -1
  let timeText = ""
  let counterHigh = 0
  let counterLow = 0

  const startAt = (epochMillis: number): void => {
    if (!(epochMillis >= 0 && epochMillis <= maxEpochMillis)) {
      throw new RangeError(
        `a UUIDv7 needs a time from 0 to ${maxEpochMillis} ms since the epoch, the clock gave ${epochMillis}`
      )
    }
    time = epochMillis
    const high = Math.floor(time / 0x1_0000)
    timeText = `${hex16(high >>> 16)}${hex16(high & 0xffff)}-${hex16(time % 0x1_0000)}`
    counterHigh = random.nextUint32() & 0x7ff
    counterLow = random.nextUint32() & 0x3fff_ffff
  }

  const increment = (): void => {
    if (counterLow < 0x3fff_ffff) counterLow += 1
    else if (counterHigh < 0xfff) {
      counterLow = 0
      counterHigh += 1
    } else startAt(time + 1)
  }

  return {
    unsafeMake: (epochMillis) => {
      const now = Math.floor(epochMillis)
      if (now <= time && now >= 0 && now >= time - rollbackAllowanceMillis) increment()
      else startAt(now)
      const tail = random.nextUint32()
      return `${timeText}-${hex16(0x7000 | counterHigh)}-${hex16(0x8000 | (counterLow >>> 16))}-${hex16(counterLow & 0xffff)}${hex16(tail >>> 16)}${hex16(tail & 0xffff)}` as RunId
    }
  }
}

const hexByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

const hex16 = (bits: number): string => `${hexByte[bits >>> 8]}${hexByte[bits & 0xff]}`

// One call for 64 ids: the call costs more than the bytes.
const cryptoSource = (): RandomSource => {
  const words = new Uint32Array(64)
  let used = words.length
  return {
    nextUint32: () => {
      if (used === words.length) {
        crypto.getRandomValues(words)
        used = 0
      }
      return words[used++] as number
    }
  }
}
