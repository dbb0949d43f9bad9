import { Response } from "@effect/ai"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Option } from "effect"
import { consumptionIn } from "../../src/ai/ResponseUsage.js"

const finish = (usage: Record<string, number | undefined>, metadata: Record<string, unknown> = {}) => [
  { type: "finish", reason: "stop", usage, metadata }
]

describe("what a response tells", () => {
  it("is who answered, and what was consumed", () => {
    const metadata = Response.makePart("response-metadata", {
      id: Option.some("resp_1"),
      modelId: Option.some("gpt-x"),
      timestamp: Option.some(DateTime.unsafeMake(0))
    })
    const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15, reasoningTokens: 2, cachedInputTokens: 4 }
    const end = Response.makePart("finish", { reason: "stop", usage: new Response.Usage(usage) })
    expect(consumptionIn([metadata, Response.makePart("text", { text: "Hi" }), end])).toEqual({
      providerRequestId: "resp_1",
      responseModel: "gpt-x",
      inputTokens: 10,
      cacheReadTokens: 4,
      outputTokens: 5,
      reasoningTokens: 2,
      finishReason: "stop"
    })
  })

  it("is all input tokens, where a provider tells cached ones beside them", () => {
    const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedInputTokens: 4 }
    const anthropic = { input_tokens: 10, cache_read_input_tokens: 4, cache_creation_input_tokens: 3, output_tokens: 1 }
    expect(consumptionIn(finish(usage, { anthropic: { usage: anthropic } }))).toMatchObject({
      inputTokens: 17,
      cacheReadTokens: 4,
      cacheWriteTokens: 3,
      outputTokens: 5
    })
    expect(consumptionIn(finish(usage, { bedrock: { usage: { cacheWriteInputTokens: 3 } } }))).toMatchObject({
      inputTokens: 17,
      cacheReadTokens: 4,
      cacheWriteTokens: 3
    })
  })

  it("is all output tokens, where a provider tells those of reasoning beside them", () => {
    const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 22, reasoningTokens: 7 }
    expect(consumptionIn(finish(usage))).toMatchObject({ outputTokens: 12, reasoningTokens: 7 })
  })

  it.each([
    [undefined],
    ["text"],
    [[null, 1, {}]],
    [finish({ inputTokens: Number.NaN, outputTokens: -1 }, { anthropic: { usage: { input_tokens: "7" } } })],
    [finish({ inputTokens: undefined, outputTokens: undefined, totalTokens: 0 })]
  ])("is nothing where there is nothing to be understood: %j", (parts) => {
    expect(consumptionIn(parts).inputTokens).toBeUndefined()
    expect(consumptionIn(parts).outputTokens).toBeUndefined()
  })
})
