/**
 * Answers of batches: their lines as providers write them, by `RunAi.usageIn`, and answers of which the program says it.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, PriceBook, RunExporter, Usage } from "../../src/index.js"
import { costText } from "../usages.js"
import { completedRuns, inRun } from "./models.js"

const usd = { inputToken: "0.01", cacheReadToken: "0.001", outputToken: "0.1" }

const ours = Layer.merge(
  RunExporter.layerMemory,
  Layer.orDie(
    PriceBook.layer(
      ["gpt-x", "claude-x", "gemini-3-x"].map((model) => ({
        model,
        usd,
        serviceTiers: {
          batch: { usd: { inputToken: "0.005", outputToken: "0.05" } },
          flex: { usd: { inputToken: "0.004", outputToken: "0.04" } }
        }
      }))
    )
  )
)

const completion = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-x",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 }
}

const openAiLine = (body: object, status = 200) => ({
  id: "batch_req_1",
  custom_id: "request-1",
  response: { status_code: status, request_id: "req_1", body },
  error: null
})

const message = {
  id: "msg_1",
  type: "message",
  model: "claude-x",
  stop_reason: "end_turn",
  usage: { input_tokens: 100, output_tokens: 10 }
}

const content = {
  candidates: [{ finishReason: "STOP" }],
  modelVersion: "gemini-3-x",
  usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110 }
}

const anthropicLine = (result: object) => ({ custom_id: "request-1", result })

const lines: Readonly<Record<string, readonly [provider: string, line: unknown, cost: string]>> = {
  OpenAI: ["openai", openAiLine(completion), "1"],
  "OpenAI, Responses": [
    "openai",
    openAiLine({ model: "gpt-x", usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 } }),
    "1"
  ],
  "OpenAI, where the body names the standard tier": [
    "openai",
    openAiLine({ ...completion, service_tier: "default" }),
    "1"
  ],
  "OpenAI, where the body names another tier": ["openai", openAiLine({ ...completion, service_tier: "flex" }), "0.8"],
  "OpenAI, cached tokens, which have no price in batches": [
    "openai",
    openAiLine({ ...completion, usage: { ...completion.usage, prompt_tokens_details: { cached_tokens: 40 } } }),
    "no_price_for_kind 0.8"
  ],
  "OpenAI, a request that was refused": ["openai", openAiLine({ error: { message: "no" } }, 400), "0"],
  "OpenAI, a request that expired": [
    "openai",
    { id: "batch_req_1", custom_id: "request-1", response: null, error: { code: "batch_expired", message: "late" } },
    "0"
  ],
  "OpenAI, the batch itself": [
    "openai",
    {
      id: "batch_1",
      object: "batch",
      model: "gpt-x",
      usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 }
    },
    "no_usage 1"
  ],
  Anthropic: [
    "anthropic",
    anthropicLine({
      type: "succeeded",
      message: { ...message, usage: { ...message.usage, service_tier: "batch" } }
    }),
    "1"
  ],
  "Anthropic, where the message does not name the tier": [
    "anthropic",
    anthropicLine({ type: "succeeded", message }),
    "1"
  ],
  "Anthropic, the message of a line by itself": [
    "anthropic",
    { ...message, usage: { ...message.usage, service_tier: "batch" } },
    "1"
  ],
  "Anthropic, a request that failed": ["anthropic", anthropicLine({ type: "errored", error: {} }), "0"],
  "Anthropic, a request that was cancelled": ["anthropic", anthropicLine({ type: "canceled" }), "0"],
  Gemini: ["gemini", { key: "request-1", response: content }, "1"],
  "Vertex AI": ["vertex_ai", { status: "", request: {}, response: content, processed_time: "2026-06-01" }, "1"],
  "Amazon Bedrock": ["bedrock", { recordId: "1", modelInput: {}, modelOutput: message }, "1"],
  "an answer that is in no line": ["openai", completion, "2"],
  "an event of the Responses API, which is no line": [
    "openai",
    {
      type: "response.completed",
      response: { model: "gpt-x", usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 } }
    },
    "2"
  ]
}

const costs = Effect.map(completedRuns, (runs) =>
  runs.flatMap(({ usages }) => usages.map(({ cost }) => costText(cost)))
)

describe("a line of a batch, by RunAi.usageIn", () => {
  for (const [name, [provider, line, cost]] of Object.entries(lines)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const model = provider === "openai" ? "gpt-x" : provider === "anthropic" ? "claude-x" : "gemini-3-x"
        const call = { provider, model: provider === "bedrock" ? "claude-x" : model, usage: RunAi.usageIn(provider) }
        yield* inRun(Llm.track(Effect.succeed(line), call))
        expect(yield* costs).toEqual([cost])
      }).pipe(Effect.provide(ours))
    )
  }
})

describe("a call of which the program says that its answer is one of a batch", () => {
  const call = { provider: "openai", model: "gpt-x", isBatch: true } as const
  const tokens = { inputTokens: 100, outputTokens: 10 }

  const rows: Readonly<
    Record<string, readonly [served: Usage.Consumption, isBatch: boolean | undefined, cost: string]>
  > = {
    "is priced as batch": [tokens, true, "1"],
    "is priced as batch where the answer names the standard tier": [{ ...tokens, serviceTier: "default" }, true, "1"],
    "is priced in another tier that the answer names": [{ ...tokens, serviceTier: "flex" }, true, "0.8"],
    "is not, where it says that it is none": [tokens, false, "2"],
    "is not, where it says nothing": [tokens, undefined, "2"]
  }
  for (const [name, [served, isBatch, cost]] of Object.entries(rows)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        yield* inRun(Llm.track(Effect.void, { ...call, isBatch, usage: () => served }))
        expect(yield* costs).toEqual([cost])
      }).pipe(Effect.provide(ours))
    )
  }

  it.effect("is priced as batch try by try", () =>
    Effect.gen(function* () {
      const reports = Effect.zipRight(
        Usage.report({ ...tokens, providerRequestId: "one" }),
        Usage.report({ ...tokens, providerRequestId: "two" })
      )
      yield* inRun(Llm.track(reports, call))
      expect(yield* costs).toEqual(["1", "1"])
      const [run] = yield* completedRuns
      expect(run?.usages.map(({ usage }) => usage.serviceTier)).toEqual(["batch", "batch"])
    }).pipe(Effect.provide(ours))
  )
})
