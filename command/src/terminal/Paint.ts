/**
 * Colours, on a terminal only: of status words, and of changes for the better and the worse.
 */
import type { RunRecord } from "botanu-effect/report"

const red = 31
const green = 32
const yellow = 33
const cyan = 36
const grey = 90

const codes: Record<RunRecord.ReportStatus, number> = {
  success: green,
  failure: red,
  timeout: yellow,
  partial: yellow,
  canceled: grey,
  lost: grey,
  running: cyan
}

const colour = (code: number, text: string): string => `\u001b[${code}m${text}\u001b[39m`

/** Colours a text by the status that it is about; without colour, the text as it is. */
export const byStatus =
  (hasColour: boolean) =>
  (status: RunRecord.ReportStatus, text: string): string =>
    hasColour ? colour(codes[status], text) : text

/** Colours the text of a change, or of a finding. */
export const byJudgement =
  (hasColour: boolean) =>
  (judgement: "better" | "worse" | "warning" | "neither", text: string): string =>
    hasColour && judgement !== "neither"
      ? colour(judgement === "better" ? green : judgement === "worse" ? red : yellow, text)
      : text

/** The text without escape sequences of a terminal. */
export const withoutEscapes = (text: string): string => text.replace(escapes, "")

// ECMA-48: a control sequence, else the escape and the character after it.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
const escapes = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b./g
