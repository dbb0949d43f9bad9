/**
 * Where tickets come from: the lines of a file or of standard input, read while they are worked.
 */
import { createReadStream } from "node:fs"
import { Readable } from "node:stream"
import { TerminalText } from "botanu-effect/report"
import { Data, Effect, Either, Stream } from "effect"
import * as FileProblem from "./FileProblem.js"
import * as Ticket from "./Ticket.js"

const { visible } = TerminalText

export interface Source {
  readonly name: string
  readonly open: () => Readable
}

export const fileSource = (path: string): Source => ({
  name: `"${visible(path)}"`,
  open: () => createReadStream(path)
})

export const stdinSource: Source = { name: "standard input", open: () => process.stdin }

/** The source cannot be read, or not any further. */
export class UnreadableSource extends Data.TaggedError("UnreadableSource")<{
  readonly name: string
  readonly problem: string
}> {
  override get message(): string {
    return `cannot read tickets from ${this.name}: ${this.problem}`
  }
}

/** A line that is no ticket. */
export interface BadLine {
  readonly number: number
  readonly problem: string
}

/** The tickets of a source, and the lines that are none. Blank lines do not count. */
export const tickets = (source: Source): Stream.Stream<Either.Either<Ticket.Ticket, BadLine>, UnreadableSource> =>
  bytes(source).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.zipWithIndex,
    Stream.filter(([line]) => line.trim() !== ""),
    Stream.map(([line, index]) => Either.mapLeft(Ticket.fromLine(line), (problem) => ({ number: index + 1, problem })))
  )

const bytes = (source: Source): Stream.Stream<Uint8Array, UnreadableSource> =>
  Stream.acquireRelease(Effect.sync(source.open), (readable) => Effect.sync(() => readable.destroy())).pipe(
    Stream.flatMap((readable) =>
      Stream.fromReadableStream<Uint8Array, UnreadableSource>({
        evaluate: () => Readable.toWeb(readable) as ReadableStream<Uint8Array>,
        onError: (error) => new UnreadableSource({ name: source.name, problem: FileProblem.describe(error) }),
        releaseLockOnEnd: true
      })
    )
  )
