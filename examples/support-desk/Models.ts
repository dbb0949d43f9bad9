/**
 * The models that the desk and the back office work with: which of them does what, and the way there. What a call consumed is
 * recorded here, at the edge; the work itself knows nothing of it.
 */
import { fileURLToPath } from "node:url"
import { AiError, type LanguageModel } from "@effect/ai"
import { OpenAiClient, OpenAiLanguageModel } from "@effect/ai-openai"
import { HttpClient } from "@effect/platform"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { RunAi } from "botanu-effect/ai"
import { PriceFile } from "botanu-effect/platform"
import { Effect, flow, Layer, Redacted, Schedule } from "effect"
import { ModelOverloaded } from "./ModelOverloaded.js"
import { Simulated } from "./Simulated.js"
import type { Question, Ticket } from "./Ticket.js"

const cheap = "quill-2-mini"
const dear = "quill-2"
// It is new, and the price file does not have it yet.
const onTrial = "quill-3-preview"

const longBody = 80

/** The model for all that is routine. */
export const forRoutine = cheap

/** The model that reads what a customer writes: the longer that is, the better it has to be. */
export const forReading = (ticket: Ticket): string => (ticket.body.length > longBody ? dear : cheap)

/** The model that drafts a reply. In Japan the new one is tried. */
export const forDrafts = (ticket: Question): string => (ticket.tenant === "jp" ? onTrial : forReading(ticket))

/** Has this model answer. One that has no answer, also after some more requests, is overloaded. */
export const by =
  (model: string, simulated: Simulated) =>
  <A, E, R>(asked: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, AiError.AiError> | ModelOverloaded, R> =>
    asked.pipe(
      OpenAiLanguageModel.withConfigOverride({ model, metadata: Simulated.toMetadata(simulated) }),
      Effect.catchIf(isAiError<E>, (error) =>
        error._tag === "HttpResponseError" || error._tag === "HttpRequestError"
          ? Effect.fail(new ModelOverloaded({ message: `${model} does not answer` }))
          : Effect.die(error)
      )
    ) as Effect.Effect<A, Exclude<E, AiError.AiError> | ModelOverloaded, R>

const isAiError = <E>(error: E): error is Extract<E, AiError.AiError> => AiError.isAiError(error)

/** A transient refusal, such as "too many requests", is no reason to give up. */
const tryingAgain = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.retryTransient(client, { mode: "response-only", times: 2, schedule: Schedule.spaced("40 millis") })

/** The models at an address. */
export const layer = (url: string): Layer.Layer<LanguageModel.LanguageModel, never, HttpClient.HttpClient> =>
  OpenAiLanguageModel.layer({ model: forRoutine }).pipe(
    Layer.provide(
      OpenAiClient.layer({
        apiKey: Redacted.make("none is needed"),
        apiUrl: url,
        transformClient: flow(RunAi.observe, tryingAgain)
      })
    )
  )

const priceFile = fileURLToPath(new URL("../prices.json", import.meta.url))

/** Records what the models consume, and what that costs. */
export const accounting = Layer.merge(RunAi.layer, PriceFile.layer(priceFile).pipe(Layer.provide(NodeFileSystem.layer)))
