/**
 * The files of a ledger in a directory.
 */
import { FileSystem, Path } from "@effect/platform"
import { TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** A segment of a ledger: its path, and its size in bytes. */
export interface Segment {
  readonly path: string
  readonly day: string
  readonly bytes: number
}

const day = /^\d{4}-\d{2}-\d{2}$/
const segment = /^[\w.-]+\.jsonl$/

/** The segments of a ledger, by day and name. Fails where there is no such directory. */
export const segments = (
  directory: string
): Effect.Effect<ReadonlyArray<Segment>, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (!(yield* files.exists(directory))) {
      return yield* new CommandError({
        message: `there is no ledger at ${TerminalText.visible(directory)}: name its directory with --ledger or BOTANU_LEDGER`,
        exitCode: exitCodes.usage
      })
    }
    const found: Array<Segment> = []
    for (const folder of (yield* files.readDirectory(directory)).filter((name) => day.test(name)).sort()) {
      const names = yield* files.readDirectory(path.join(directory, folder))
      for (const name of names.filter((name) => segment.test(name)).sort()) {
        const file = path.join(directory, folder, name)
        const { size } = yield* files.stat(file)
        found.push({ path: file, day: folder, bytes: Number(size) })
      }
    }
    return found
  }).pipe(Effect.catchTags({ BadArgument: unreadable, SystemError: unreadable }))

const unreadable = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({
    message: `the ledger cannot be read: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })
