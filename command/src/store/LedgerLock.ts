/**
 * One process at a time removes or compacts files of a ledger. Writers and readers need no lock.
 */
import { hostname } from "node:os"
import { FileSystem, Path } from "@effect/platform"
import { RunId } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import { Clock, Effect, Option, Schema, type Scope } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** The name of the file. */
export const lockName = "maintenance.lock"

/** How often the holder shows that it is there, and how long it may be silent until the lock is free, in milliseconds. */
const heartbeatMillis = 10_000
const silenceMillis = 120_000

const Holder = Schema.parseJson(Schema.Struct({ pid: Schema.Int, host: Schema.String, id: Schema.String }))

/** Holds the lock of a ledger as long as the scope lasts. Fails where another process holds it. */
export const hold = (
  directory: string
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const lock = path.join(directory, lockName)
    const own = yield* Schema.encode(Holder)({ pid: process.pid, host: hostname(), id: yield* RunId.make })
    const take = files.writeFileString(lock, own, { flag: "wx" })
    const text = Effect.orElseSucceed(files.readFileString(lock), () => "")
    yield* Effect.acquireRelease(
      take.pipe(
        Effect.catchIf(isTaken, () =>
          Effect.gen(function* () {
            const known = yield* text
            if (!(yield* isFree(lock, known))) return yield* heldBy(lock, known)
            // Renaming and looking at it once more: another process may have taken it meanwhile.
            const aside = `${lock}.${yield* RunId.make}`
            yield* files.rename(lock, aside)
            const taken = yield* files.readFileString(aside)
            if (taken !== known) {
              yield* files.rename(aside, lock)
              return yield* heldBy(lock, taken)
            }
            yield* files.remove(aside)
            yield* Effect.catchIf(take, isTaken, () => Effect.flatMap(text, (now) => heldBy(lock, now)))
          })
        )
      ),
      () => Effect.ignore(Effect.flatMap(text, (now) => (now === own ? files.remove(lock) : Effect.void)))
    )
    const show = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.ignore(files.utimes(lock, new Date(now), new Date(now)))
    )
    yield* Effect.forkScoped(Effect.forever(Effect.delay(show, heartbeatMillis)))
  }).pipe(
    Effect.catchTags({
      ParseError: Effect.die,
      BadArgument: (error) => unlockable(error),
      SystemError: (error) => unlockable(error)
    })
  )

const isTaken = (error: { readonly _tag: string; readonly reason?: string }): boolean =>
  error._tag === "SystemError" && error.reason === "AlreadyExists"

/** Whether the process that holds a lock is gone. */
const isFree = (lock: string, text: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const holder = Schema.decodeOption(Holder)(text)
    if (Option.isSome(holder) && holder.value.host === hostname()) {
      try {
        process.kill(holder.value.pid, 0)
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ESRCH") return true
      }
    }
    const { mtime } = yield* files.stat(lock)
    const shown = Option.match(mtime, { onNone: () => 0, onSome: (time) => time.getTime() })
    return (yield* Clock.currentTimeMillis) - shown > silenceMillis
  })

const heldBy = (lock: string, text: string) => {
  const who = Option.match(Schema.decodeOption(Holder)(text), {
    onNone: () => "another process",
    onSome: ({ host, pid }) => `process ${pid} on ${TerminalText.visible(host)}`
  })
  return new CommandError({
    message: `${who} compacts or prunes this ledger: wait until it is done. It holds ${TerminalText.visible(lock)}`,
    exitCode: exitCodes.trouble
  })
}

const unlockable = ({ message }: { readonly message: string }) =>
  new CommandError({
    message: `the ledger cannot be locked: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })
