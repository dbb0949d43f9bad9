/**
 * The files of a ledger in a directory.
 */
import { FileSystem, type Path } from "@effect/platform"
import { Ledger } from "botanu-effect/ledger"
import { TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** The segments and the compacted days of a ledger, by day and name. Fails where there is no such directory. */
export const files = (
  directory: string
): Effect.Effect<Ledger.Files, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    if (!(yield* fileSystem.exists(directory))) {
      return yield* new CommandError({
        message: `there is no ledger at ${TerminalText.visible(directory)}: name its directory with --ledger or BOTANU_LEDGER`,
        exitCode: exitCodes.usage
      })
    }
    return yield* Ledger.files(directory)
  }).pipe(Effect.catchTags({ BadArgument: unreadable, SystemError: unreadable }))

/** The segments alone. */
export const segments = (
  directory: string
): Effect.Effect<ReadonlyArray<Ledger.Segment>, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.map(files(directory), ({ segments }) => segments)

/** Trouble with files. */
export const unreadable = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({
    message: `the ledger cannot be read: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })
