/**
 * An HTTP client whose exchanges with providers are looked at.
 */
import { HttpClient, type HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Effect, Exit, FiberRef, GlobalValue } from "effect"
import type { UsageDetails } from "../cost/UsageRecord.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { callExitOf } from "../tracking/CallExit.js"
import { layered } from "../tracking/LayeredClient.js"
import { CallSite } from "./CallSite.js"
import { embeddingsOf, type ModelCall, openCallIn } from "./ModelCall.js"
import { languageModelIn, setClientsObserved, setObserved } from "./ObservedModels.js"
import { ObservedResponse } from "./ObservedResponse.js"
import { ProviderExchange } from "./ProviderExchange.js"
import { isOfLanguageModel } from "./ProviderProtocol.js"

type Client<E, R> = HttpClient.HttpClient.With<E, R>
type Response = HttpClientResponse.HttpClientResponse

/**
 * Reads what passes between a client and a provider, and passes it on as it is: the usage that an answer reports goes to the call that it answers, else to the run in scope. For the `transformClient` option of the providers'
 * clients; before retries, which are then seen one by one.
 *
 * @example
 * ```ts
 * import { FetchHttpClient, HttpClient } from "@effect/platform"
 * import { RunAi } from "botanu-effect/ai"
 * import { Effect } from "effect"
 *
 * const program = Effect.map(HttpClient.HttpClient, RunAi.observe).pipe(
 *   Effect.flatMap((client) => Effect.log(typeof client.post)),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category clients
 */
export const observe = <E, R>(client: Client<E, R>): Client<E, R> => {
  setClientsObserved()
  return layered(client, observing)
}

const observing = <E, R>(client: Client<E, R>): Client<E, R> =>
  HttpClient.transform(client, (effect, request) =>
    Effect.withFiberRuntime<Response, E, R>((fiber) => {
      if (fiber.getFiberRef(isLookedAt)) return effect
      const observation = observationOf(fiber, request)
      return observation === undefined ? effect : observed(effect, observation)
    })
  )

/** Whether a request is looked at already, further out. */
const isLookedAt: FiberRef.FiberRef<boolean> = GlobalValue.globalValue("botanu/ai/isLookedAt", () =>
  FiberRef.unsafeMake(false)
)

interface Observation {
  readonly exchange: ProviderExchange
  /** Records an exchange that no call of a model stands for. */
  readonly end: (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>) => void
}

const observationOf = (fiber: AnyFiber, request: HttpClientRequest.HttpClientRequest): Observation | undefined => {
  const exchange = ProviderExchange.of(request)
  if (exchange === undefined) return undefined
  const site = CallSite.in(fiber.currentContext)
  const call = callTaking(fiber, exchange, site)
  if (call !== undefined) {
    call.add(exchange)
    return { exchange, end: () => {} }
  }
  if (site === undefined) return undefined
  if (exchange.protocol.operation === "embeddings") for (const open of embeddingsOf(site.run)) open.setBatched()
  else if (isOfLanguageModel(exchange.protocol)) setObserved(languageModelIn(fiber.currentContext))
  return { exchange, end: recordingOnce(exchange, site) }
}

const callTaking = (fiber: AnyFiber, exchange: ProviderExchange, site: CallSite | undefined): ModelCall | undefined => {
  const call = openCallIn(fiber) ?? onlyEmbeddingOf(exchange, site)
  if (call === undefined || !call.takes(exchange)) return undefined
  return site === undefined || site.run === call.site.run ? call : undefined
}

/**
 * The one call of an embedding model that is open in the run. Batched requests are sent by a fiber that knows their run and not
 * the call that made them.
 */
const onlyEmbeddingOf = ({ protocol }: ProviderExchange, site: CallSite | undefined): ModelCall | undefined => {
  if (protocol.operation !== "embeddings" || site === undefined) return undefined
  const [call, ...others] = embeddingsOf(site.run)
  return others.length === 0 ? call : undefined
}

const recordingOnce = (exchange: ProviderExchange, site: CallSite): Observation["end"] => {
  let isOver = false
  return (fiber, exit) => {
    if (isOver || exchange.isDoubtful) return
    isOver = true
    const { consumption, fate, isComplete, isStreamed, model, protocol, refusal } = exchange
    const ending = callExitOf(exit)
    const isCutOff = isStreamed && !isComplete && consumption.finishReason === undefined && ending.status === "success"
    const details: UsageDetails = {
      kind: "llm",
      provider: protocol.provider,
      operation: protocol.operation,
      model: model ?? consumption.responseModel,
      isStreaming: isStreamed,
      ...ending,
      ...(isCutOff && { status: "interrupted" }),
      ...(fate === "refused" && { status: "failure", requests: 0, errorType: ending.errorType ?? refusal })
    }
    site.record(fiber, undefined, details, consumption)
  }
}

const observed = <E, R>(
  effect: Effect.Effect<Response, E, R>,
  { end, exchange }: Observation
): Effect.Effect<Response, E, R> =>
  Effect.locally(effect, isLookedAt, true).pipe(
    Effect.onExit((exit) =>
      Effect.withFiberRuntime((fiber) => {
        if (Exit.isSuccess(exit)) exchange.answered(exit.value.status, exit.value.headers["content-type"])
        else exchange.failed(exit.cause)
        if (exchange.fate !== "accepted" || exchange.isKnownByRequest) end(fiber, exit)
        return Effect.void
      })
    ),
    Effect.map((response) => (exchange.fate === "accepted" ? new ObservedResponse(response, exchange, end) : response))
  )
