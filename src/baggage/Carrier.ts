/**
 * Reading headers off whatever carries them: HTTP requests, and the messages of brokers, whose clients give text or bytes, one
 * value or several, under names in any letter case.
 */
import { maxHeaderBytes } from "../wire/Wire.js"

/**
 * Headers that came in: a record, an iterable of names and values such as a `Map` or the `Headers` of `fetch`, or names and values
 * in turns, as `rawHeaders` of Node. A value is text, bytes of UTF-8 (also a `Buffer` that went through JSON), an attribute of an
 * SQS or SNS message or event, or an array of these. Names are matched in any letter case.
 *
 * @example
 * ```ts
 * import { Propagation } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const headers: Propagation.IncomingHeaders = { baggage: Buffer.from("team=support") }
 * Effect.runPromise(Propagation.extract(headers))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type IncomingHeaders = { readonly [name: string]: unknown } | Iterable<readonly [name: string, value: unknown]>

/** What of the headers cannot be read: a value under the name, or they as a whole. */
export type Unreadable = "value" | "headers"

/** The lines of one header, whose name is given in lower case. Total: what is no such carrier holds no header. */
export const lines = (
  headers: IncomingHeaders | undefined,
  name: string,
  onUnreadable: (what: Unreadable) => void = () => {}
): ReadonlyArray<string> => {
  const found: Array<string> = []
  const add = (value: unknown) => {
    if (!addLines(found, value)) onUnreadable("value")
  }
  if (headers === undefined || headers === null) return found
  if (typeof headers !== "object") {
    onUnreadable("headers")
    return found
  }
  try {
    if (isFlat(headers)) {
      for (const [index, key] of headers.entries()) {
        if (index % 2 === 0 && isNamed(key, name)) add(headers[index + 1])
      }
    } else if (Symbol.iterator in headers) {
      for (const entry of headers as Iterable<unknown>) {
        if (!Array.isArray(entry) || typeof entry[0] !== "string") onUnreadable("headers")
        else if (isNamed(entry[0], name)) add(entry[1])
      }
    } else {
      for (const key of Object.keys(headers)) if (isNamed(key, name)) add(headers[key])
    }
  } catch {
    // It is an object of someone's client, and may throw where it is looked at.
  }
  return found
}

const isNamed = (key: unknown, name: string): boolean =>
  typeof key === "string" && key.length === name.length && key.toLowerCase() === name

/** Names and values in turns, as `rawHeaders` of Node has them. */
const isFlat = (headers: object): headers is ReadonlyArray<unknown> =>
  Array.isArray(headers) && typeof headers[0] === "string"

/** Adds the lines of a value; `false` where it is of a shape that is not known. */
const addLines = (found: Array<string>, value: unknown): boolean => {
  if (value === undefined || value === null) return true
  if (typeof value === "string") found.push(value)
  else if (value instanceof Uint8Array) found.push(text(value))
  else if (Array.isArray(value)) {
    const unread = value.filter((part) => Array.isArray(part) || !addLines(found, part))
    return unread.length === 0
  } else {
    const inside = insideOf(value)
    if (inside === undefined) return false
    return addLines(found, inside)
  }
  return true
}

/** What is inside of a `Buffer` that went through JSON, or of an attribute of an SQS or SNS message. */
const insideOf = (value: NonNullable<unknown>): string | Uint8Array | undefined => {
  const { BinaryValue, StringValue, Type, Value, binaryValue, stringValue } = value as Record<string, unknown>
  const text = [StringValue, stringValue, Type === "Binary" ? undefined : Value].find(
    (text) => typeof text === "string"
  )
  return (text as string | undefined) ?? bytesOf(BinaryValue ?? binaryValue ?? Value) ?? bytesOf(value)
}

/** Bytes as they are, in base64, as events have them, or as JSON makes them of a `Buffer`. */
const bytesOf = (value: unknown): Uint8Array | undefined => {
  if (value instanceof Uint8Array) return value
  if (typeof value === "string") return fromBase64(value)
  const { data, type } = (value ?? {}) as Record<string, unknown>
  return type === "Buffer" && Array.isArray(data) ? Uint8Array.from(data.slice(0, maxBytes)) : undefined
}

const fromBase64 = (text: string): Uint8Array | undefined => {
  try {
    // Four characters stand for three bytes.
    return Uint8Array.from(atob(text.slice(0, 4 * Math.ceil(maxBytes / 3))), (byte) => byte.charCodeAt(0))
  } catch {
    return undefined
  }
}

// A mark at the beginning is text like any other, as it is where a client gives text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

// No UTF-16 unit comes from more than three bytes, so what this leaves is longer than may be read, and its reader sees that.
const maxBytes = 3 * (maxHeaderBytes + 1)

const text = (bytes: Uint8Array): string => decoder.decode(bytes.subarray(0, maxBytes))
