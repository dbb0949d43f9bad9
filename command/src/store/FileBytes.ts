/**
 * Bytes of files to which lines are appended.
 */
import type { FileSystem } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import { Effect, Option } from "effect"

/** The byte that ends a line. */
export const newline = 10

/** The bytes of a file between two places; fewer where it ends before. */
export const read = (
  files: FileSystem.FileSystem,
  path: string,
  from: number,
  until: number
): Effect.Effect<Uint8Array, PlatformError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.open(path, { flag: "r" })
      yield* file.seek(from, "start")
      const bytes = yield* file.readAlloc(until - from)
      return Option.getOrElse(bytes, () => new Uint8Array())
    })
  )

const chunk = 64 * 1024

/** Where the last whole line ends, of what is in a file up to a place. */
export const lastLineEnd = (
  files: FileSystem.FileSystem,
  path: string,
  bytes: number
): Effect.Effect<number, PlatformError> =>
  Effect.gen(function* () {
    let until = bytes
    while (until > 0) {
      const from = Math.max(0, until - chunk)
      const at = (yield* read(files, path, from, until)).lastIndexOf(newline)
      if (at >= 0) return from + at + 1
      until = from
    }
    return 0
  })
