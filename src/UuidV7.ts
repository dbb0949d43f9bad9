/**
 * UUIDs of version 7 (RFC 9562 §5.7) that increase strictly.
 */

/** Where random bits come from: whole numbers from 0 to 2³² - 1. */
export interface RandomSource {
  readonly nextUint32: () => number
}

const maxEpochMillis = 2 ** 48 - 1
const maxCounterHigh = 2 ** 12 - 1
const maxCounterLow = 2 ** 30 - 1
const rollbackAllowanceMillis = 10_000

/**
 * Bits, from the left: 48 timestamp, 4 version, 12 upper counter, 2 variant, 30 lower counter, 32 random. The 42 counter bits
 * begin each millisecond at random with the top bit clear and count up by one (RFC 9562 §6.2, method 1); when they overflow,
 * the timestamp runs ahead of the clock. While the clock is behind by up to 10 seconds, the timestamp stands still.
 */
export class UuidV7Generator {
  timestamp = -1
  counterHigh = 0
  counterLow = 0
  private timestampText = ""

  constructor(private readonly random: RandomSource) {}

  /** The next UUID for a time in ms since the epoch. Throws a `RangeError` for one that does not fit into 48 bits. */
  next(epochMillis: number): string {
    const now = Math.floor(epochMillis)
    requireTimestamp(now)
    const isBehind = now <= this.timestamp && now >= this.timestamp - rollbackAllowanceMillis
    if (!isBehind) this.startAt(now)
    else if (this.counterLow < maxCounterLow) this.counterLow += 1
    else if (this.counterHigh < maxCounterHigh) {
      this.counterLow = 0
      this.counterHigh += 1
    } else this.startAt(this.timestamp + 1)

    const upper = hex16(0x7000 | this.counterHigh)
    const middle = hex16(0x8000 | (this.counterLow >>> 16))
    const tail = this.random.nextUint32()
    return `${this.timestampText}-${upper}-${middle}-${hex16(this.counterLow & 0xffff)}${hex16(tail >>> 16)}${hex16(tail & 0xffff)}`
  }

  private startAt(timestamp: number): void {
    requireTimestamp(timestamp)
    this.timestamp = timestamp
    this.counterHigh = this.random.nextUint32() & (maxCounterHigh >>> 1)
    this.counterLow = this.random.nextUint32() & maxCounterLow
    const upper = Math.floor(timestamp / 2 ** 16)
    this.timestampText = `${hex16(upper >>> 16)}${hex16(upper & 0xffff)}-${hex16(timestamp % 2 ** 16)}`
  }
}

const requireTimestamp = (epochMillis: number): void => {
  if (epochMillis >= 0 && epochMillis <= maxEpochMillis) return
  throw new RangeError(`a UUIDv7 needs a time from 0 to ${maxEpochMillis} ms since the epoch, got ${epochMillis}`)
}

const hexByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

const hex16 = (bits: number): string => `${hexByte[bits >>> 8]}${hexByte[bits & 0xff]}`

/** `crypto.getRandomValues`, many words at a time: the call costs more than the words. */
export const cryptographic = (): RandomSource => {
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
