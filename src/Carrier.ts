/**
 * Reading headers off whatever carries them: HTTP requests, and the messages of brokers, whose clients give text or bytes, one
 * value or several, under names in any letter case.
 */
import { maxHeaderBytes } from "./Wire.js"

/**
 * Headers that came in: a record, or an iterable of names and values such as a `Map` or the `Headers` of `fetch`. A value is
 * text, bytes of UTF-8, or an array of either; others are not looked at. Names are matched in any letter case.
 */
export type IncomingHeaders = { readonly [name: string]: unknown } | Iterable<readonly [name: string, value: unknown]>

/** The lines of one header, whose name is given in lower case. */
export const lines = (headers: IncomingHeaders, name: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const [key, value] of isIterable(headers) ? headers : Object.entries(headers)) {
    if (typeof key === "string" && key.length === name.length && key.toLowerCase() === name) addLines(found, value)
  }
  return found
}

const isIterable = (headers: IncomingHeaders): headers is Iterable<readonly [name: string, value: unknown]> =>
  Symbol.iterator in headers

const addLines = (found: Array<string>, value: unknown): void => {
  if (typeof value === "string") found.push(value)
  else if (value instanceof Uint8Array) found.push(text(value))
  else if (Array.isArray(value)) for (const part of value) if (!Array.isArray(part)) addLines(found, part)
}

const decoder = new TextDecoder()

/** Bytes as text; one more than may be read, so that a reader sees that there were too many. */
const text = (bytes: Uint8Array): string => decoder.decode(bytes.subarray(0, maxHeaderBytes + 1))
