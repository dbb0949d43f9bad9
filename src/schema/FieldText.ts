/**
 * What text may stand in a field of a run, and how a refused value is shown to a person.
 */
import { Schema } from "effect"
import { maxTextBytes } from "../wire/Wire.js"

/** What is wrong with a field: its name, what was expected of it, and an excerpt of what was found. */
export interface FieldProblem {
  readonly field: string
  readonly problem: string
}

// The line and the paragraph separator end a line for many readers, as a control character does.
const controlCharacter = /[\p{Cc}\u2028\u2029]/u

// 64 code points are at most 256 bytes of UTF-8, so nothing needs to be counted.
const surelyFits = /^[^\p{Cc}\u2028\u2029]{1,64}$/u

// Most texts are plain, and this expression takes a fraction of the time.
const isPlain = /^[\x20-\x7e]{1,64}$/

const utf8Length = (text: string): number => {
  let bytes = 0
  for (const character of text) {
    const codePoint = character.codePointAt(0) as number
    bytes += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4
  }
  return bytes
}

/** What was expected of `value` as the text of a field; `undefined` when it is as it should be. */
export const refusal = (value: unknown): string | undefined => {
  if (typeof value !== "string") return "expected text"
  if (isPlain.test(value) || surelyFits.test(value)) return undefined
  if (value === "") return "expected non-empty text"
  if (controlCharacter.test(value)) return "expected text without control characters"
  if (value.length > maxTextBytes || utf8Length(value) > maxTextBytes) {
    return `expected at most ${maxTextBytes} bytes of UTF-8`
  }
  return undefined
}

/** Non-empty text without control characters, of at most 256 bytes of UTF-8. */
export const FieldText = Schema.String.pipe(
  Schema.filter((text) => refusal(text)),
  Schema.annotations({ identifier: "FieldText" })
)

const maxQuoted = 64

/**
 * `value` as it may stand in an error or a log line: escaped, and at most 64 characters of it. A list is not shown: to write lists
 * that are in lists takes a time that is their depth times their size.
 */
export const quote = (value: unknown): string => {
  if (Array.isArray(value)) return "a list"
  const isText = typeof value === "string"
  const inside = escaped(maxCharacters(isText ? value : shown(value)))
  return isText ? `"${inside}"` : inside
}

/** A name that is not known beforehand, as it may stand in the path of a field: escaped, and cut where no name is as long. */
export const quoteName = (name: string): string => escaped(maxCharacters(name, maxTextBytes))

/** Text with its control characters written as escapes. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** A value that is no text may refuse to be shown as such. */
const shown = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return typeof value
  }
}

const escaped = (text: string): string => printable(JSON.stringify(text).slice(1, -1))

const maxCharacters = (text: string, max = maxQuoted): string =>
  text.length > max ? `${text.slice(0, max - 1)}…` : text
