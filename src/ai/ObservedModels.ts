/**
 * Which models are known to be called through an observed client, so that their exchanges report what they consume.
 */
import { EmbeddingModel, LanguageModel } from "@effect/ai"
import { type Context, GlobalValue } from "effect"

const observed = GlobalValue.globalValue("botanu/ai/Observed", () => new WeakSet<object>())

const clients = GlobalValue.globalValue("botanu/ai/clients", () => ({ areObserved: false }))

/** Remembers that there are clients whose exchanges are seen. */
export const setClientsObserved = (): void => {
  clients.areObserved = true
}

/** Whether there are clients whose exchanges are seen, and have to find their calls. */
export const areClientsObserved = (): boolean => clients.areObserved

/** Remembers that exchanges of a model are seen. */
export const setObserved = (model: object | undefined): void => {
  if (model !== undefined) observed.add(model)
}

/** Whether exchanges of a model were seen. */
export const isObserved = (model: object | undefined): boolean => model !== undefined && observed.has(model)

/** The language model that a context holds. */
export const languageModelIn = (context: Context.Context<never>): object | undefined =>
  context.unsafeMap.get(LanguageModel.LanguageModel.key)

/** The embedding model that a context holds. */
export const embeddingModelIn = (context: Context.Context<never>): object | undefined =>
  context.unsafeMap.get(EmbeddingModel.EmbeddingModel.key)
