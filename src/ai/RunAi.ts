/**
 * Usage of `@effect/ai` models: each call of a language or embedding model inside of a run is recorded to it.
 */
import { Telemetry } from "@effect/ai"
import { HttpClient } from "@effect/platform"
import { Effect, Layer, Option, type Scope } from "effect"
import { wrapTracer } from "../fiber/TracerWrapper.js"
import { observingModelCalls } from "./ModelCallTracer.js"
import { observe } from "./ObservedClient.js"
import { responseTransformer } from "./ResponseTransformer.js"

export { usageIn } from "./AnswerUsage.js"
export { observe } from "./ObservedClient.js"

/**
 * Records the usage of every call of an `@effect/ai` model to the run in which it began: of text, objects, streams and
 * embeddings, also where the call fails, is interrupted, or its stream is abandoned. Nothing is to be done at the call.
 *
 * By itself it records what a model reports at its end. `observe`, on the clients of the providers, sees more: the usage of a
 * stream that is cut off, of embeddings, and of clients that are used directly. What is not reported is recorded as a call whose
 * usage is not known.
 *
 * It is provided to the whole program, as exporters and tracers are. A `Telemetry.CurrentSpanTransformer` that is there where it is built
 * goes on being called. One that is given at a call replaces it, and it replaces one that is given to a model's own layer: so
 * `@effect/ai` has it.
 *
 * @example
 * ```ts
 * import { RunAi } from "botanu-effect/ai"
 * import { Effect } from "effect"
 *
 * export const observed = Effect.provide(RunAi.layer)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Telemetry.CurrentSpanTransformer> = Layer.scoped(
  Telemetry.CurrentSpanTransformer,
  Effect.flatMap(Effect.serviceOption(Telemetry.CurrentSpanTransformer), (outer) =>
    Effect.as(notice, responseTransformer(Option.getOrUndefined(outer)))
  )
)

/**
 * An `HttpClient` that is observed, for all clients of providers that are built on it.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { RunAi } from "botanu-effect/ai"
 * import { Layer } from "effect"
 *
 * export const client = RunAi.layerHttpClient.pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, observe)
)

const notice: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() => {
  let isOver = false
  // What fibers hold may stay with them for longer than the layer lasts.
  const release = Effect.addFinalizer(() =>
    Effect.sync(() => {
      isOver = true
    })
  )
  return Effect.zipRight(
    release,
    wrapTracer((tracer) => observingModelCalls(tracer, () => !isOver))
  )
})
