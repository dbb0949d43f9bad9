/**
 * A price book from a file.
 */
import { FileSystem } from "@effect/platform"
import { Cause, Duration, Effect, Either, Layer, Option } from "effect"
import { fromText, InvalidPriceFile, type LiteLlmOptions } from "../cost/LiteLlmPrices.js"
import * as PriceBook from "../cost/PriceBook.js"
import { sleepUntil } from "../fiber/Timer.js"
import { quoteName } from "../schema/FieldText.js"

export { InvalidPriceFile } from "../cost/LiteLlmPrices.js"

/**
 * How a price file is read.
 *
 * @example
 * ```ts
 * import { PriceFile } from "botanu-effect/platform"
 *
 * const options: PriceFile.PriceFileOptions = { refresh: "1 hour", deployments: { "support-chat": "quill-2" } }
 *
 * export const prices = PriceFile.layer("prices.json", options)
 * ```
 *
 * @since 0.1.0
 * @category price files
 */
export interface PriceFileOptions extends Omit<LiteLlmOptions, "name">, PriceBook.BookOptions {
  /** Prices that come before those of the file, where both fit. */
  readonly overrides?: Iterable<PriceBook.Price> | undefined
  /**
   * How often the file is read again, such as `"1 hour"`. Where it cannot be read then, or has no price, the prices that were read
   * before are kept, and a warning is logged: one, as long as the file is the same.
   * @default never
   */
  readonly refresh?: Duration.DurationInput | undefined
}

/**
 * The prices in a file, in the format of LiteLLM's `model_prices_and_context_window.json`. Fails with `InvalidPriceFile`, which
 * names the file, where it cannot be read. A bad entry is left out and logged as a warning that names it, unless `badEntries`
 * is `fail`.
 *
 * @example
 * ```ts
 * import { PriceFile } from "botanu-effect/platform"
 * import { Effect } from "effect"
 *
 * export const count = Effect.map(PriceFile.read("prices.json"), (prices) => prices.length)
 * ```
 *
 * @since 0.1.0
 * @category price files
 */
export const read = (
  path: string,
  options?: Omit<LiteLlmOptions, "name">
): Effect.Effect<ReadonlyArray<PriceBook.Price>, InvalidPriceFile, FileSystem.FileSystem> =>
  Effect.flatMap(textOf(path), (text) => pricesIn(path, text, options))

const textOf = (path: string): Effect.Effect<string, InvalidPriceFile, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.mapError(
      files.readFileString(path),
      (error) => new InvalidPriceFile({ file: path, problem: `expected a file that can be read: ${error.message}` })
    )
  )

const pricesIn = (
  path: string,
  text: string,
  options: Omit<LiteLlmOptions, "name"> | undefined
): Effect.Effect<ReadonlyArray<PriceBook.Price>, InvalidPriceFile> =>
  Effect.gen(function* () {
    const { notModelled, prices, skipped } = yield* fromText(text, { ...options, name: path })
    for (const { message } of skipped) yield* Effect.logWarning(`${message}; it is left out`)
    if (notModelled.size > 0) {
      const keys = Array.from(notModelled, ([key, entries]) => `${quoteName(key)} (${entries})`)
      const more = keys.length > maxKeys ? ` and ${keys.length - maxKeys} more` : ""
      const named = `${keys.slice(0, maxKeys).join(", ")}${more}`
      yield* Effect.logInfo(`price file ${path}: prices under conditions that are not modelled are left out: ${named}`)
    }
    return prices
  })

/** LiteLLM's file has a handful. A file that makes them up does not make a line of the log as long as it is itself. */
const maxKeys = 100

/**
 * A price book from a file and from prices of your own. A file that cannot be read, or a wrong price, fails where the layer is
 * built.
 *
 * @example
 * ```ts
 * import { PriceFile } from "botanu-effect/platform"
 *
 * export const prices = PriceFile.layer("model_prices_and_context_window.json", {
 *   refresh: "1 hour",
 *   overrides: [{ model: "quill-2", usd: { inputToken: "0.000002", outputToken: "0.000008" } }],
 *   deployments: { "support-chat": "quill-2" }
 * })
 * ```
 *
 * @since 0.1.0
 * @category price files
 */
export const layer = (
  path: string,
  { deployments, overrides = [], refresh, ...options }: PriceFileOptions = {}
): Layer.Layer<PriceBook.PriceBook, InvalidPriceFile | PriceBook.InvalidPrice, FileSystem.FileSystem> =>
  Layer.scoped(
    PriceBook.PriceBook,
    Effect.gen(function* () {
      const own = yield* overridesIn(overrides, deployments)
      const bookOf = (prices: ReadonlyArray<PriceBook.Price>) => PriceBook.make([...prices, ...own], { deployments })
      let text = yield* textOf(path)
      let book = yield* Effect.flatMap(pricesIn(path, text, options), bookOf)
      if (refresh !== undefined) {
        // What was read last and is not used. It is logged once.
        let refused: string | undefined
        const again = Effect.gen(function* () {
          const read = yield* Effect.either(textOf(path))
          const found = Either.merge(Either.mapLeft(read, ({ message }) => message))
          if (found === refused) return
          refused = undefined
          if (found === text) return
          refused = found
          const newText = yield* read
          const prices = yield* pricesIn(path, newText, options)
          // A file that is being written may be empty for a moment, and what fetched it may have put an error there.
          if (!prices.some(namesPrice)) {
            yield* new InvalidPriceFile({ file: path, problem: "expected at least one entry with a price" })
          }
          book = yield* bookOf(prices)
          text = newText
          refused = undefined
        })
        const interval = Duration.toMillis(yield* intervalOf(path, refresh))
        const waiting = Effect.clockWith((clock) => sleepUntil(clock, clock.unsafeCurrentTimeMillis() + interval))
        yield* again.pipe(
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause)
              ? Effect.void
              : Effect.logWarning(`${problemIn(cause)}; the prices that were read before are kept`)
          ),
          (refreshing) => Effect.zipRight(waiting, refreshing),
          Effect.forever,
          Effect.forkScoped
        )
      }
      return {
        priceOf: (usage, payer) => book.priceOf(usage, payer),
        explain: (usage, payer) => book.explain(usage, payer)
      }
    })
  )

const namesPrice = ({ serviceTiers, tiers, usd }: PriceBook.Price): boolean =>
  [{ usd }, ...(tiers ?? []), ...Object.values(serviceTiers ?? {})].some(({ usd }) => Object.keys(usd).length > 0)

/** The overrides, checked before the file is: so an error counts them from the first of them. */
const overridesIn = (
  overrides: Iterable<PriceBook.Price>,
  deployments: PriceBook.BookOptions["deployments"]
): Either.Either<ReadonlyArray<PriceBook.Price>, PriceBook.InvalidPrice> =>
  Either.flatMap(PriceBook.listOf(overrides), (prices) => {
    // A price that was read from another file has a source, and is an override here all the same.
    const own = prices.map((price) => (price?.source === undefined ? price : { ...price, source: undefined }))
    return Either.map(PriceBook.make(own, { deployments }), () => own)
  })

const intervalOf = (
  file: string,
  refresh: Duration.DurationInput
): Effect.Effect<Duration.Duration, InvalidPriceFile> => {
  const interval = Option.filter(Duration.decodeUnknown(refresh), (interval) =>
    Duration.greaterThan(interval, Duration.zero)
  )
  return Effect.mapError(
    interval,
    () => new InvalidPriceFile({ file, problem: `refresh: expected a duration above zero, got ${String(refresh)}` })
  )
}

const problemIn = (cause: Cause.Cause<Error>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}
