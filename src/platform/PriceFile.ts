/**
 * A price book from a file.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { fromText, InvalidPriceFile, type LiteLlmOptions } from "../cost/LiteLlmPrices.js"
import * as PriceBook from "../cost/PriceBook.js"

export { InvalidPriceFile } from "../cost/LiteLlmPrices.js"

/** How a price file is read. */
export interface PriceFileOptions extends Omit<LiteLlmOptions, "name"> {
  /** Prices that stand after those of the file, and so come before them where both fit. */
  readonly overrides?: Iterable<PriceBook.Price> | undefined
}

/**
 * The prices in a file, in the format of LiteLLM's `model_prices_and_context_window.json`. Fails with `InvalidPriceFile`, which
 * names the file, where it cannot be read. A bad entry is left out and logged as a warning that names it, unless `badEntries`
 * is `fail`.
 */
export const read = (
  path: string,
  options?: Omit<LiteLlmOptions, "name">
): Effect.Effect<ReadonlyArray<PriceBook.Price>, InvalidPriceFile, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(
      files.readFileString(path),
      (error) => new InvalidPriceFile({ file: path, problem: `expected a file that can be read: ${error.message}` })
    )
    const { prices, skipped } = yield* fromText(text, { ...options, name: path })
    for (const { message } of skipped) yield* Effect.logWarning(`${message}; it is left out`)
    return prices
  })

/**
 * A price book from a file and from prices of your own. A file that cannot be read, or a wrong price, fails where the layer is
 * built.
 */
export const layer = (
  path: string,
  { overrides = [], ...options }: PriceFileOptions = {}
): Layer.Layer<PriceBook.PriceBook, InvalidPriceFile | PriceBook.InvalidPrice, FileSystem.FileSystem> =>
  Layer.unwrapEffect(Effect.map(read(path, options), (prices) => PriceBook.layer([...prices, ...overrides])))
