/**
 * Prices in the format of LiteLLM's `model_prices_and_context_window.json`: an object with an entry for each model.
 */
import { Either, ParseResult, Schema } from "effect"
import { type FieldProblem, quote, refusal } from "../schema/FieldText.js"
import type { Price, Unit, UnitPrices, Validity } from "./Price.js"
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

/** A price file was refused. */
export class InvalidPriceFile extends Schema.TaggedError<InvalidPriceFile>()("InvalidPriceFile", {
  file: Schema.String,
  /** The model whose entry it is, where it is not the file as a whole. */
  entry: Schema.optionalWith(Schema.String, { exact: true }),
  problem: Schema.String
}) {
  override get message(): string {
    const where = this.entry === undefined ? this.file : `${this.file}, entry ${quote(this.entry)}`
    return `price file ${where}: ${this.problem}`
  }
}

/** What a file gives: its prices, and its entries that were left out. */
export interface LiteLlmPrices {
  readonly prices: ReadonlyArray<Price>
  readonly skipped: ReadonlyArray<InvalidPriceFile>
}

/** The prices in a text. Fields that say nothing of a price are ignored, and so is the entry `sample_spec`, which explains them. */
export const fromText = (text: string, options: LiteLlmOptions): Either.Either<LiteLlmPrices, InvalidPriceFile> =>
  Either.flatMap(parse(text, options.name), (entries) => {
    const prices: Array<Price> = []
    const skipped: Array<InvalidPriceFile> = []
    const { badEntries, name, ...validity } = options
    for (const [model, entry] of Object.entries(entries)) {
      if (model === "sample_spec") continue
      const price = priceOf(model, entry, { ...validity, source: name })
      if (Either.isRight(price)) {
        prices.push(price.right)
        continue
      }
      const { field, problem } = price.left
      const invalid = new InvalidPriceFile({
        file: name,
        entry: model,
        problem: field === "" ? problem : `${field}: ${problem}`
      })
      if (badEntries === "fail") return Either.left(invalid)
      skipped.push(invalid)
    }
    return Either.right({ prices, skipped })
  })

const parse = (text: string, file: string): Either.Either<object, InvalidPriceFile> => {
  const invalid = (problem: string) => Either.left(new InvalidPriceFile({ file, problem }))
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? Either.right(value)
      : invalid("expected an object with an entry for each model")
  } catch (error) {
    return invalid(`expected JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Fields, each a price for one of its unit. */
const units = {
  input_cost_per_token: "inputToken",
  output_cost_per_token: "outputToken",
  cache_read_input_token_cost: "cacheReadToken",
  cache_creation_input_token_cost: "cacheWriteToken",
  output_cost_per_reasoning_token: "reasoningToken",
  input_cost_per_character: "inputCharacter",
  output_cost_per_character: "outputCharacter",
  input_cost_per_image: "image",
  output_cost_per_image: "image",
  input_cost_per_request: "request"
} as const satisfies Record<string, Unit>

type Field = keyof typeof units

const fields = Object.keys(units) as ReadonlyArray<Field>

type Amount = string | number | null | undefined

const amountProblem = (amount: unknown): string | undefined =>
  amount === null || amount === undefined || amount === 0 || isOrdinary(amount) || fromNonNegative(amount) !== undefined
    ? undefined
    : `expected ${expectedAmount}, got ${quote(amount)}`

/** A number that is surely an amount: nearly all of them are, and need not be read for that. */
const isOrdinary = (amount: unknown): boolean => typeof amount === "number" && amount > 1e-20 && amount < 1e20

const Amount = Schema.declare((amount): amount is Amount => amountProblem(amount) === undefined, {
  message: ({ actual }) => amountProblem(actual) ?? ""
})

const Text = Schema.NullishOr(Schema.String).annotations({
  message: ({ actual }) => ({ message: `expected text, got ${quote(actual)}`, override: true })
})

const Entry = Schema.Struct({
  litellm_provider: Schema.optional(Text),
  ...(Object.fromEntries(fields.map((field) => [field, Schema.optional(Amount)])) as {
    readonly [F in Field]: Schema.optional<typeof Amount>
  })
}).annotations({ message: ({ actual }) => `expected an object, got ${quote(actual)}` })

const decodeEntry = Schema.decodeUnknownEither(Entry)

const priceOf = (
  model: string,
  json: unknown,
  validity: Pick<Price, keyof Validity | "source">
): Either.Either<Price, FieldProblem> => {
  const expected = refusal(model)
  if (expected !== undefined) return Either.left({ field: "name", problem: expected })
  if (Array.isArray(json)) return Either.left({ field: "", problem: "expected an object, got a list" })
  const entry = decodeEntry(json)
  if (Either.isLeft(entry)) return Either.left(problemIn(entry.left))
  const tiers = tiersOf(json as object)
  if (Either.isLeft(tiers)) return Either.left(tiers.left)
  const provider = providerOf(entry.right.litellm_provider)
  return Either.right({ ...validity, kind: "llm", model, provider, usd: usdOf(entry.right), tiers: tiers.right })
}

const usdOf = (amounts: { readonly [F in Field]?: Amount }): UnitPrices => {
  const usd: { [U in Unit]?: UsdInput } = {}
  for (const field of fields) {
    const amount = amounts[field]
    if (amount !== null && amount !== undefined) usd[units[field]] ??= amount
  }
  return usd
}

// What a request costs that has more than so many thousand input tokens.
const tierName = /^(.+)_above_(\d{1,6})k_tokens$/

const tiersOf = (json: object): Either.Either<NonNullable<Price["tiers"]>, FieldProblem> => {
  const tiers = new Map<number, { [F in Field]?: Amount }>()
  for (const [name, value] of Object.entries(json)) {
    if (!name.includes("_above_")) continue
    const [, field, thousands] = tierName.exec(name) ?? []
    if (field === undefined || !isField(field)) continue
    const problem = amountProblem(value)
    if (problem !== undefined) return Either.left({ field: name, problem })
    const above = Number(thousands) * 1000
    tiers.set(above, { ...tiers.get(above), [field]: value as Amount })
  }
  return Either.right(Array.from(tiers, ([aboveInputTokens, amounts]) => ({ aboveInputTokens, usd: usdOf(amounts) })))
}

const isField = (name: string): name is Field => Object.hasOwn(units, name)

const problemIn = (error: ParseResult.ParseError): FieldProblem => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return { field: issue?.path.join(".") ?? "", problem: issue?.message ?? error.message }
}

/** LiteLLM's names tell ways of calling apart, such as `vertex_ai-language-models`, that are one provider's. */
const providerOf = (name: string | null | undefined): string | undefined => {
  const bare = name
    ?.replace(/-[a-z-_]*models$/, "")
    .replace(/^text-completion-/, "")
    .replace(/_(chat|text)$/, "")
  return bare === undefined || bare === "" ? undefined : normalizeProvider(bare)
}
