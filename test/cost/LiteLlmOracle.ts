/**
 * What a usage costs by an entry of LiteLLM's price file, worked out in another way than the library does, and sharing no code
 * with it: every reading of the usage that its numbers allow is priced, token by token kind, and the cost is known only where all
 * readings agree.
 */

export type Entry = Readonly<Record<string, unknown>>
export type Quantities = Readonly<Partial<Record<string, number>>>

/** A usage as far as its cost depends on it. */
export interface Probe {
  readonly quantities: Quantities
  readonly tier: string
  readonly region: string | undefined
}

/** Amounts are whole numbers of this decimal place. */
export const places = 60

/** A price, or the highest and the lowest that it may be. */
type Amount = bigint | undefined

/** The digits of a JSON number. */
export const digitsOf = (value: number): bigint => {
  const [, whole = "", fraction = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  return BigInt(whole + fraction) * 10n ** BigInt(places - fraction.length + Number(exponent))
}

const isNumber = (value: unknown): value is number => typeof value === "number"

/** Whether the price of a key is one of tokens, so that factors multiply it and tiers change it. */
const isOfTokens = (key: string): boolean => key.includes("token")

/** Prices that are the same in all service tiers: fees beside the tokens. */
const fees = ["search_context", "code_interpreter", "input_cost_per_request", "web_search_cost_per_request"]

const suffixes: Readonly<Record<string, string>> = { priority: "_priority", flex: "_flex", batch: "_batches" }

export class Oracle {
  private readonly mode: string
  private readonly size: number
  private readonly known = new Map<string, Amount>()
  private readonly thresholds = new Map<string, string | undefined>()

  constructor(
    private readonly entry: Entry,
    private readonly probe: Probe
  ) {
    this.mode = typeof entry["mode"] === "string" ? entry["mode"] : "chat"
    this.size = probe.quantities["inputTokens"] ?? 0
  }

  /** The cost, in units of the last place; `undefined` where it is not known. */
  get cost(): Amount {
    const parts = [this.inputs, this.outputs, this.others]
    return parts.some((part) => part === undefined)
      ? undefined
      : parts.reduce<bigint>((sum, part) => sum + (part as bigint), 0n)
  }

  private count(name: string): number {
    return this.probe.quantities[name] ?? 0
  }

  private says(name: string): boolean {
    return this.probe.quantities[name] !== undefined
  }

  // -- Prices ------------------------------------------------------------------------------------------------------------------

  /** The price under a key for this size, tier and region. */
  private price(key: string): Amount {
    if (!this.known.has(key)) this.known.set(key, this.priceOf(key))
    return this.known.get(key)
  }

  private priceOf(key: string): Amount {
    const plain = this.priceInTier(key)
    const factor = isOfTokens(key) ? this.regionFactor : undefined
    return plain === undefined || factor === undefined ? plain : this.times(plain, factor)
  }

  private priceInTier(key: string): Amount {
    const { tier } = this.probe
    const ranges = this.entry["tiered_pricing"]
    if (tier === "standard" || fees.some((fee) => key.startsWith(fee))) {
      return Array.isArray(ranges) && ranges.some((range) => Array.isArray(range.range))
        ? this.inRanges(ranges, key)
        : this.inSize(key, "")
    }
    const factors = this.entry["provider_specific_entry"] as Entry | undefined
    if (tier === "fast") {
      const fast = factors?.["fast"]
      const standard = isNumber(fast) && isOfTokens(key) ? this.inSize(key, "") : undefined
      return standard === undefined ? undefined : this.times(standard, fast as number)
    }
    const suffix = suffixes[tier]
    if (suffix === undefined) return undefined
    // Where long requests have other prices, those of the tier are known for them only if the tier names them too.
    const threshold = this.thresholdOf("")
    return threshold === undefined || this.thresholdOf(suffix) === threshold ? this.inSize(key, suffix) : undefined
  }

  private inRanges(ranges: ReadonlyArray<Entry>, key: string): Amount {
    const sorted = [...ranges].sort((a, b) => (b["range"] as [number])[0] - (a["range"] as [number])[0])
    const range = sorted.find((range) => this.size > (range["range"] as [number])[0]) ?? sorted[sorted.length - 1]
    const value = range?.[key]
    return isNumber(value) ? digitsOf(value) : undefined
  }

  private inSize(key: string, suffix: string): Amount {
    const threshold = this.thresholdOf(suffix)
    const long = threshold === undefined ? undefined : this.entry[`${key}_above_${threshold}_tokens${suffix}`]
    const value = isNumber(long) ? long : this.entry[`${key}${suffix}`]
    return isNumber(value) ? digitsOf(value) : undefined
  }

  /** The highest threshold of a tier that the request is above, as the file writes it. */
  private thresholdOf(suffix: string): string | undefined {
    if (!this.thresholds.has(suffix)) this.thresholds.set(suffix, this.findThreshold(suffix))
    return this.thresholds.get(suffix)
  }

  private findThreshold(suffix: string): string | undefined {
    let best: readonly [number, string] | undefined
    const pattern = new RegExp(`_above_(\\d+)(k?)_tokens${suffix}$`)
    for (const key of Object.keys(this.entry)) {
      const [, digits, k] = pattern.exec(key) ?? []
      if (digits === undefined) continue
      const limit = Number(digits) * (k === "k" ? 1000 : 1)
      const isAbove = this.entry["litellm_provider"] === "xai" ? this.size >= limit : this.size > limit
      if (isAbove && limit > (best?.[0] ?? -1)) best = [limit, `${digits}${k}`]
    }
    return best?.[1]
  }

  private get regionFactor(): number | undefined {
    const { region } = this.probe
    const special = this.entry["provider_specific_entry"] as Entry | undefined
    const factor = region && (this.entry[`regional_processing_uplift_multiplier_${region}`] ?? special?.[region])
    return isNumber(factor) ? factor : undefined
  }

  private times(amount: bigint, factor: number): bigint {
    return (amount * digitsOf(factor)) / 10n ** BigInt(places)
  }

  /** The first of these prices that is above zero, else the first that is there. */
  private anyOf(...keys: ReadonlyArray<string>): Amount {
    const known = keys.map((key) => this.price(key)).filter((price) => price !== undefined)
    return known.find((price) => price > 0n) ?? known[0]
  }

  // -- Tokens ------------------------------------------------------------------------------------------------------------------

  /** Whether tokens of images or video are input tokens as those of text are. */
  private readsAsText(flag: string): boolean {
    return ["chat", "responses", "completion"].includes(this.mode) && this.entry[flag] === true
  }

  /** The price of an output token, which is that of images where the entry has no other. */
  private get outputPrice(): Amount {
    const image = this.price("output_cost_per_image_token")
    const own = this.price("output_cost_per_token")
    return image !== undefined && (own === undefined || own === 0n) ? image : own
  }

  /** The price of a token that is kept for an hour: none in a long request where only shorter writes have one for it. */
  private get longerWritePrice(): Amount {
    const key = "cache_creation_input_token_cost"
    const suffix = suffixes[this.probe.tier] ?? ""
    const threshold = this.thresholdOf(suffix)
    const above = (name: string) => this.entry[`${name}_above_${threshold}_tokens${suffix}`]
    const isOpen = threshold !== undefined && isNumber(above(key)) && !isNumber(above(`${key}_above_1hr`))
    return isOpen ? undefined : this.price(`${key}_above_1hr`)
  }

  /** The price of an input token of a kind: what it holds, and what the cache did with it. */
  private inputPrice(modality: string, cache: string): Amount {
    const text = this.price("input_cost_per_token")
    const read = this.anyOf("cache_read_input_token_cost", "input_cost_per_token_cache_hit")
    const asText = (price: Amount, flag: string, key: string): Amount =>
      this.readsAsText(flag) && this.entry[key] === undefined ? price : undefined
    switch (`${modality} ${cache}`) {
      case "text none":
        return text
      case "text read":
        return read
      case "text write":
        return this.price("cache_creation_input_token_cost")
      case "text write1h":
        return this.longerWritePrice
      case "audio none":
        return this.price("input_cost_per_audio_token")
      case "audio read":
        return this.anyOf("cache_read_input_audio_token_cost", "cache_creation_input_audio_token_cost")
      case "image none":
        if (this.mode === "realtime") return this.anyOf("input_cost_per_image_token", "input_cost_per_image")
        return this.price("input_cost_per_image_token") ?? asText(text, "supports_vision", "input_cost_per_image_token")
      case "image read":
        return (
          this.price("cache_read_input_image_token_cost") ??
          asText(read, "supports_vision", "input_cost_per_image_token")
        )
      case "video none":
        return (
          this.price("input_cost_per_video_token") ?? asText(text, "supports_video_input", "input_cost_per_video_token")
        )
      case "video read":
        return asText(read, "supports_video_input", "input_cost_per_video_token")
      default:
        // What is written to a cache is known to have the price of text only where the thing itself has.
        return cache.startsWith("write") && this.inputPrice(modality, "none") === text
          ? this.inputPrice("text", cache)
          : undefined
    }
  }

  /** All input tokens. Cached ones of each modality are known, or anything between the least and the most that there may be. */
  private get inputs(): Amount {
    const modalities = ["audio", "image", "video"] as const
    const title = (name: string) => name[0]?.toUpperCase() + name.slice(1)
    const of = modalities.map((name) => this.count(`input${title(name)}Tokens`))
    const total = this.count("inputTokens")
    const [read, write, write1h] = [
      this.count("cacheReadTokens"),
      this.count("cacheWriteTokens"),
      this.count("cacheWrite1hTokens")
    ]
    const costs = new Set<bigint | undefined>()
    const kinds = ["text", ...modalities].map((name) =>
      ["none", "read", "write", "write1h"].map((cache) => this.inputPrice(name, cache))
    )
    const priceOf = (kind: number, cache: number): Amount => kinds[kind]?.[cache]
    const told = modalities.map((name) => this.probe.quantities[`cacheRead${title(name)}Tokens`])
    const visit = (reads: ReadonlyArray<number>, writes: ReadonlyArray<number>, long: ReadonlyArray<number>): void => {
      const sum = (list: ReadonlyArray<number>) => list.reduce((a, b) => a + b, 0)
      const textRead = read - sum(reads)
      const textLong = write1h - sum(long)
      const textShort = write - write1h - sum(writes)
      const fresh = of.map((count, i) => count - (reads[i] ?? 0) - (writes[i] ?? 0) - (long[i] ?? 0))
      const text = total - sum(of) - textRead - textLong - textShort
      const counts = [textRead, textLong, textShort, text, ...fresh]
      if (costs.size > 1 || counts.some((count) => count < 0)) return
      const terms: ReadonlyArray<readonly [number, Amount]> = [
        [text, priceOf(0, 0)],
        [textRead, priceOf(0, 1)],
        [textShort, priceOf(0, 2)],
        [textLong, priceOf(0, 3)],
        ...modalities.flatMap((_, i) =>
          [fresh, reads, writes, long].map((some, cache) => [some[i] ?? 0, priceOf(i + 1, cache)] as const)
        )
      ]
      costs.add(sumOf(terms))
    }
    const upTo = (limit: number): ReadonlyArray<number> => (limit <= 0 ? [0] : [0, 1, limit])
    const choices = (limits: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
      limits.reduce<ReadonlyArray<ReadonlyArray<number>>>(
        (all, limit) => all.flatMap((some) => upTo(limit).map((n) => [...some, n])),
        [[]]
      )
    const readChoices = choices(of.map((count) => Math.min(count, read))).map((some) =>
      some.map((n, i) => told[i] ?? n)
    )
    // The cheapest and the dearest reading have as much of an overlap as there may be, or as little.
    const least = of.map((count, i) => told[i] ?? Math.max(0, Math.min(count, count + read + write - total)))
    for (const reads of [...readChoices, least]) {
      for (const writes of choices(of.map((count) => Math.min(count, write - write1h)))) {
        for (const long of choices(of.map((count) => Math.min(count, write1h)))) visit(reads, writes, long)
      }
    }
    const [cost, ...others] = costs
    return others.length > 0 ? undefined : cost
  }

  private get outputs(): Amount {
    const total = this.count("outputTokens")
    const [reasoning, audio, image, video] = [
      "reasoningTokens",
      "outputAudioTokens",
      "outputImageTokens",
      "outputVideoTokens"
    ].map((name) => this.count(name)) as [number, number, number, number]
    const rest = total - reasoning - audio - image - video
    if (rest < 0) return undefined
    const text = this.outputPrice
    return sumOf([
      [rest, text],
      [reasoning, this.price("output_cost_per_reasoning_token") ?? text],
      [audio, this.price("output_cost_per_audio_token")],
      [image, this.price("output_cost_per_image_token")],
      [video, this.price("output_cost_per_video_token")]
    ])
  }

  // -- All else ----------------------------------------------------------------------------------------------------------------

  private get isOfPictures(): boolean {
    return this.mode === "image_generation" || this.mode === "image_edit"
  }

  private get imageMade(): Amount {
    const made = this.price("output_cost_per_image")
    return this.isOfPictures ? this.anyOf("output_cost_per_image", "input_cost_per_image") : made
  }

  private get imageSeen(): Amount {
    const seen = this.price("input_cost_per_image")
    if (this.mode === "realtime") return undefined
    if (!this.isOfPictures) return seen
    const made = this.price("output_cost_per_image")
    return made !== undefined && seen !== made ? seen : undefined
  }

  private get seconds(): Amount {
    // Reserved machines cost the same, whatever the tier.
    const amounts = ["output_cost_per_second", "input_cost_per_second"].map((key) => this.entry[key]).filter(isNumber)
    const amount = amounts.find((amount) => amount > 0) ?? amounts[0]
    return amount === undefined ? undefined : digitsOf(amount)
  }

  private get others(): Amount {
    const { mode } = this
    const is = (...modes: ReadonlyArray<string>) => modes.includes(mode)
    const media = is("audio_transcription", "audio_speech", "realtime", "video_generation")
    const hasLengths = Object.keys(this.entry).some((key) => /_above_\d+s_interval$|_per_second_1080p$/.test(key))
    const things: ReadonlyArray<ReadonlyArray<readonly [string, Amount]>> = [
      // Of several measures of one thing the first that has a price counts.
      [
        ["inputTokens", this.price("input_cost_per_token")],
        ["inputCharacters", this.price("input_cost_per_character")]
      ],
      [
        ["outputTokens", this.outputPrice],
        ["outputCharacters", this.price("output_cost_per_character")]
      ],
      [
        ["inputImageTokens", this.inputPrice("image", "none")],
        ["inputImages", this.imageSeen]
      ],
      [
        ["outputImageTokens", this.price("output_cost_per_image_token")],
        ["pixels", this.anyOf("output_cost_per_pixel", "input_cost_per_pixel")],
        ["images", this.imageMade]
      ],
      [
        ["inputAudioTokens", this.price("input_cost_per_audio_token")],
        [
          "inputAudioSeconds",
          is("audio_transcription")
            ? this.anyOf("input_cost_per_audio_per_second", "input_cost_per_second", "output_cost_per_second")
            : this.price("input_cost_per_audio_per_second")
        ]
      ],
      [
        ["outputAudioTokens", this.price("output_cost_per_audio_token")],
        ["outputAudioSeconds", is("audio_speech", "realtime") ? this.price("output_cost_per_second") : undefined]
      ],
      [
        ["inputVideoTokens", this.inputPrice("video", "none")],
        ["inputVideoSeconds", hasLengths ? undefined : this.price("input_cost_per_video_per_second")]
      ],
      [
        ["outputVideoTokens", this.price("output_cost_per_video_token")],
        [
          "outputVideoSeconds",
          hasLengths
            ? undefined
            : is("video_generation")
              ? this.anyOf("output_cost_per_second", "output_cost_per_video_per_second")
              : this.price("output_cost_per_video_per_second")
        ]
      ],
      [
        ["credits", this.price("ocr_cost_per_credit")],
        ["pages", this.price("ocr_cost_per_page")]
      ]
    ]
    const terms: Array<readonly [number, Amount]> = [
      [this.count("citationTokens"), this.price("citation_cost_per_token")],
      [this.count("queries"), this.price("input_cost_per_query")],
      [this.count("sessions"), this.price("code_interpreter_cost_per_session")],
      [this.count("annotatedPages"), undefined]
    ]
    for (const measures of things) {
      const counted = measures.filter(([name]) => this.count(name) > 0)
      const [first] = counted.filter(([, price]) => price !== undefined)
      const [tokens, tokenPrice] = measures[0] as readonly [string, Amount]
      // What has no price of its own and is made of tokens that cost what all do is among those.
      if (first === undefined && this.isAmongTokens(tokens, tokenPrice)) continue
      // What has a price of its own would be charged twice where it is among the tokens of a total too, in a number that nobody says.
      if (
        first !== undefined &&
        counted.every(([name]) => name !== tokens) &&
        this.mayBeAmongTokens(tokens, tokenPrice)
      ) {
        return undefined
      }
      for (const [name, price] of first === undefined ? counted : [first]) {
        // Tokens are charged above.
        if (!name.endsWith("Tokens")) terms.push([this.count(name), price])
      }
    }
    terms.push(...this.searches)
    // What describes a call costs nothing, unless a price names it.
    const perSecond = media ? undefined : this.seconds
    const perRequest = this.price("input_cost_per_request")
    const perMilli = perSecond === undefined ? 0n : perSecond
    const milli = sumOf([[this.count("computeMs"), perMilli]])
    const all = sumOf([...terms, [this.count("requests"), perRequest ?? 0n]])
    return all === undefined || milli === undefined ? undefined : all + milli / 1000n
  }

  private isAmongTokens(name: string, price: Amount): boolean {
    const text = name.startsWith("input") ? this.inputPrice("text", "none") : this.outputPrice
    return this.mayBeAmongTokens(name, price) && price === text
  }

  private mayBeAmongTokens(name: string, price: Amount): boolean {
    const total = name.startsWith("input") ? "inputTokens" : "outputTokens"
    return name !== total && name.endsWith("Tokens") && price !== undefined && this.count(total) > 0 && !this.says(name)
  }

  /** Searches of the web, by the size of their context. */
  private get searches(): ReadonlyArray<readonly [number, Amount]> {
    const prices = (this.entry["search_context_cost_per_query"] ?? {}) as Entry
    const [low, medium, high] = ["low", "medium", "high"].map((size) => {
      const value = prices[`search_context_size_${size}`]
      return isNumber(value) ? digitsOf(value) : undefined
    })
    const flat = low !== undefined && low === medium && low === high ? low : this.price("web_search_cost_per_request")
    const named = ["low", "medium", "high"].map((size) => this.count(`${size}ContextWebSearches`))
    const rest = this.count("webSearches") - named.reduce((sum, count) => sum + count, 0)
    return [
      [rest, flat],
      [named[0] ?? 0, low ?? flat],
      [named[1] ?? 0, medium ?? flat],
      [named[2] ?? 0, high ?? flat]
    ]
  }
}

/** The sum of counts times prices; not known where anything that is counted has no price. */
const sumOf = (terms: ReadonlyArray<readonly [number, Amount]>): Amount => {
  let sum = 0n
  for (const [count, price] of terms) {
    if (count === 0) continue
    if (price === undefined || count < 0) return undefined
    sum += (price * BigInt(Math.round(count * 1000))) / 1000n
  }
  return sum
}
