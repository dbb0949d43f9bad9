/**
 * Colours for status words.
 */
import type { RunRecord } from "botanu-effect/report"

const codes: Record<RunRecord.ReportStatus, number> = {
  success: 32,
  failure: 31,
  timeout: 33,
  partial: 33,
  canceled: 90,
  lost: 90,
  running: 36
}

/** Colours a text by the status that it is about; without colour, the text as it is. */
export const byStatus =
  (hasColour: boolean) =>
  (status: RunRecord.ReportStatus, text: string): string =>
    hasColour ? `\u001b[${codes[status]}m${text}\u001b[39m` : text

/** The text without escape sequences of a terminal. */
export const withoutEscapes = (text: string): string => text.replace(escapes, "")

// ECMA-48: a control sequence, else the escape and the character after it.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
const escapes = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b./g
