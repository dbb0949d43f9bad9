/**
 * A call of an `@effect/ai` model that is under way, from the start of its span to its end.
 */
import { AiError, Model } from "@effect/ai"
import { Cause, type Context, Exit, FiberRef, GlobalValue, Option, type Tracer, type Types } from "effect"
import { empty as noPrices, PriceBook } from "../cost/PriceBook.js"
import { normalizeProvider } from "../cost/Provider.js"
import { type Consumption, hasQuantity, make, type UsageDetails } from "../cost/UsageRecord.js"
import { type AnyFiber, nowOf, setRefFor } from "../fiber/CurrentFiber.js"
import { endWithRegion } from "../fiber/FiberRegion.js"
import type { Run } from "../run/Run.js"
import { type CallExit, callExitOf } from "../tracking/CallExit.js"
import type { CallSite } from "./CallSite.js"
import { sum } from "./ConsumptionSum.js"
import { joined, merge } from "./KnownConsumption.js"
import { embeddingModelIn, isObserved, setObserved } from "./ObservedModels.js"
import type { ProviderExchange } from "./ProviderExchange.js"
import { isOfLanguageModel } from "./ProviderProtocol.js"
import { consumptionIn } from "./ResponseUsage.js"
import { asksBedrockOn, asksForSpeedOn, consumptionOn, modelOn, operationOn, providerOn } from "./SpanUsage.js"
import { record, text } from "./UnknownJson.js"

const nothing: Consumption = {}
const noExchanges: ReadonlyArray<ProviderExchange> = []
const noRequests: ReadonlyArray<Tracer.Span> = []

/** Which calls there are, by the names of their spans. */
export type CallName =
  | "LanguageModel.generateText"
  | "LanguageModel.generateObject"
  | "LanguageModel.streamText"
  | "EmbeddingModel.embed"
  | "EmbeddingModel.embedMany"

export class ModelCall {
  isOpen = true
  readonly isEmbedding: boolean
  /** The call inside of which this one was made. */
  readonly parent: ModelCall | undefined
  private known: Consumption = nothing
  private exchanges: ReadonlyArray<ProviderExchange> = noExchanges
  private readonly context: Context.Context<never>
  private readonly embeddingModel: object | undefined
  /** Spans of what was done for it by way of clients. */
  private requests: ReadonlyArray<Tracer.Span> = noRequests
  /** Whether it was sent together with others. */
  private isBatched = false

  constructor(
    starter: AnyFiber,
    readonly name: CallName,
    readonly site: CallSite,
    private readonly span: Tracer.Span
  ) {
    this.context = starter.currentContext
    endWithRegion(starter)
    this.isEmbedding = name.startsWith("EmbeddingModel")
    this.parent = openCallIn(starter)
    if (!this.isEmbedding) return
    this.embeddingModel = embeddingModelIn(this.context)
    embeddingsOf(site.run).add(this)
  }

  /** Takes in what the parts of a response report. */
  report(parts: unknown): void {
    const said = consumptionIn(parts, this.span)
    this.known = this.known === nothing ? said : merge(this.known, said)
  }

  /** Whether an exchange is one of this call. A language model has one answer; what follows it is someone else's. */
  takes({ protocol }: ProviderExchange): boolean {
    if (this.isEmbedding) return protocol.operation === "embeddings"
    return isOfLanguageModel(protocol) && !this.exchanges.some(isAccepted)
  }

  /** Takes in the span of a client, which may be that of the request to the provider. */
  addRequest(span: Tracer.Span): void {
    if (this.isOpen) this.requests = [...this.requests, span]
  }

  add(exchange: ProviderExchange): void {
    this.exchanges = [...this.exchanges, exchange]
    setObserved(this.embeddingModel)
  }

  /** Says that an exchange which is recorded by itself was made for this call, among others. */
  setBatched(): void {
    if (this.exchanges.length > 0) return
    this.isBatched = true
    setObserved(this.embeddingModel)
  }

  /** Ends the call and records what it consumed; beside it, each exchange of which nobody knows what it did. */
  end(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void {
    this.isOpen = false
    const { exchanges, site, span } = this
    if (this.isEmbedding) embeddingsOf(site.run).delete(this)
    if (Exit.isSuccess(exit) && !hasQuantity(this.known)) this.report(record(exit.value)?.["content"])
    if (exchanges.length === 0) {
      if (!this.isSeenElsewhere) this.endUnobserved(fiber, exit)
      return
    }
    const accepted = exchanges.filter(isAccepted)
    const seen = sum(accepted.map(({ consumption }) => consumption))
    // What passed between client and provider is the whole of it; parts of the response may lack some.
    const consumption = this.withSpan(merge(hasQuantity(seen) ? identityIn(this.known) : this.known, seen))
    const call = this.description(consumption)
    const unknown = this.unknownExchanges(consumption)
    const isKnown = hasQuantity(consumption)
    // Where nothing is known of the answer, one of these is the call itself.
    const isUnknown = !isKnown && unknown.pop() !== undefined
    const isRefused = !isKnown && !isUnknown
    const served = accepted.filter(({ consumption }) => hasQuantity(consumption)).length
    const requests = isRefused ? 0 : Math.max(served, 1)
    site.record(fiber, span, { ...call, requests, ...this.endingOf(exit, consumption) }, consumption)
    for (const _ of unknown) site.record(fiber, undefined, call, { status: "failure" })
    this.exchanges = noExchanges
  }

  /** Ends a call whose exchanges nobody saw. */
  private endUnobserved(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): void {
    const reported = this.withSpan(this.known)
    const details = this.description(reported)
    const consumption = this.withSpeed(fiber, reported, details)
    const { errorType, status } = this.endingOf(exit, consumption)
    details.status = status
    if (errorType !== undefined) details.errorType = errorType
    if (!hasQuantity(consumption) && wasNotServed(exit, consumption)) details.requests = 0
    this.site.record(fiber, this.span, details, consumption)
  }

  /** What was reported. Where anything is missing, what the span has beside it. */
  private withSpan(reported: Consumption): Consumption {
    return isWhole(reported) ? reported : merge(consumptionOn(this.span), reported)
  }

  /** Where a request may have asked for another speed, the answer says which one was served, and the package of the provider drops it. */
  private withSpeed(fiber: AnyFiber, consumption: Consumption, details: UsageDetails): Consumption {
    const serviceTier = fastTiers.get(normalizeProvider(details.provider))
    return asksForSpeedIn(this.context) ||
      this.requests.some(asksForSpeedOn) ||
      (serviceTier !== undefined && this.isSpeedInDoubt(fiber, consumption, details, serviceTier))
      ? joined(consumption, { uncounted: ["speed"] })
      : consumption
  }

  /** Whether nothing shows what the provider was asked for, and its faster speed has a price for this call. */
  private isSpeedInDoubt(
    fiber: AnyFiber,
    consumption: Consumption,
    details: UsageDetails,
    serviceTier: string
  ): boolean {
    if (consumption.serviceTier === serviceTier) return false
    // A header of the request, which its span has, asks Anthropic for it.
    if (serviceTier === "fast" && this.requests.length > 0) return false
    const book = fiber.currentContext.unsafeMap.get(PriceBook.key) as PriceBook["Type"] | undefined
    const fast = make({ ...details, ...consumption, serviceTier }, {}, { time: nowOf(fiber) }, () => {})
    return (book ?? noPrices).priceOf(fast, this.site.run)._tag === "Priced"
  }

  /** Embeddings that came out of a cache or out of a batch with others. */
  private get isSeenElsewhere(): boolean {
    return this.isBatched || isObserved(this.embeddingModel)
  }

  private unknownExchanges(consumption: Consumption): Array<ProviderExchange> {
    const isAnswerKnown = !this.isEmbedding && hasQuantity(consumption)
    return this.exchanges.filter((exchange) =>
      isAccepted(exchange) ? !isAnswerKnown && !hasQuantity(exchange.consumption) : exchange.fate !== "refused"
    )
  }

  private description({ responseModel }: Consumption): Types.Mutable<UsageDetails> {
    const { span } = this
    const exchange = this.exchanges.at(-1)
    // The package of one provider is the client of others too, who speak its protocol.
    const hosted = exchange?.protocol.isNamedByUrl ? exchange.protocol.provider : this.providerOfRequests
    return {
      kind: "llm",
      provider: hosted ?? providerOn(span) ?? exchange?.protocol.provider ?? providerIn(this.context) ?? "unknown",
      operation: operationOn(span) ?? (this.isEmbedding ? "embeddings" : "chat"),
      model: modelOn(span) ?? exchange?.model ?? responseModel,
      isStreaming: this.isStream
    }
  }

  private get providerOfRequests(): string | undefined {
    return this.requests.some(asksBedrockOn) ? "aws.bedrock" : undefined
  }

  get isStream(): boolean {
    return this.name === "LanguageModel.streamText"
  }

  /** The scope of a stream is closed with a success too where the consumer takes no more. */
  private endingOf(exit: Exit.Exit<unknown, unknown>, { finishReason }: Consumption): CallExit {
    const isWhole = !this.isStream || finishReason !== undefined || this.exchanges.some(({ isComplete }) => isComplete)
    return Exit.isSuccess(exit) && !isWhole ? { status: "interrupted" } : callExitOf(exit)
  }
}

/** The model call that a fiber works for, or one that is over. Fibers that it forks work for it too. */
const currentModelCall: FiberRef.FiberRef<ModelCall | undefined> = GlobalValue.globalValue("botanu/ai/ModelCall", () =>
  FiberRef.unsafeMake<ModelCall | undefined>(undefined, { join: (own) => own })
)

/** The innermost call that is open in a fiber. */
export const openCallIn = (fiber: AnyFiber): ModelCall | undefined => {
  if (!fibers.haveCalls) return undefined
  let call = fiber.getFiberRef(currentModelCall)
  while (call !== undefined && !call.isOpen) call = call.parent
  return call
}

/** Whether a fiber works for a call, which may be over. */
export const isModelCallOf = (fiber: AnyFiber, call: ModelCall): boolean =>
  fibers.haveCalls && fiber.getFiberRef(currentModelCall) === call

/** Says which call a fiber works for from here on. A tracer is no effect, and the only thing at hand where a call begins. */
export const setModelCall = (fiber: AnyFiber, call: ModelCall | undefined): void => {
  fibers.haveCalls = true
  setRefFor(fiber, currentModelCall, call)
}

/** Whether any fiber was ever said which call it works for: in programs that only wait for whole answers none is. */
const fibers = GlobalValue.globalValue("botanu/ai/fibers", () => ({ haveCalls: false }))

const embeddings = GlobalValue.globalValue("botanu/ai/embeddings", () => new WeakMap<Run, Set<ModelCall>>())

/** The calls of embedding models that are open in a run. */
export const embeddingsOf = (run: Run): Set<ModelCall> => {
  const known = embeddings.get(run)
  if (known !== undefined) return known
  const none = new Set<ModelCall>()
  embeddings.set(run, none)
  return none
}

/** What is known of an answer beside what it consumed. */
const identityIn = ({ finishReason, providerRequestId, responseModel }: Consumption): Consumption => ({
  finishReason,
  providerRequestId,
  responseModel
})

const isAccepted = ({ fate }: ProviderExchange): boolean => fate === "accepted"

const isWhole = ({ finishReason, inputTokens, outputTokens, providerRequestId, responseModel }: Consumption): boolean =>
  inputTokens !== undefined &&
  outputTokens !== undefined &&
  responseModel !== undefined &&
  providerRequestId !== undefined &&
  finishReason !== undefined

const providerIn = (context: Context.Context<never>): string | undefined =>
  text(context.unsafeMap.get(Model.ProviderName.key))

/** The tiers of a faster speed than the standard one, of providers whose packages drop which one was served. */
const fastTiers: ReadonlyMap<string, string> = new Map([
  ["anthropic", "fast"],
  ["aws.bedrock", "optimized_latency"]
])

// The tags of the packages of `@effect/ai`, whose options are those of the request.
const anthropicConfigKey = "@effect/ai-anthropic/AnthropicLanguageModel/Config"
const bedrockConfigKey = "@effect/ai-amazon-bedrock/AmazonBedrockLanguageModel/Config"

/** Whether the options of a call ask for another speed than the standard one. */
const asksForSpeedIn = (context: Context.Context<never>): boolean => {
  const speed = text(record(context.unsafeMap.get(anthropicConfigKey))?.["speed"])
  const performance = record(record(context.unsafeMap.get(bedrockConfigKey))?.["performanceConfig"])
  return (speed ?? "standard") !== "standard" || (text(performance?.["latency"]) ?? "standard") !== "standard"
}

/** Whether a call failed without anything having been served, by its error alone. */
const wasNotServed = (exit: Exit.Exit<unknown, unknown>, { responseModel }: Consumption): boolean => {
  if (Exit.isSuccess(exit) || responseModel !== undefined) return false
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (!AiError.isAiError(error)) return false
  switch (error._tag) {
    case "HttpResponseError":
      return error.response.status >= 400
    case "HttpRequestError":
      return error.reason !== "Transport"
    default:
      return error._tag === "MalformedInput"
  }
}
