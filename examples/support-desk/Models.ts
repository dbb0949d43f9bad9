/**
 * The models that the desk and the back office work with: which of them does what, and the way there. What a call consumes is
 * recorded here, at the edge. The work itself has no line about it.
 */
import { fileURLToPath } from "node:url"
import { AiError } from "@effect/ai"
import { OpenAiClient, OpenAiLanguageModel } from "@effect/ai-openai"
import { HttpApiSchema, HttpClient } from "@effect/platform"
import { RunAi } from "botanu-effect/ai"
import { PriceFile } from "botanu-effect/platform"
import { Effect, flow, Layer, Redacted, Schedule, Schema } from "effect"
import type { Simulated } from "../../test/examples/SimulatedModels.js"
import type { Question, Ticket } from "./Ticket.js"

/** A model that has no answer to give at the moment. */
export class ModelOverloaded extends Schema.TaggedError<ModelOverloaded>()(
  "ModelOverloaded",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** The model for all that is routine. */
export const forRoutine = "quill-2-mini"
const dear = "quill-2"
// It is new, and the price file does not have it yet.
const onTrial = "quill-3-preview"

const longBody = 80

/** The model that reads what a customer writes: the longer that is, the better it has to be. */
export const forReading = (ticket: Ticket): string => (ticket.body.length > longBody ? dear : forRoutine)

/** The model that drafts a reply. In Japan the new one is tried. */
export const forDrafts = (ticket: Question): string => (ticket.tenant === "jp" ? onTrial : forReading(ticket))

/** Has a model answer, in a share of the time that the ticket takes. One that still refuses after some requests is overloaded. */
export const by =
  (
    model: string,
    { id, simulate }: Ticket,
    share: number,
    also: Partial<Pick<Simulated, "hangs" | "isOverloaded">> = {}
  ) =>
  <A, E, R>(asked: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, AiError.AiError> | ModelOverloaded, R> => {
    const simulated: Simulated = {
      ...{ ticket: id, workMs: simulate.workMs * share, refusals: simulate.refusals, isTold: simulate.untold !== true },
      ...{ hangs: false, isOverloaded: false, ...also }
    }
    return asked.pipe(
      OpenAiLanguageModel.withConfigOverride({ model, metadata: { simulate: JSON.stringify(simulated) } }),
      Effect.catchIf(isAiError<E>, (error) =>
        error._tag === "HttpResponseError" || error._tag === "HttpRequestError"
          ? Effect.fail(new ModelOverloaded({ message: `${model} does not answer` }))
          : Effect.die(error)
      )
    ) as Effect.Effect<A, Exclude<E, AiError.AiError> | ModelOverloaded, R>
  }

const isAiError = <E>(error: E): error is Extract<E, AiError.AiError> => AiError.isAiError(error)

/** A transient refusal, such as "too many requests", is no reason to give up. */
const tryingAgain = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.retryTransient(client, { mode: "response-only", times: 2, schedule: Schedule.spaced("40 millis") })

/** The models, behind an HTTP client. */
export const layer = OpenAiLanguageModel.layer({ model: forRoutine }).pipe(
  Layer.provide(
    OpenAiClient.layer({
      apiKey: Redacted.make("none is needed"),
      transformClient: flow(RunAi.observe, tryingAgain)
    })
  )
)

const priceFile = fileURLToPath(new URL("../prices.json", import.meta.url))

/** Records what the models consume, and what that costs. */
export const accounting = Layer.merge(RunAi.layer, PriceFile.layer(priceFile))
