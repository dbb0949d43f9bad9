/**
 * A file that lines are appended to, and that is put aside when it has grown to a size.
 */
import { Error, FileSystem } from "@effect/platform"
import { Effect, Exit, Scope } from "effect"

/**
 * When a file is put aside, and how many of those are kept.
 *
 * @example
 * ```ts
 * import type { RunExporterFile } from "botanu-effect/platform"
 *
 * const daily: RunExporterFile.RotationOptions = { maxBytes: 1_048_576, maxFiles: 7 }
 * console.log(daily)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RotationOptions {
  /**
   * The size in bytes that a file does not grow beyond, unless by a single line that is longer.
   * @default 67108864 (64 MiB)
   */
  readonly maxBytes?: number | undefined
  /**
   * How many files that were put aside are kept; the oldest are removed. Zero keeps none.
   * @default all of them
   */
  readonly maxFiles?: number | undefined
}

/** Appends lines, one after another. */
export interface LineFile {
  /** Appends a line. What was begun is finished, also where it is interrupted. */
  readonly append: (line: string) => Effect.Effect<void, Error.PlatformError>
}

const defaultMaxBytes = 64 * 1024 * 1024

/** Opens a file, or makes it; it is flushed to the disk and closed with the scope. */
export const open = (
  path: string,
  { maxBytes = defaultMaxBytes, maxFiles = Number.POSITIVE_INFINITY }: RotationOptions
): Effect.Effect<LineFile, Error.PlatformError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    if (!Number.isSafeInteger(maxBytes) || maxBytes <= 0) {
      return yield* invalid(`maxBytes: expected a whole number of bytes above zero, got ${maxBytes}`)
    }
    if (maxFiles !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(maxFiles) || maxFiles < 0)) {
      return yield* invalid(`maxFiles: expected a whole number, zero or more, got ${maxFiles}`)
    }
    const files = yield* FileSystem.FileSystem
    let current = yield* openFile(files, path)
    yield* Effect.addFinalizer(() => current.close)
    const one = yield* Effect.makeSemaphore(1)

    const rotate = Effect.gen(function* () {
      yield* current.close
      // Also where it could not be put aside, there is a file to append to.
      yield* Effect.catchAll(putAside(files, path, maxFiles), (error) =>
        Effect.logWarning(`${path} could not be put aside: ${error.message}`)
      )
      current = yield* openFile(files, path)
    })

    const append = (line: string) =>
      Effect.suspend(() => {
        const bytes = encoder.encode(`${line}\n`)
        const isFull = current.size > 0 && current.size + bytes.length > maxBytes
        return Effect.zipRight(
          isFull ? rotate : Effect.void,
          Effect.suspend(() => current.append(bytes))
        )
      })
    return { append: (line) => Effect.uninterruptible(one.withPermits(1)(append(line))) }
  })

const invalid = (description: string) => new Error.BadArgument({ module: "FileSystem", method: "open", description })

const encoder = new TextEncoder()
const newline = encoder.encode("\n")
const newlineCode = 10

interface OpenFile {
  readonly size: number
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, Error.PlatformError>
  readonly close: Effect.Effect<void>
}

const openFile = (files: FileSystem.FileSystem, path: string): Effect.Effect<OpenFile, Error.PlatformError> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const file = yield* Scope.extend(files.open(path, { flag: "a+" }), scope).pipe(
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    let size = Number((yield* file.stat).size)
    // A process that ended within a line leaves one that is not whole. The next line does not continue it.
    let isWithinLine = size > 0 && (yield* lastByte(files, path, size)) !== newlineCode
    return {
      get size() {
        return size
      },
      append: (bytes) =>
        Effect.suspend(() => {
          const whole = isWithinLine ? joined(newline, bytes) : bytes
          isWithinLine = true
          return Effect.map(file.writeAll(whole), () => {
            isWithinLine = false
            size += whole.length
          })
        }),
      close: Effect.zipRight(
        Effect.catchAll(file.sync, (error) => Effect.logWarning(`${path} could not be flushed: ${error.message}`)),
        Scope.close(scope, Exit.void)
      )
    }
  })

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}

const lastByte = (files: FileSystem.FileSystem, path: string, size: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.open(path, { flag: "r" })
      yield* file.seek(FileSystem.Size(size - 1), "start")
      const bytes = new Uint8Array(1)
      yield* file.read(bytes)
      return bytes[0]
    })
  )

/** Gives a file the next number, `runs.jsonl.3`, and removes those before that are too many. */
const putAside = (files: FileSystem.FileSystem, path: string, maxFiles: number) =>
  Effect.gen(function* () {
    const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1
    const prefix = `${path.slice(end)}.`
    const names = yield* files.readDirectory(end === 0 ? "." : path.slice(0, end))
    const numbers = names.flatMap((name) => {
      const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : ""
      return /^[1-9]\d{0,14}$/.test(suffix) ? [Number(suffix)] : []
    })
    const next = numbers.reduce((most, number) => Math.max(most, number), 0) + 1
    yield* files.rename(path, `${path}.${next}`)
    const excess = [...numbers, next].sort((a, b) => b - a).slice(Math.min(maxFiles, numbers.length + 1))
    for (const number of excess) yield* files.remove(`${path}.${number}`)
  })
