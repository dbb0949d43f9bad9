/**
 * `botanu reprice --prices FILE`: what runs cost at other prices, and with `--write` corrections of their records.
 */
import { FileSystem, type Path } from "@effect/platform"
import { type CompletedRun, PriceBook } from "botanu-effect"
import { PriceFile } from "botanu-effect/platform"
import { Figures, TerminalText } from "botanu-effect/report"
import { BigDecimal, Effect, Layer, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as LedgerWriter from "../store/LedgerWriter.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import * as TextTable from "../terminal/TextTable.js"
import { usageError } from "./EventOptions.js"

/** Prints the difference by model. Corrections are written where that is asked for; nothing else changes the ledger. */
export const reprice = (options: {
  readonly ledger: string
  readonly prices: string
  readonly write: boolean
}): Effect.Effect<void, CommandError, LedgerStore | Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { columns, print } = yield* Screen
    const book = yield* priceBook(options.prices)
    const changes = new Map<string, ModelChange>()
    let corrected = 0
    const { allRecords } = yield* LedgerStore
    yield* Stream.runForEach(allRecords, (records) =>
      Effect.gen(function* () {
        const corrections: Array<CompletedRun> = []
        for (const { completed } of records) {
          if (completed === undefined) continue
          const repriced = yield* PriceBook.reprice(completed).pipe(Effect.provideService(PriceBook.PriceBook, book))
          if (repriced === completed) continue
          corrections.push(repriced)
          note(changes, completed, repriced)
        }
        corrected += corrections.length
        if (options.write && corrections.length > 0) {
          yield* LedgerWriter.write(options.ledger, { completed: corrections })
        }
      })
    )
    if (corrected === 0) return yield* print(["no call has another cost at these prices"])
    const rows = Array.from(changes.values()).sort((one, other) =>
      BigDecimal.Order(differenceOf(other), differenceOf(one))
    )
    const all = rows.reduce((sum, row) => ({
      model: `${rows.length} models`,
      calls: sum.calls + row.calls,
      unpricedBefore: sum.unpricedBefore + row.unpricedBefore,
      before: BigDecimal.sum(sum.before, row.before),
      after: BigDecimal.sum(sum.after, row.after)
    }))
    const shown = rows.length > 1 ? [...rows, all] : rows
    const places = Math.max(2, Figures.usdPlaces(shown.flatMap(({ after, before }) => [after, before])))
    yield* print([
      ...TextTable.lines(
        [
          { title: "Model", cells: shown.map(({ model }) => Rows.cell(model, 40)) },
          { title: "Calls", alignment: "right", cells: shown.map(({ calls }) => Figures.count(calls)) },
          {
            title: "Without",
            unit: "a price",
            alignment: "right",
            cells: shown.map(({ unpricedBefore }) => Figures.count(unpricedBefore))
          },
          {
            title: "Before",
            unit: "USD",
            alignment: "right",
            cells: shown.map(({ before }) => Figures.fixed(before, places))
          },
          {
            title: "After",
            unit: "USD",
            alignment: "right",
            cells: shown.map(({ after }) => Figures.fixed(after, places))
          },
          {
            title: "Difference",
            unit: "USD",
            alignment: "right",
            cells: shown.map((row) => {
              const difference = differenceOf(row)
              return `${BigDecimal.isNegative(difference) ? "" : "+"}${Figures.fixed(difference, places)}`
            })
          }
        ],
        columns
      ),
      options.write
        ? `${Figures.count(corrected)} runs are corrected; their first records are kept`
        : `${Figures.count(corrected)} runs would change: --write corrects them`
    ])
  })

/** The prices of a file. */
export const priceBook = (file: string): Effect.Effect<PriceBook.Service, CommandError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (!(yield* Effect.orElseSucceed(files.exists(file), () => false))) {
      return yield* usageError(`--prices: there is no file ${TerminalText.visible(file)}`)
    }
    return yield* PriceBook.PriceBook.pipe(
      Effect.provide(Layer.provide(PriceFile.layer(file), Layer.succeed(FileSystem.FileSystem, files))),
      Effect.mapError(
        (error) =>
          new CommandError({
            message: `--prices: ${TerminalText.visible(error.message)}`,
            exitCode: exitCodes.usage
          })
      )
    )
  })

interface ModelChange {
  readonly model: string
  readonly calls: number
  readonly unpricedBefore: number
  readonly before: BigDecimal.BigDecimal
  readonly after: BigDecimal.BigDecimal
}

const differenceOf = ({ after, before }: ModelChange): BigDecimal.BigDecimal => BigDecimal.subtract(after, before)

const note = (changes: Map<string, ModelChange>, before: CompletedRun, after: CompletedRun): void => {
  for (const [index, { cost, usage }] of before.usages.entries()) {
    const now = after.usages[index]?.cost
    if (now === undefined || now === cost) continue
    const model = usage.responseModel ?? usage.model ?? usage.provider
    const known = changes.get(model) ?? {
      model,
      calls: 0,
      unpricedBefore: 0,
      before: BigDecimal.make(0n, 0),
      after: BigDecimal.make(0n, 0)
    }
    changes.set(model, {
      model,
      calls: known.calls + 1,
      unpricedBefore: known.unpricedBefore + (cost._tag === "Unpriced" ? 1 : 0),
      before: BigDecimal.sum(known.before, cost.usd),
      after: BigDecimal.sum(known.after, now.usd)
    })
  }
}
