/**
 * The ink that a status is shown in.
 */
import type { RunStatus } from "botanu-effect"
import type { Ink } from "./Terminal.js"

const inks: Record<RunStatus, Ink> = {
  success: "green",
  failure: "red",
  partial: "yellow",
  timeout: "magenta",
  canceled: "cyan"
}

export const inkOf = (status: RunStatus): Ink => inks[status]
