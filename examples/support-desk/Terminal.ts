/**
 * Text for people: made safe for a terminal, measured in its columns, coloured where that is wanted.
 */

/** What can be shown where text goes. */
export interface Screen {
  readonly columns: number
  readonly isTerminal: boolean
  readonly hasColour: boolean
}

/** The screen that a stream of the process leads to. */
export const screenOf = (stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Screen => {
  const isTerminal = stream.isTTY === true && environment["TERM"] !== "dumb"
  return {
    columns: stream.columns || 120,
    isTerminal,
    hasColour: isTerminal && !environment["NO_COLOR"]
  }
}

// Control characters, line separators, and what turns the direction of writing.
const unsafe = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** The text with everything that a terminal would act upon written as an escape. */
export const visible = (text: string): string =>
  text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)

const takesNoColumn = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const takesTwoColumns =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]$/u

const columnsOf = (character: string): number =>
  takesNoColumn.test(character) ? 0 : takesTwoColumns.test(character) ? 2 : 1

/** How many columns the text takes. */
export const width = (text: string): number => {
  let columns = 0
  for (const character of text) columns += columnsOf(character)
  return columns
}

/** How many columns the widest of the texts takes. */
export const widest = (texts: ReadonlyArray<string>): number =>
  texts.reduce((most, text) => Math.max(most, width(text)), 0)

/** The text in at most so many columns. */
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

/** The words on as many lines as they need, the first of which begins with `first`, the others with `next`. */
export const wrap = (
  words: ReadonlyArray<string>,
  first: string,
  next: string,
  screen: Screen
): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last === undefined) lines.push(first + word)
    else if (width(last) + 1 + width(word) > screen.columns) lines.push(next + word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

export type Alignment = "left" | "right"

/** The text in exactly so many columns, or more where it does not fit. */
export const pad = (text: string, columns: number, alignment: Alignment = "left"): string => {
  const space = " ".repeat(Math.max(0, columns - width(text)))
  return alignment === "left" ? text + space : space + text
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 } as const
export type Ink = keyof typeof codes

/** The text in this ink, where the screen has colour. */
export const paint = (screen: Screen, ink: Ink, text: string): string =>
  screen.hasColour ? `\u001b[${codes[ink]}m${text}\u001b[0m` : text
