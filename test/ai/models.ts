/**
 * Models of providers on loopback, through the providers' own clients, and what runs have recorded of them.
 */
import type { LanguageModel } from "@effect/ai"
import { AnthropicClient, AnthropicLanguageModel } from "@effect/ai-anthropic"
import { OpenAiClient, OpenAiLanguageModel } from "@effect/ai-openai"
import { FetchHttpClient, type HttpClient } from "@effect/platform"
import { Effect, Layer, Redacted } from "effect"
import { Botanu, type CompletedRun, RunExporter } from "../../src/index.js"
import { ids } from "../runs.js"
import { anthropicServer } from "./AnthropicServer.js"
import { openAiServer } from "./OpenAiServer.js"
import type { Provider } from "./ProviderServer.js"

export type TransformClient = (client: HttpClient.HttpClient) => HttpClient.HttpClient

const apiKey = Redacted.make("not a secret")

export const openAiClient = ({ url }: Provider, transformClient: TransformClient = (client) => client) =>
  OpenAiClient.layer({ apiKey, apiUrl: `${url}/v1`, transformClient }).pipe(Layer.provide(FetchHttpClient.layer))

export const anthropicClient = ({ url }: Provider, transformClient: TransformClient = (client) => client) =>
  AnthropicClient.layer({ apiKey, apiUrl: url, transformClient }).pipe(Layer.provide(FetchHttpClient.layer))

type ModelOf = (provider: Provider, transformClient?: TransformClient) => Layer.Layer<LanguageModel.LanguageModel>

const openAiModel: ModelOf = (provider, transformClient) =>
  OpenAiLanguageModel.layer({ model: "gpt-x" }).pipe(Layer.provide(openAiClient(provider, transformClient)))

const anthropicModel: ModelOf = (provider, transformClient) =>
  AnthropicLanguageModel.layer({ model: "claude-x" }).pipe(Layer.provide(anthropicClient(provider, transformClient)))

export const openAi = { name: "openai", model: "gpt-x", server: openAiServer, modelOf: openAiModel }
export const anthropic = { name: "anthropic", model: "claude-x", server: anthropicServer, modelOf: anthropicModel }

export const inRun = Botanu.workflow("Support", ids)

export const completedRuns = Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)

/** What a run has recorded, without times. */
export const usagesOf = ({ usages }: CompletedRun): ReadonlyArray<Record<string, unknown>> =>
  usages.map(({ usage: { durationMs: _duration, time: _time, ...usage } }) => usage)

/** The usages of all runs that have completed. */
export const recorded = Effect.map(completedRuns, (runs) => runs.flatMap(usagesOf))
