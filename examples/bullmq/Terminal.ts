/**
 * The screen that text is for: how wide it is, and whether it has colour.
 */
import { TerminalText } from "botanu-effect/report"

const { width } = TerminalText

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

/** How many columns the widest of the texts takes. */
export const widest = (texts: ReadonlyArray<string>): number =>
  texts.reduce((most, text) => Math.max(most, width(text)), 0)

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

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 } as const
export type Ink = keyof typeof codes

/** The text in this ink, where the screen has colour. */
export const paint = (screen: Screen, ink: Ink, text: string): string =>
  screen.hasColour ? `\u001b[${codes[ink]}m${text}\u001b[0m` : text
