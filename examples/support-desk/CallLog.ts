/**
 * The model server's own log: what it was asked, and what it served. With it the costs of a job can be checked.
 */
import { createWriteStream, type WriteStream } from "node:fs"
import { TerminalText } from "botanu-effect/report"
import { Data, Effect, Schema, type Scope } from "effect"
import * as FileProblem from "./FileProblem.js"

const { visible } = TerminalText

/** A request, when it is over. */
export const ModelCall = Schema.Struct({
  /** The address that it came from. */
  from: Schema.String,
  ticket: Schema.String,
  model: Schema.String,
  /** The status of the answer; nothing is served where it is not 200. */
  status: Schema.Int,
  /** Whether the answer said what it consumed. */
  isTold: Schema.Boolean,
  /** Whether the connection was broken off before the end of the answer. */
  isCut: Schema.Boolean,
  inputTokens: Schema.Int,
  /** Those of them that were known from before. */
  cachedTokens: Schema.Int,
  outputTokens: Schema.Int
})
export type ModelCall = typeof ModelCall.Type

/** The log cannot be written. */
export class UnwritableLog extends Data.TaggedError("UnwritableLog")<{
  readonly name: string
  readonly problem: string
}> {
  override get message(): string {
    return `cannot write calls to ${this.name}: ${this.problem}`
  }
}

/** Writes calls to a file, as lines of JSON. */
export const toFile = (path: string): Effect.Effect<(call: ModelCall) => void, UnwritableLog, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(opened(path), closed), (file) => (call) => {
    file.write(`${JSON.stringify(call)}\n`)
  })

const opened = (path: string): Effect.Effect<WriteStream, UnwritableLog> =>
  Effect.async((resume) => {
    const file = createWriteStream(path)
    file.once("open", () => resume(Effect.succeed(file)))
    file.on("error", (error) =>
      resume(Effect.fail(new UnwritableLog({ name: `"${visible(path)}"`, problem: FileProblem.describe(error) })))
    )
  })

const closed = (file: WriteStream): Effect.Effect<void> =>
  Effect.async((resume) => {
    file.end(() => resume(Effect.void))
  })
