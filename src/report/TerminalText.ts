/**
 * Text for a terminal: made safe, and measured in its columns.
 */

// Control characters, line separators, and what turns the direction of writing.
const unsafe = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * The text with everything that a terminal would act upon written as an escape: control characters, line separators, marks
 * that turn the direction of writing.
 *
 * @example
 * import { TerminalText } from "botanu-effect/report"
 *
 * TerminalText.visible("\u001b[31mred") // "\\u001b[31mred"
 *
 * @since 0.2.0
 * @category getters
 */
export const visible = (text: string): string =>
  text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)

const takesNoColumn = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const takesTwoColumns =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]$/u

const columnsOf = (character: string): number =>
  takesNoColumn.test(character) ? 0 : takesTwoColumns.test(character) ? 2 : 1

/**
 * How many columns of a terminal the text takes.
 *
 * @example
 * ```ts
 * import { TerminalText } from "botanu-effect/report"
 *
 * console.log(TerminalText.width("Größe"))
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const width = (text: string): number => {
  let columns = 0
  for (const character of text) columns += columnsOf(character)
  return columns
}

/**
 * The text in at most so many columns, with `…` where it was cut.
 *
 * @example
 * ```ts
 * import { TerminalText } from "botanu-effect/report"
 *
 * console.log(TerminalText.truncate("a long line of text", 10))
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const truncate = (text: string, columns: number): string => {
  if (width(text) <= columns) return text
  let fits = ""
  let left = columns - 1
  for (const character of text) {
    left -= columnsOf(character)
    if (left < 0) break
    fits += character
  }
  return `${fits}…`
}

/**
 * The text in exactly so many columns, or more where it does not fit.
 *
 * @example
 * ```ts
 * import { TerminalText } from "botanu-effect/report"
 *
 * console.log(TerminalText.pad("12", 6, "right"))
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const pad = (text: string, columns: number, alignment: "left" | "right" = "left"): string => {
  const space = " ".repeat(Math.max(0, columns - width(text)))
  return alignment === "left" ? text + space : space + text
}
