/**
 * The table of meters: every quantity that a usage may hold, what one of it is called in a price, which total it is a part of,
 * its span attribute, and its keys in LiteLLM's price file. Usages, prices, charges and spans derive from it.
 */
import { Db, GenAi, Messaging } from "../wire/SemanticConventions.js"

/** How the parts of a total differ. Parts that differ in the same way exclude each other. */
export type Aspect = "cache" | "ttl" | "modality" | "reasoning" | "context"

/** A key of LiteLLM's file; where it means something else in other modes, the modes in which it means this. */
export type PriceKey = string | { readonly key: string; readonly modes: ReadonlyArray<string> }

/** One row of the table. */
export interface MeterRow {
  /** What one of it is called in a price, in US dollars. Meters may share a unit. */
  readonly unit: string
  /** How many of the quantity make one unit. @default 1 */
  readonly perUnit?: number
  /** Whether the quantity may have a fraction; otherwise it is a whole number. */
  readonly isFractional?: boolean
  /** The totals that include the quantity. */
  readonly partOf?: Readonly<Record<string, Aspect>>
  /** The total whose price holds for the quantity, where the price names none of its own. */
  readonly inherits?: string
  /** Other measures of the same thing. Where one of them is counted and has a price, this one is not charged beside it. */
  readonly measuredAs?: ReadonlyArray<string>
  /**
   * How a price that names the unit treats a usage without the quantity: `total` expects it, `alternative` expects one of all
   * alternatives, `family` expects one of the meters of the same `family`, `addition` takes it as none.
   */
  readonly role: "total" | "alternative" | "family" | "addition"
  readonly family?: string
  /** For totals and alternatives: whether the quantity goes into the call or comes out of it. */
  readonly side?: "input" | "output"
  /** Whether the price is the same in all service tiers. */
  readonly isTierless?: boolean
  /** Whether the quantity is charged only where a price names it. Such quantities describe a call and are often free. */
  readonly isIncidental?: boolean
  readonly attribute: string
  readonly keys?: ReadonlyArray<PriceKey>
}

const input = "inputTokens"
const output = "outputTokens"
const pictures = ["image_generation", "image_edit"]

/** All meters, by the name of the quantity in a usage. */
export const meters = {
  /** All tokens that went in, those read from and written to a cache included (OpenTelemetry's GenAI conventions). */
  inputTokens: {
    unit: "inputToken",
    role: "total",
    side: "input",
    attribute: GenAi.inputTokens,
    keys: ["input_cost_per_token"]
  },
  /** Of the input tokens, those that the provider had in its cache. */
  cacheReadTokens: {
    unit: "cacheReadToken",
    partOf: { [input]: "cache" },
    role: "addition",
    attribute: GenAi.cacheReadTokens,
    keys: ["cache_read_input_token_cost", "input_cost_per_token_cache_hit"]
  },
  /** Of the tokens that the provider had in its cache, those of audio. */
  cacheReadAudioTokens: {
    unit: "cacheReadAudioToken",
    partOf: { cacheReadTokens: "modality", inputAudioTokens: "cache" },
    role: "addition",
    attribute: "botanu.usage.cache_read.audio.input_tokens",
    // In entries of realtime models the second key holds the same discount as the first.
    keys: ["cache_read_input_audio_token_cost", "cache_creation_input_audio_token_cost"]
  },
  /** Of the tokens that the provider had in its cache, those of images. */
  cacheReadImageTokens: {
    unit: "cacheReadImageToken",
    partOf: { cacheReadTokens: "modality", inputImageTokens: "cache" },
    role: "addition",
    attribute: "botanu.usage.cache_read.image.input_tokens",
    keys: ["cache_read_input_image_token_cost"]
  },
  /** Of the tokens that the provider had in its cache, those of video. */
  cacheReadVideoTokens: {
    unit: "cacheReadVideoToken",
    partOf: { cacheReadTokens: "modality", inputVideoTokens: "cache" },
    role: "addition",
    attribute: "botanu.usage.cache_read.video.input_tokens"
  },
  /**
   * Of the input tokens, those that the provider put into its cache. Those that are not `cacheWrite1hTokens` are priced as
   * kept for 5 minutes, or for as long as the provider keeps them by default.
   */
  cacheWriteTokens: {
    unit: "cacheWriteToken",
    partOf: { [input]: "cache" },
    role: "addition",
    attribute: GenAi.cacheWriteTokens,
    keys: ["cache_creation_input_token_cost"]
  },
  /** Of the tokens put into the cache, those that are kept for 1 hour. */
  cacheWrite1hTokens: {
    unit: "cacheWrite1hToken",
    partOf: { cacheWriteTokens: "ttl" },
    role: "addition",
    attribute: "botanu.usage.cache_creation.1h.input_tokens",
    keys: ["cache_creation_input_token_cost_above_1hr"]
  },
  /** Of the input tokens, those of audio. */
  inputAudioTokens: {
    unit: "inputAudioToken",
    partOf: { [input]: "modality" },
    role: "addition",
    attribute: "gen_ai.usage.audio.input_tokens",
    keys: ["input_cost_per_audio_token"]
  },
  /** Of the input tokens, those of images. */
  inputImageTokens: {
    unit: "inputImageToken",
    partOf: { [input]: "modality" },
    role: "addition",
    attribute: "gen_ai.usage.image.input_tokens",
    keys: ["input_cost_per_image_token", { key: "input_cost_per_image", modes: ["realtime"] }]
  },
  /** Of the input tokens, those of video. */
  inputVideoTokens: {
    unit: "inputVideoToken",
    partOf: { [input]: "modality" },
    role: "addition",
    attribute: "gen_ai.usage.video.input_tokens",
    keys: ["input_cost_per_video_token"]
  },
  /** All tokens that came out, reasoning included. */
  outputTokens: {
    unit: "outputToken",
    role: "total",
    side: "output",
    attribute: GenAi.outputTokens,
    keys: ["output_cost_per_token"]
  },
  /** Of the output tokens, those of reasoning. */
  reasoningTokens: {
    unit: "reasoningToken",
    partOf: { [output]: "reasoning" },
    inherits: output,
    role: "addition",
    attribute: GenAi.reasoningTokens,
    keys: ["output_cost_per_reasoning_token"]
  },
  /** Of the output tokens, those of audio. */
  outputAudioTokens: {
    unit: "outputAudioToken",
    partOf: { [output]: "modality" },
    role: "addition",
    attribute: "gen_ai.usage.audio.output_tokens",
    keys: ["output_cost_per_audio_token"]
  },
  /** Of the output tokens, those of images. */
  outputImageTokens: {
    unit: "outputImageToken",
    partOf: { [output]: "modality" },
    role: "addition",
    attribute: "botanu.usage.image.output_tokens",
    keys: ["output_cost_per_image_token"]
  },
  /** Of the output tokens, those of video. */
  outputVideoTokens: {
    unit: "outputVideoToken",
    partOf: { [output]: "modality" },
    role: "addition",
    attribute: "botanu.usage.video.output_tokens",
    keys: ["output_cost_per_video_token"]
  },
  /** Tokens of cited text, beside the input tokens. */
  citationTokens: {
    unit: "citationToken",
    role: "addition",
    attribute: "botanu.usage.citation_tokens",
    keys: ["citation_cost_per_token"]
  },
  inputCharacters: {
    unit: "inputCharacter",
    role: "alternative",
    side: "input",
    measuredAs: [input],
    attribute: "botanu.usage.input_characters",
    keys: ["input_cost_per_character"]
  },
  outputCharacters: {
    unit: "outputCharacter",
    role: "alternative",
    side: "output",
    measuredAs: [output],
    attribute: "botanu.usage.output_characters",
    keys: ["output_cost_per_character"]
  },
  /** Images that went in. */
  inputImages: {
    unit: "inputImage",
    role: "alternative",
    side: "input",
    measuredAs: ["inputImageTokens"],
    attribute: "botanu.usage.input_images",
    keys: [{ key: "input_cost_per_image", modes: ["chat", "responses", "embedding"] }]
  },
  /** Images that came out. */
  images: {
    unit: "image",
    role: "alternative",
    side: "output",
    measuredAs: ["outputImageTokens", "pixels"],
    attribute: "botanu.usage.images",
    keys: ["output_cost_per_image", { key: "input_cost_per_image", modes: pictures }]
  },
  /** Pixels of the images that came out: height times width, of all of them. */
  pixels: {
    unit: "pixel",
    role: "alternative",
    side: "output",
    measuredAs: ["outputImageTokens"],
    attribute: "botanu.usage.pixels",
    keys: ["output_cost_per_pixel", "input_cost_per_pixel"]
  },
  /** Seconds of audio that went in. */
  inputAudioSeconds: {
    unit: "inputAudioSecond",
    isFractional: true,
    role: "alternative",
    side: "input",
    measuredAs: ["inputAudioTokens"],
    attribute: "botanu.usage.audio.input_seconds",
    // Entries hold one price under both keys, or 0 under one of them.
    keys: [
      "input_cost_per_audio_per_second",
      { key: "input_cost_per_second", modes: ["audio_transcription"] },
      { key: "output_cost_per_second", modes: ["audio_transcription"] }
    ]
  },
  /** Seconds of audio that came out. */
  outputAudioSeconds: {
    unit: "outputAudioSecond",
    isFractional: true,
    role: "alternative",
    side: "output",
    measuredAs: ["outputAudioTokens"],
    attribute: "botanu.usage.audio.output_seconds",
    keys: [{ key: "output_cost_per_second", modes: ["audio_speech", "realtime"] }]
  },
  /** Seconds of video that went in. */
  inputVideoSeconds: {
    unit: "inputVideoSecond",
    isFractional: true,
    role: "alternative",
    side: "input",
    measuredAs: ["inputVideoTokens"],
    attribute: "botanu.usage.video.input_seconds",
    keys: ["input_cost_per_video_per_second"]
  },
  /** Seconds of video that came out. */
  outputVideoSeconds: {
    unit: "outputVideoSecond",
    isFractional: true,
    role: "alternative",
    side: "output",
    measuredAs: ["outputVideoTokens"],
    attribute: "botanu.usage.video.output_seconds",
    keys: [{ key: "output_cost_per_second", modes: ["video_generation"] }, "output_cost_per_video_per_second"]
  },
  /** Pages that were read. */
  pages: {
    unit: "page",
    role: "alternative",
    side: "input",
    measuredAs: ["credits"],
    attribute: "botanu.usage.pages",
    keys: ["ocr_cost_per_page"]
  },
  /** Pages that were annotated. Sources differ on whether that is paid beside `pages`, so no key of LiteLLM's file is read. */
  annotatedPages: {
    unit: "annotatedPage",
    role: "addition",
    attribute: "botanu.usage.annotated_pages"
  },
  /** Credits of the provider that were used. */
  credits: {
    unit: "credit",
    isFractional: true,
    role: "alternative",
    side: "input",
    attribute: "botanu.usage.credits",
    keys: ["ocr_cost_per_credit"]
  },
  /** Queries of a search or a reranking model: search units, where the provider counts those. */
  queries: {
    unit: "query",
    role: "alternative",
    side: "input",
    attribute: "botanu.usage.queries",
    keys: ["input_cost_per_query"]
  },
  /** Searches of the web that the provider made for the call. */
  webSearches: {
    unit: "webSearch",
    role: "addition",
    isTierless: true,
    attribute: "botanu.usage.web_searches",
    keys: ["web_search_cost_per_request"]
  },
  /** Of the web searches, those with a small search context. */
  lowContextWebSearches: {
    unit: "lowContextWebSearch",
    partOf: { webSearches: "context" },
    inherits: "webSearches",
    role: "addition",
    isTierless: true,
    attribute: "botanu.usage.web_searches.low_context"
  },
  /** Of the web searches, those with a medium search context. */
  mediumContextWebSearches: {
    unit: "mediumContextWebSearch",
    partOf: { webSearches: "context" },
    inherits: "webSearches",
    role: "addition",
    isTierless: true,
    attribute: "botanu.usage.web_searches.medium_context"
  },
  /** Of the web searches, those with a large search context. */
  highContextWebSearches: {
    unit: "highContextWebSearch",
    partOf: { webSearches: "context" },
    inherits: "webSearches",
    role: "addition",
    isTierless: true,
    attribute: "botanu.usage.web_searches.high_context"
  },
  /** Sessions, such as containers in which a model runs code. */
  sessions: {
    unit: "session",
    role: "addition",
    isTierless: true,
    attribute: "botanu.usage.sessions",
    keys: ["code_interpreter_cost_per_session"]
  },
  rowsReturned: {
    unit: "row",
    role: "family",
    isTierless: true,
    family: "row",
    isIncidental: true,
    attribute: "botanu.data.rows_returned"
  },
  rowsAffected: {
    unit: "row",
    role: "family",
    isTierless: true,
    family: "row",
    isIncidental: true,
    attribute: "botanu.data.rows_affected"
  },
  bytesScanned: {
    unit: "gigabyteScanned",
    perUnit: 1_000_000_000,
    role: "family",
    isTierless: true,
    family: "byte",
    isIncidental: true,
    attribute: "botanu.warehouse.bytes_scanned"
  },
  bytesRead: {
    unit: "gigabyteRead",
    perUnit: 1_000_000_000,
    role: "family",
    isTierless: true,
    family: "byte",
    isIncidental: true,
    attribute: "botanu.data.bytes_read"
  },
  bytesWritten: {
    unit: "gigabyteWritten",
    perUnit: 1_000_000_000,
    role: "family",
    isTierless: true,
    family: "byte",
    isIncidental: true,
    attribute: "botanu.data.bytes_written"
  },
  objects: {
    unit: "object",
    role: "family",
    isTierless: true,
    family: "object",
    isIncidental: true,
    attribute: "botanu.data.objects_count"
  },
  messages: {
    unit: "message",
    role: "family",
    isTierless: true,
    family: "message",
    isIncidental: true,
    attribute: Messaging.messageCount
  },
  /** Time of computing, in milliseconds. */
  computeMs: {
    unit: "computeHour",
    perUnit: 3_600_000,
    isFractional: true,
    role: "family",
    isTierless: true,
    family: "compute",
    isIncidental: true,
    attribute: "botanu.usage.compute_ms"
  },
  /** Requests that were served; 0 where the provider refused. */
  requests: {
    unit: "request",
    role: "addition",
    isTierless: true,
    isIncidental: true,
    attribute: "botanu.usage.requests",
    keys: ["input_cost_per_request"]
  }
} as const satisfies Record<string, MeterRow>

/** The name of a meter, which is that of the quantity in a usage. */
export type MeterName = keyof typeof meters

/**
 * What a price is for: one of it. A gigabyte is 10^9 bytes.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const units: ReadonlyArray<PriceBook.Unit> = ["inputToken", "outputToken", "webSearch"]
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export type Unit = (typeof meters)[MeterName]["unit"]

/** The names of all meters, in the order of the table. */
export const meterNames = Object.keys(meters) as ReadonlyArray<MeterName>

/** The row of a meter. */
export const meterOf = (name: MeterName): MeterRow => meters[name]

/** All units, each once, in the order of the table. */
export const units: ReadonlyArray<Unit> = Array.from(new Set(meterNames.map((name) => meters[name].unit)))

/** Whether a text is the name of a meter. */
export const isMeterName = (name: string): name is MeterName => Object.hasOwn(meters, name)

/** The attribute of a meter on the span of a call of that kind. */
export const attributeOf = (name: MeterName, kind: string): string =>
  kind === "database" && name === "rowsReturned" ? Db.returnedRows : meters[name].attribute
