/**
 * One HTTP exchange with a provider: what becomes of it, and what its bytes report as they pass.
 */
import { HttpClientError, type HttpClientRequest } from "@effect/platform"
import { Cause } from "effect"
import { type Consumption, hasQuantity } from "../cost/UsageRecord.js"
import { EventStreamParser } from "./EventStreamParser.js"
import { joined, merge } from "./KnownConsumption.js"
import { isOfLanguageModel, type Protocol, protocolOf } from "./ProviderProtocol.js"
import { SseParser } from "./SseParser.js"
import { isRecord, parse, record, text } from "./UnknownJson.js"

/**
 * `accepted`: the provider has begun to answer. `refused`: nothing was served, as it said so, or as the request never reached
 * it. `lost`: there was no answer, and nobody knows whether it was served.
 */
type Fate = "sent" | "accepted" | "refused" | "lost"

export class ProviderExchange {
  fate: Fate = "sent"
  /** The status of an answer that refuses. */
  refusal: string | undefined = undefined
  isStreamed = false
  /** Whether the last event of a streamed answer has come. */
  isComplete = false
  private about: Consumption = {}
  /** What the messages so far say of the usage: running totals, of which the last value of each field holds. */
  private usage: Record<string, unknown> | undefined = undefined
  private known: Consumption | undefined = undefined

  private constructor(
    readonly protocol: Protocol,
    private readonly request: HttpClientRequest.HttpClientRequest
  ) {}

  /** None for a request that asks no model. */
  static of(request: HttpClientRequest.HttpClientRequest): ProviderExchange | undefined {
    const protocol = protocolOf(request)
    return protocol && new ProviderExchange(protocol, request)
  }

  /** What is known of the call so far. */
  get consumption(): Consumption {
    this.known ??= this.usage === undefined ? this.about : joined(this.about, this.protocol.consumption(this.usage))
    return this.known
  }

  /** The model that was asked for, as far as that is known without much work. */
  get model(): string | undefined {
    return this.protocol.model ?? text(this.asked?.["model"])
  }

  /** Whether there is no sign that this is what it looks like: anyone may have a `/responses`. */
  get isDoubtful(): boolean {
    if (this.about.responseModel !== undefined || this.asked === undefined || this.model !== undefined) return false
    return isOfLanguageModel(this.protocol) || !hasQuantity(this.consumption)
  }

  /** Whether the answer adds nothing to what is known of the call. */
  get isKnownByRequest(): boolean {
    return this.protocol.requested !== undefined
  }

  private get asked(): Record<string, unknown> | undefined {
    const { body } = this.request
    if (body._tag === "FormData") return Object.fromEntries(body.formData)
    if (body._tag !== "Uint8Array" || body.body.length > maxRequestBytes) return undefined
    return record(parse(new TextDecoder().decode(body.body))) ?? {}
  }

  answered(status: number, contentType: string | undefined): void {
    this.fate = status >= 400 ? "refused" : "accepted"
    if (this.fate === "refused") this.refusal = String(status)
    else this.about = merge(this.about, this.protocol.requested?.(this.asked ?? {}) ?? {})
    this.isStreamed = isOfType(contentType, "text/event-stream") || isOfType(contentType, awsEvents)
  }

  /** There was no answer. */
  failed(cause: Cause.Cause<unknown>): void {
    this.fate = neverArrived(Cause.squash(cause)) ? "refused" : "lost"
  }

  /** What takes in the bytes of the answer. */
  reader(contentType: string | undefined): BodyReader | undefined {
    if (isOfType(contentType, awsEvents)) {
      return new EventStreamParser((type, payload) => {
        if (tellingEvents.has(type)) this.report({ [type]: parse(new TextDecoder().decode(payload)) })
      })
    }
    if (this.isStreamed) return new SseParser((data) => this.tellEvent(data))
    return isOfType(contentType, "application/json") ? new JsonReader((json) => this.tellText(json)) : undefined
  }

  /** The answer as a whole, as text. */
  tellText(json: string): void {
    if (json.length <= maxAnswerBytes) this.report(parse(json))
  }

  /** The answer as a whole, or one event of it. */
  report(message: unknown): void {
    if (!isRecord(message)) return
    const { about, usage } = this.protocol.read(message)
    this.about = merge(this.about, about)
    if (usage !== undefined) this.usage = updated(this.usage ?? {}, usage)
    this.known = undefined
    if (this.protocol.isLast(message)) this.isComplete = true
  }

  private tellEvent(data: string): void {
    if (data === "[DONE]") this.isComplete = true
    else if (this.about.responseModel === undefined || telling.test(data)) this.report(parse(data))
  }
}

/** Takes in bytes of an answer. */
export interface BodyReader {
  readonly push: (bytes: Uint8Array) => void
  readonly end?: () => void
}

/** A record with the values of a later one, where that has any. */
const updated = (before: Record<string, unknown>, later: Record<string, unknown>): Record<string, unknown> => {
  const all = { ...before }
  for (const [key, value] of Object.entries(later)) {
    if (value === null || value === undefined) continue
    const known = all[key]
    all[key] = isPlain(known) && isPlain(value) ? updated(known, value) : value
  }
  return all
}

const isPlain = (value: unknown): value is Record<string, unknown> => isRecord(value) && !Array.isArray(value)

const maxRequestBytes = 1 << 16
const maxAnswerBytes = 1 << 22

/** Events that are worth being parsed. In the text that a model wrote, quotes are escaped. */
const telling =
  /"usage(?:Metadata)?"\s*:\s*\{|"(?:(?:stop|finish)_reason|finishReason)"\s*:\s*"|"webSearchQueries"|"(?:google_search|google_maps|file_search|retrieval)_call"|"interaction\.completed?"|"type"\s*:\s*"(?:message_stop|response\.(?:completed|incomplete|failed))"/

const awsEvents = "application/vnd.amazon.eventstream"

/** Events of Amazon Bedrock's streams that are worth being parsed. */
const tellingEvents: ReadonlySet<string> = new Set(["messageStop", "metadata"])

const isOfType = (contentType: string | undefined, type: string): boolean => contentType?.startsWith(type) ?? false

/** Reads an answer that comes in pieces, unless it is too long to be kept. */
class JsonReader implements BodyReader {
  private readonly decoder = new TextDecoder()
  private json: string | undefined = ""

  constructor(private readonly onEnd: (json: string) => void) {}

  push(bytes: Uint8Array): void {
    if (this.json === undefined) return
    this.json += this.decoder.decode(bytes, { stream: true })
    if (this.json.length > maxAnswerBytes) this.json = undefined
  }

  end(): void {
    if (this.json !== undefined) this.onEnd(this.json)
  }
}

/** Whether a request never came to where it was sent. */
const neverArrived = (error: unknown): boolean => {
  if (!(error instanceof HttpClientError.RequestError)) return false
  return error.reason !== "Transport" || noConnection.has(codeIn(error.cause) ?? "")
}

const noConnection = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT"
])

/** The code of an error of the network; that of `fetch` is in its cause. */
const codeIn = (error: unknown): string | undefined =>
  isRecord(error) ? (text(error["code"]) ?? codeIn(error["cause"])) : undefined
