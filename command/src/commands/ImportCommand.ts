/**
 * `botanu import FILE…`: runs of the Botanu SDKs for other languages, from the files that the OpenTelemetry Collector writes.
 */
import { createGunzip } from "node:zlib"
import { FileSystem, type Path } from "@effect/platform"
import { NodeStream } from "@effect/platform-node"
import { type CompletedRun, PriceBook } from "botanu-effect"
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect, Option, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { SpanCollection } from "../otlp/ImportedRun.js"
import { spansOf } from "../otlp/OtlpSpan.js"
import * as LedgerStore from "../store/LedgerStore.js"
import * as LedgerWriter from "../store/LedgerWriter.js"
import { Screen } from "../terminal/Screen.js"
import { priceBook } from "./RepriceCommand.js"

/** Writes the runs that are not in the ledger yet. A directory that is not there is made. */
export const importFiles = (options: {
  readonly ledger: string
  readonly files: ReadonlyArray<string>
  readonly prices: string | undefined
}): Effect.Effect<void, CommandError, Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { complain, print } = yield* Screen
    const prices = options.prices === undefined ? PriceBook.empty : yield* priceBook(options.prices)
    const spans = new SpanCollection()
    let unreadable = 0
    for (const file of options.files) {
      yield* linesIn(file).pipe(
        Stream.runForEach((line) =>
          Effect.sync(() => {
            if (line.trim() === "") return
            const found = spansOf(line)
            if (found === undefined) unreadable += 1
            else for (const span of found) spans.add(span)
          })
        )
      )
    }
    const { refused, runs, withoutRun } = spans.completed(prices)
    yield* LedgerWriter.begin(options.ledger)
    const known = yield* Effect.provide(knownOf(runs), LedgerStore.layer(options.ledger))
    const fresh = runs.filter(({ run }) => !known.has(run.runId))
    for (let index = 0; index < fresh.length; index += runsAtOnce) {
      yield* LedgerWriter.write(options.ledger, { completed: fresh.slice(index, index + runsAtOnce) })
    }
    const calls = fresh.reduce((sum, { totals }) => sum + totals.calls, 0)
    const unpriced = fresh.reduce((sum, { totals }) => sum + totals.unpricedCalls, 0)
    yield* print([
      `${Figures.count(fresh.length)} runs imported, ${Figures.count(calls)} calls${unpriced === 0 ? "" : `, ${Figures.count(unpriced)} without a price${options.prices === undefined ? " (--prices FILE)" : ""}`}`,
      ...(runs.length > fresh.length
        ? [`${Figures.count(runs.length - fresh.length)} runs were in the ledger already`]
        : [])
    ])
    if (unreadable > 0) yield* complain(`botanu: ${Figures.count(unreadable)} lines are no JSON, and are left out`)
    if (withoutRun > 0) {
      yield* complain(
        `botanu: ${Figures.count(withoutRun)} spans are of runs whose own span is in none of the files, and are left out`
      )
    }
    if (refused.length > 0) {
      yield* complain(
        `botanu: ${Figures.count(refused.length)} runs are not valid, and are left out; the first: ${TerminalText.visible(refused[0] ?? "").slice(0, 160)}`
      )
    }
  })

const runsAtOnce = 20_000

const linesIn = (file: string): Stream.Stream<string, CommandError, FileSystem.FileSystem> => {
  const unreadable = (problem: string) =>
    new CommandError({
      message: `${TerminalText.visible(file)} cannot be read: ${TerminalText.visible(problem)}`,
      exitCode: exitCodes.trouble
    })
  return Stream.unwrapScoped(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const open = yield* files.open(file, { flag: "r" })
      const head = Option.getOrElse(yield* open.readAlloc(FileSystem.Size(8)), () => new Uint8Array())
      if (isZstd(head) || isZstd(head.subarray(4))) {
        return yield* Effect.fail(unreadable("it is compressed with zstd: expected JSON lines, or those in gzip"))
      }
      const bytes = files.stream(file).pipe(Stream.mapError(({ message }) => unreadable(message)))
      return head[0] === 0x1f && head[1] === 0x8b
        ? NodeStream.pipeThroughDuplex(bytes, createGunzip, (error) => unreadable(String(error)))
        : bytes
    }).pipe(
      Effect.catchTags({
        BadArgument: ({ message }) => Effect.fail(unreadable(message)),
        SystemError: ({ message }) => Effect.fail(unreadable(message))
      })
    )
  ).pipe(Stream.decodeText(), Stream.splitLines)
}

/** Whether bytes begin as a frame of zstd does (RFC 8878). The Collector puts the length of each before it. */
const isZstd = ([first, second, third, fourth]: Uint8Array): boolean =>
  first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd

/** Of these runs, the ids of those that have completed in the ledger. */
const knownOf = (
  runs: ReadonlyArray<CompletedRun>
): Effect.Effect<ReadonlySet<string>, CommandError, LedgerStore.LedgerStore> =>
  Effect.gen(function* () {
    const { query } = yield* LedgerStore.LedgerStore
    const known = new Set<string>()
    for (let index = 0; index < runs.length; index += idsAtOnce) {
      const parameters: Record<string, LedgerStore.Parameter> = {}
      for (const [number, { run }] of runs.slice(index, index + idsAtOnce).entries())
        parameters[`id${number}`] = run.runId
      const rows = yield* query({
        from: ["runs"],
        text: `SELECT run_id FROM runs WHERE is_completed AND run_id IN (${Object.keys(parameters)
          .map((name) => `$${name}::uuid`)
          .join(", ")})`,
        parameters
      })
      for (const { run_id } of rows) known.add(run_id ?? "")
    }
    return known
  })

const idsAtOnce = 500
