/**
 * The directory that takes the lines which the database does not.
 */
import { FileSystem, Path, type Error as PlatformError } from "@effect/platform"
import { Chunk, Clock, Effect, Stream } from "effect"
import { isGone, orIfGone } from "../ledger/Gone.js"
import { dayOf, type Segment, segments } from "../ledger/Segment.js"
import { size } from "./Batch.js"
import { fromText, type IngestedLine } from "./Ingestion.js"

/** Writes the lines of a segment in their order, and removes it. A line that was cut by a crash is left out. */
export const replay = <E>(
  segment: string,
  write: (lines: ReadonlyArray<IngestedLine>) => Effect.Effect<void, E>
): Effect.Effect<void, E | PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* files.stream(segment).pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.filterMap(fromText),
      Stream.rechunk(size),
      Stream.runForEachChunk((lines) => write(Chunk.toReadonlyArray(lines))),
      // Another process has written the same lines. Nothing is in the database twice.
      Effect.catchIf(isGone, () => Effect.void)
    )
    yield* orIfGone(files.remove(segment), undefined)
  })

/** The segments that processes have left behind which are gone. */
export const abandoned = (
  directory: string
): Effect.Effect<ReadonlyArray<Segment>, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.map(segments(directory), (all) => all.filter(({ isAbandoned }) => isAbandoned))

/** Where lines are that the database refuses. It can be read as a ledger. */
export const refusedIn = (directory: string): Effect.Effect<string, never, Path.Path> =>
  Effect.map(Path.Path, (path) => path.join(directory, "refused"))

/** Keeps a line that the database refuses. */
export const keepRefused = (
  directory: string,
  writer: string,
  { text }: IngestedLine
): Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.join(yield* refusedIn(directory), dayOf(yield* Clock.currentTimeMillis))
    yield* files.makeDirectory(folder, { recursive: true })
    yield* files.writeFileString(path.join(folder, `${writer}-1.jsonl`), `${text}\n`, { flag: "a" })
  })
