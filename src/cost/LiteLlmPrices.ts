/**
 * Prices in the format of LiteLLM's `model_prices_and_context_window.json`: an object with an entry for each model.
 */
import { BigDecimal, Either, Schema } from "effect"
import { type FieldProblem, printable, quote, quoteName, refusal } from "../schema/FieldText.js"
import { always, amountIn, type EntryKey, keyOf, unitsOf } from "./LiteLlmKey.js"
import { type MeterName, meterOf, type Unit } from "./Meter.js"
import type { Price, PriceTier, ServiceTierPrices, UnitPrices, Validity } from "./Price.js"
import { isOrdinary } from "./PriceProblem.js"
import { tokenUnits } from "./PriceRates.js"
import { normalizeProvider } from "./Provider.js"
import { expectedAmount, fromNonNegative, type UsdInput } from "./Usd.js"

/** How such a file is read. Its prices hold when and for whom the validity says. */
export interface LiteLlmOptions extends Validity {
  /** What the file is called in errors. */
  readonly name: string
  /**
   * Whether an entry that is not as it should be is left out and reported, or fails.
   * @default "skip"
   */
  readonly badEntries?: "skip" | "fail" | undefined
}

/**
 * A price file was refused.
 *
 * @example
 * ```ts
 * import { PriceFile } from "botanu-effect/platform"
 * import { Effect, Layer } from "effect"
 *
 * export const prices = PriceFile.layer("prices.json").pipe(
 *   Layer.tapError((error) =>
 *     error instanceof PriceFile.InvalidPriceFile ? Effect.logError(error.file, error.problem) : Effect.void
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category price files
 */
export class InvalidPriceFile extends Schema.TaggedError<InvalidPriceFile>()("InvalidPriceFile", {
  /** The path of the file. */
  file: Schema.String,
  /** The model whose entry it is, where it is not the file as a whole. */
  entry: Schema.optionalWith(Schema.String, { exact: true }),
  /** What was expected, and what was found. */
  problem: Schema.String
}) {
  override get message(): string {
    const where = this.entry === undefined ? this.file : `${this.file}, entry ${quote(this.entry)}`
    return `price file ${where}: ${this.problem}`
  }
}

/** What a file gives: its prices, its entries that were left out, and the prices in its entries that are not modelled. */
export interface LiteLlmPrices {
  readonly prices: ReadonlyArray<Price>
  readonly skipped: ReadonlyArray<InvalidPriceFile>
  /** How many entries have a price under a key that holds the price of no meter, by key. Such prices are not read. */
  readonly notModelled: ReadonlyMap<string, number>
}

/** The prices in a text. Fields that say nothing of a price are ignored, and so is the entry `sample_spec`, which explains them. */
export const fromText = (text: string, options: LiteLlmOptions): Either.Either<LiteLlmPrices, InvalidPriceFile> =>
  Either.flatMap(parse(text, options.name), (entries) => {
    const prices: Array<Price> = []
    const skipped: Array<InvalidPriceFile> = []
    const notModelled = new Map<string, number>()
    const { badEntries, name, ...validity } = options
    for (const [model, json] of Object.entries(entries)) {
      if (model === "sample_spec") continue
      const entry = new Entry()
      const problem = entry.read(model, json)
      if (problem === undefined) {
        prices.push({ ...validity, ...entry.price(model), source: name })
        for (const key of entry.notModelled) notModelled.set(key, (notModelled.get(key) ?? 0) + 1)
        continue
      }
      const invalid = new InvalidPriceFile({
        file: name,
        entry: model,
        problem: problem.field === "" ? problem.problem : `${problem.field}: ${problem.problem}`
      })
      if (badEntries === "fail") return Either.left(invalid)
      skipped.push(invalid)
    }
    return Either.right({ prices, skipped, notModelled })
  })

const parse = (text: string, file: string): Either.Either<object, InvalidPriceFile> => {
  const invalid = (problem: string) => Either.left(new InvalidPriceFile({ file, problem }))
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? Either.right(value) : invalid("expected an object with an entry for each model")
  } catch (error) {
    // The message has an excerpt of the text.
    return invalid(`expected JSON: ${printable(error instanceof Error ? error.message : String(error))}`)
  }
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

type Amount = string | number

const amountProblem = (field: string, amount: unknown): FieldProblem | undefined =>
  isOrdinary(amount) || fromNonNegative(amount) !== undefined
    ? undefined
    : { field, problem: `expected ${expectedAmount}, got ${quote(amount)}` }

/** Prices that hold under one condition, by key, before it is known what the keys mean in the mode of the entry. */
type Amounts = Map<string, Amount>

/** One entry while it is read. */
class Entry {
  readonly notModelled: Array<string> = []
  private mode = "chat"
  private provider: string | undefined
  private readonly flags = new Set<string>()
  /** Keys whose price holds only under a condition that no usage names. */
  private readonly conditional = new Set<string>()
  /** By service tier, and in it by threshold. */
  private readonly amounts = new Map<string, Map<number, Amounts>>()
  private ranges: ReadonlyArray<{ readonly above: number; readonly amounts: Amounts }> = []
  private readonly regions = new Map<string, UsdInput>()
  private fastFactor: UsdInput | undefined
  private readonly searches = new Map<string, Amount>()

  /** Takes in an entry; or says what is wrong with it. */
  read(model: string, json: unknown): FieldProblem | undefined {
    const expected = refusal(model)
    if (expected !== undefined) return { field: "name", problem: expected }
    if (!isObject(json)) return { field: "", problem: `expected an object, got ${quote(json)}` }
    for (const [key, value] of Object.entries(json)) {
      if (value === null || value === undefined) continue
      const problem = this.field(key, value)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  /** The price that the entry gives. */
  price(model: string): Price {
    const { provider } = this
    const standard = this.pricesOf("standard")
    if (this.ranges.length > 0) this.addRanges(standard)
    const serviceTiers: Record<string, ServiceTierPrices> = {}
    for (const tier of this.amounts.keys()) {
      if (tier !== "standard") serviceTiers[tier] = this.pricesOf(tier)
    }
    if (this.fastFactor !== undefined) serviceTiers["fast"] = scaled(standard, this.fastFactor)
    return {
      kind: "llm",
      model,
      provider,
      usd: { ...standard.usd, ...this.searchPrices() },
      tiers: standard.tiers,
      ...(Object.keys(serviceTiers).length > 0 && { serviceTiers }),
      ...(this.regions.size > 0 && { regions: Object.fromEntries(this.regions) }),
      ...expectationsOf(this.mode, standard.usd)
    }
  }

  private field(name: string, value: unknown): FieldProblem | undefined {
    const key = keyOf(name)
    switch (key._tag) {
      case "Other":
        if (value === true) this.flags.add(name)
        return undefined
      case "Mode":
        if (typeof value === "string") this.mode = value
        return undefined
      case "Provider":
        return this.readProvider(value)
      case "Price":
        return this.add(name, key, value)
      case "Region":
        this.regions.set(key.region, value as UsdInput)
        return amountProblem(quoteName(name), value)
      case "Factors":
        return this.readFactors(name, value)
      case "SearchContext":
        return this.readSearches(name, value)
      case "Ranges":
        return this.readRanges(name, value)
      case "NotModelled":
        this.notModelled.push(name)
        if (key.base !== undefined) this.conditional.add(key.base)
        return undefined
    }
  }

  private readProvider(value: unknown): FieldProblem | undefined {
    const field = "litellm_provider"
    if (typeof value !== "string") return { field, problem: `expected text, got ${quote(value)}` }
    if (value === "") return undefined
    const expected = refusal(value)
    if (expected !== undefined) return { field, problem: `${expected}, got ${quote(value)}` }
    this.provider = providerOf(value)
    return undefined
  }

  private add(
    name: string,
    { above, base, tier }: EntryKey & { _tag: "Price" },
    value: unknown
  ): FieldProblem | undefined {
    const problem = amountProblem(name, value)
    if (problem !== undefined) return problem
    const steps = this.amounts.get(tier) ?? new Map<number, Amounts>()
    this.amounts.set(tier, steps)
    const amounts = steps.get(above) ?? new Map<string, Amount>()
    steps.set(above, amounts)
    amounts.set(base, value as Amount)
    return undefined
  }

  /** Factors on the prices of tokens: for fast answers, and by where the call was served. */
  private readFactors(name: string, value: unknown): FieldProblem | undefined {
    if (!isObject(value)) return undefined
    for (const [key, factor] of Object.entries(value)) {
      if (typeof factor !== "number" && fromNonNegative(factor) === undefined) continue
      const problem = amountProblem(`${name}.${quoteName(key)}`, factor)
      if (problem !== undefined) return problem
      if (key === "fast") this.fastFactor = factor as Amount
      else this.regions.set(key.toLowerCase(), factor as Amount)
    }
    return undefined
  }

  private readSearches(name: string, value: unknown): FieldProblem | undefined {
    if (!isObject(value)) return { field: name, problem: `expected an object, got ${quote(value)}` }
    for (const [key, amount] of Object.entries(value)) {
      if (amount === null) continue
      const problem = amountProblem(`${name}.${quoteName(key)}`, amount)
      if (problem !== undefined) return problem
      this.searches.set(key, amount as Amount)
    }
    return undefined
  }

  private readRanges(name: string, value: unknown): FieldProblem | undefined {
    if (!Array.isArray(value)) return { field: name, problem: `expected a list, got ${quote(value)}` }
    const ranges: Array<{ readonly above: number; readonly amounts: Amounts }> = []
    for (const [i, item] of value.entries()) {
      if (!isObject(item)) return { field: `${name}.${i}`, problem: `expected an object, got ${quote(item)}` }
      const range: unknown = item["range"]
      if (range === undefined) {
        // By something else than input tokens.
        this.notModelled.push(name)
        return undefined
      }
      const from: unknown = Array.isArray(range) ? range[0] : undefined
      if (!Number.isSafeInteger(from) || (from as number) < 0) {
        return { field: `${name}.${i}.range`, problem: `expected two counts of tokens, got ${quote(range)}` }
      }
      const amounts: Amounts = new Map()
      for (const [name_, amount] of Object.entries(item)) {
        const key = keyOf(name_)
        if (amount === null || key._tag !== "Price") continue
        const problem = amountProblem(`${name}.${i}.${name_}`, amount)
        if (problem !== undefined) return problem
        amounts.set(key.base, amount as Amount)
      }
      ranges.push({ above: from as number, amounts })
    }
    this.ranges = ranges
    return undefined
  }

  /** The prices of a service tier. */
  private pricesOf(tier: string): { usd: UnitPrices; tiers: Array<PriceTier> } {
    const steps = this.amounts.get(tier) ?? new Map<number, Amounts>()
    const usd = this.unitPrices(steps.get(always) ?? new Map())
    const tiers: Array<PriceTier> = []
    for (const [above, amounts] of steps) {
      if (above !== always) tiers.push({ aboveInputTokens: this.threshold(above), usd: this.stepPrices(amounts, usd) })
    }
    return { usd, tiers }
  }

  /** The prices above a threshold. Where writes to a cache have one there, that for longer writes to it below is not known to hold. */
  private stepPrices(amounts: Amounts, below: UnitPrices): UnitPrices {
    const usd = this.unitPrices(amounts)
    const isOpen =
      below.cacheWrite1hToken !== undefined && usd.cacheWriteToken !== undefined && usd.cacheWrite1hToken === undefined
    return isOpen ? { ...usd, cacheWrite1hToken: undefined } : usd
  }

  /** Requests of exactly so many tokens are long ones at xAI. */
  private threshold(above: number): number {
    return this.provider === "x_ai" ? Math.max(0, above - 1) : above
  }

  /** Prices by ranges of input tokens. They replace all others: what a range does not name has no price in it. */
  private addRanges(standard: { usd: UnitPrices; tiers: Array<PriceTier> }): void {
    const priced = this.ranges.map(({ above, amounts }) => ({ above, usd: this.unitPrices(amounts) }))
    const units = new Set([standard.usd, ...priced.map(({ usd }) => usd)].flatMap((usd) => Object.keys(usd)))
    const none = Object.fromEntries(Array.from(units, (unit) => [unit, undefined]))
    for (const { above, usd } of priced) {
      if (above === 0) standard.usd = usd
      else standard.tiers.push({ aboveInputTokens: above, usd: { ...none, ...usd } })
    }
  }

  private searchPrices(): UnitPrices {
    const [low, medium, high] = searchContexts.map((key) => this.searches.get(key))
    if (low !== undefined && low === medium && low === high) return { webSearch: low }
    return {
      ...(low !== undefined && { lowContextWebSearch: low }),
      ...(medium !== undefined && { mediumContextWebSearch: medium }),
      ...(high !== undefined && { highContextWebSearch: high })
    }
  }

  /** What the keys mean in the mode of the entry. */
  private unitPrices(amounts: Amounts): MutablePrices {
    for (const base of this.conditional) amounts.delete(base)
    const usd: MutablePrices = {}
    for (const base of amounts.keys()) {
      for (const { keys, unit } of unitsOf(base)) {
        const amount = usd[unit] === undefined ? amountIn(keys, amounts, this.mode) : undefined
        if (amount !== undefined) usd[unit] = amount
      }
    }
    if (!hasMedia.has(this.mode)) this.computing(usd, amounts)
    this.pictures(usd, amounts)
    this.modalities(usd)
    return usd
  }

  /** Where the mode is neither audio nor video, a second is one of computing. */
  private computing(usd: MutablePrices, amounts: Amounts): void {
    const amount = amountIn(["output_cost_per_second", "input_cost_per_second"], amounts, this.mode)
    if (amount !== undefined) usd.computeHour = times(amount, secondsOfHour)
  }

  /** Where images are made, a second price that differs is for images that are looked at. */
  private pictures(usd: MutablePrices, amounts: Amounts): void {
    const looked = amounts.get("input_cost_per_image")
    if (looked === undefined || this.mode === "realtime") return
    const made = amounts.get("output_cost_per_image")
    if (!makesPictures.has(this.mode) || (made !== undefined && made !== looked)) usd.inputImage = looked
  }

  private modalities(usd: MutablePrices): void {
    // Where output has no price but that of image tokens, all of it is images.
    if (usd.outputImageToken !== undefined && (usd.outputToken === undefined || Number(usd.outputToken) === 0)) {
      usd.outputToken = usd.outputImageToken
    }
    if (!readsAsText.has(this.mode)) return
    const base = this.amounts.get("standard")?.get(always)
    // Models that take images and video count them as input tokens, at the price of text where the entry has no other.
    if (this.flags.has("supports_vision") && base?.get("input_cost_per_image_token") === undefined) {
      if (usd.inputToken !== undefined) usd.inputImageToken ??= usd.inputToken
      if (usd.cacheReadToken !== undefined) usd.cacheReadImageToken ??= usd.cacheReadToken
    }
    if (this.flags.has("supports_video_input") && base?.get("input_cost_per_video_token") === undefined) {
      if (usd.inputToken !== undefined) usd.inputVideoToken ??= usd.inputToken
      if (usd.cacheReadToken !== undefined) usd.cacheReadVideoToken ??= usd.cacheReadToken
    }
  }
}

/** Parts that are most of the tokens of a mode. */
const partsByMode: ReadonlyMap<string, ReadonlyArray<MeterName>> = new Map<string, ReadonlyArray<MeterName>>([
  ["image_generation", ["outputImageTokens"]],
  ["image_edit", ["outputImageTokens"]],
  ["audio_speech", ["outputAudioTokens"]],
  ["audio_transcription", ["inputAudioTokens"]],
  ["realtime", ["inputAudioTokens", "outputAudioTokens"]]
])

/** In a mode that is there for images or audio, tokens are not taken for text where the usage does not say so. */
const expectationsOf = (mode: string, usd: UnitPrices): { readonly expects?: ReadonlyArray<MeterName> } => {
  const expects = partsByMode.get(mode)?.filter((name) => usd[meterOf(name).unit as Unit] !== undefined) ?? []
  return expects.length > 0 ? { expects } : {}
}

const searchContexts = ["search_context_size_low", "search_context_size_medium", "search_context_size_high"]

const makesPictures: ReadonlySet<string> = new Set(["image_generation", "image_edit"])
const readsAsText: ReadonlySet<string> = new Set(["chat", "responses", "completion"])

const hasMedia: ReadonlySet<string> = new Set(["audio_transcription", "audio_speech", "realtime", "video_generation"])

type MutablePrices = { [U in Unit]?: UsdInput | undefined }

const secondsOfHour = BigDecimal.fromBigInt(3600n)

const times = (amount: UsdInput, factor: BigDecimal.BigDecimal): BigDecimal.BigDecimal =>
  BigDecimal.multiply(fromNonNegative(amount) as BigDecimal.BigDecimal, factor)

/** Prices of tokens multiplied by a factor. */
const scaled = ({ tiers = [], usd }: ServiceTierPrices, factor: UsdInput): ServiceTierPrices => {
  const by = fromNonNegative(factor) as BigDecimal.BigDecimal
  const all = (usd: UnitPrices): UnitPrices => {
    const prices: MutablePrices = {}
    for (const unit of tokenUnits) {
      // A unit that is there without a price has none above the threshold, whatever it costs below.
      if (unit in usd) prices[unit] = usd[unit] === undefined ? undefined : times(usd[unit], by)
    }
    return prices
  }
  return { usd: all(usd), tiers: tiers.map(({ aboveInputTokens, usd }) => ({ aboveInputTokens, usd: all(usd) })) }
}

/** LiteLLM's names distinguish ways of calling, such as `vertex_ai-language-models`, that are one provider's. */
const providerOf = (name: string): string | undefined => {
  const dash = name.endsWith("models") ? name.indexOf("-") : -1
  const bare = (dash === -1 ? name : name.slice(0, dash)).replace(/^text-completion-/, "").replace(/_(chat|text)$/, "")
  return bare === "" ? undefined : normalizeProvider(bare)
}
