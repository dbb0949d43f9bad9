/**
 * Reads the events of AWS's event streams as their bytes pass (docs.aws.amazon.com, "Event stream encoding"), in bounded memory.
 *
 * A message is its length, the length of its headers, a checksum, the headers, a payload and a checksum. The client of the provider
 * checks the checksums.
 */

// Longer messages are skipped: what they report is not known then.
const maxBytes = 1 << 20

const prelude = 12
const checksum = 4
const textHeader = 7

export class EventStreamParser {
  private known = new Uint8Array(0)
  /** How many bytes are left of a message that is skipped. */
  private toSkip = 0
  private isBroken = false

  constructor(private readonly onEvent: (type: string, payload: Uint8Array) => void) {}

  push(bytes: Uint8Array): void {
    if (this.isBroken) return
    const skipped = Math.min(this.toSkip, bytes.length)
    this.toSkip -= skipped
    this.known = joined(this.known, bytes.subarray(skipped))
    while (this.known.length >= prelude) {
      const length = viewOf(this.known).getUint32(0)
      if (length < prelude + checksum) {
        this.isBroken = true
        this.known = new Uint8Array(0)
      } else if (length > maxBytes) {
        this.toSkip = Math.max(0, length - this.known.length)
        this.known = this.known.subarray(length)
      } else if (this.known.length < length) return
      else {
        this.read(this.known.subarray(0, length))
        this.known = this.known.subarray(length)
      }
    }
  }

  private read(message: Uint8Array): void {
    const start = prelude + viewOf(message).getUint32(4)
    const end = message.length - checksum
    if (start > end) return
    const type = eventTypeIn(message.subarray(prelude, start))
    if (type !== undefined) this.onEvent(type, message.subarray(start, end))
  }
}

/** The value of the header `:event-type`, before which there are others of text at most. */
const eventTypeIn = (headers: Uint8Array): string | undefined => {
  const view = viewOf(headers)
  let at = 0
  while (at < headers.length) {
    const nameEnd = at + 1 + view.getUint8(at)
    if (nameEnd + 3 > headers.length || view.getUint8(nameEnd) !== textHeader) return undefined
    const valueStart = nameEnd + 3
    const valueEnd = valueStart + view.getUint16(nameEnd + 1)
    if (decoded(headers.subarray(at + 1, nameEnd)) === ":event-type") {
      return decoded(headers.subarray(valueStart, valueEnd))
    }
    at = valueEnd
  }
  return undefined
}

const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const viewOf = ({ buffer, byteLength, byteOffset }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
