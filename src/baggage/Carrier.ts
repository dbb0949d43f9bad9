/**
 * Reading headers off whatever carries them: HTTP requests, and the messages of brokers, whose clients give text or bytes, one
 * value or several, under names in any letter case.
 */
import { maxHeaderBytes } from "../wire/Wire.js"

/**
 * Headers that came in: a record, or an iterable of names and values such as a `Map` or the `Headers` of `fetch`. A value is
 * text, bytes of UTF-8, or an array of either; others are not looked at. Names are matched in any letter case.
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

/** The lines of one header, whose name is given in lower case. Total: what is no such carrier holds no header. */
export const lines = (headers: IncomingHeaders | undefined, name: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  if (typeof headers !== "object" || headers === null) return found
  try {
    if (Symbol.iterator in headers) {
      for (const entry of headers as Iterable<unknown>) {
        if (Array.isArray(entry) && isNamed(entry[0], name)) addLines(found, entry[1])
      }
    } else {
      for (const key of Object.keys(headers)) if (isNamed(key, name)) addLines(found, headers[key])
    }
  } catch {
    // It is an object of someone's client, and may throw where it is looked at.
  }
  return found
}

const isNamed = (key: unknown, name: string): boolean =>
  typeof key === "string" && key.length === name.length && key.toLowerCase() === name

const addLines = (found: Array<string>, value: unknown): void => {
  if (typeof value === "string") found.push(value)
  else if (value instanceof Uint8Array) found.push(text(value))
  else if (Array.isArray(value)) for (const part of value) if (!Array.isArray(part)) addLines(found, part)
}

// A mark at the beginning is text like any other, as it is where a client gives text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

// No UTF-16 unit comes from more than three bytes, so what this leaves is longer than may be read, and its reader sees that.
const maxBytes = 3 * (maxHeaderBytes + 1)

const text = (bytes: Uint8Array): string => decoder.decode(bytes.subarray(0, maxBytes))
