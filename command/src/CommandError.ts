/**
 * Why the command did not do what it was asked: one line that says what to do.
 */
import { Data } from "effect"

/** The codes that the command exits with. */
export const exitCodes = {
  ok: 0,
  /** `doctor` found something, or what was asked for is not in the ledger. */
  findings: 1,
  /** The command line is not as it should be, or there is no ledger. */
  usage: 2,
  /** A file could not be read or written, or the command has a fault. */
  trouble: 3
} as const

/** A mistake of the user, or trouble with files. */
export class CommandError extends Data.TaggedError("CommandError")<{
  /** What is wrong, and what to do. */
  readonly message: string
  readonly exitCode: (typeof exitCodes)[keyof typeof exitCodes]
}> {}
