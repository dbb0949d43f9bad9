import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Botanu, Llm, type RunContext, Usage } from "../src/index.js"
import { observed } from "./observed.js"
import { ids } from "./runs.js"
import { allUsages, perToken, quill, spanNamed } from "./usages.js"

const run = Botanu.workflow("Customer Support", ids)

/** OpenTelemetry's numbers for kinds of spans. */
const internal = 0
const client = 2

const attributesOfRun = /^botanu\.(run_id|workflow|event_id|customer_id)$/

interface Scenario {
  readonly call: Effect.Effect<unknown, unknown, RunContext>
  readonly span: string
  readonly kind: number
  readonly attributes: object
  readonly usage: object
}

const told: Usage.Consumption = {
  inputTokens: 1_200,
  cacheReadTokens: 1_000,
  cacheWriteTokens: 100,
  outputTokens: 90,
  reasoningTokens: 60,
  responseModel: "quill-2-2026",
  finishReason: "stop",
  providerRequestId: "resp-1"
}

const scenarios: Readonly<Record<string, Scenario>> = {
  "a chat, with all that can be told of it": {
    call: Llm.track(Usage.report(told), { ...quill, provider: "Azure OpenAI", clientRequestId: "mine-1", attempt: 2 }),
    span: "chat quill-2",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "azure.ai.openai",
      "gen_ai.request.model": "quill-2",
      "gen_ai.response.model": "quill-2-2026",
      "gen_ai.response.id": "resp-1",
      // A list, which `@effect/opentelemetry` makes text of.
      "gen_ai.response.finish_reasons": JSON.stringify(["stop"], undefined, 2),
      "gen_ai.usage.input_tokens": 1_200,
      "gen_ai.usage.cache_read.input_tokens": 1_000,
      "gen_ai.usage.cache_creation.input_tokens": 100,
      "gen_ai.usage.output_tokens": 90,
      "gen_ai.usage.reasoning.output_tokens": 60,
      "botanu.vendor.request_id": "resp-1",
      "botanu.vendor.client_request_id": "mine-1",
      "botanu.request.attempt": 2,
      "botanu.usage.cost_usd": 1.29
    },
    usage: {
      ...told,
      kind: "llm",
      provider: "azure.ai.openai",
      operation: "chat",
      model: "quill-2",
      isStreaming: false,
      clientRequestId: "mine-1",
      attempt: 2,
      status: "success",
      requests: 1
    }
  },
  "a completion": {
    call: Llm.track(Effect.void, { ...quill, operation: "text_completion" }),
    span: "text_completion quill-2",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "text_completion",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2",
      "botanu.usage.cost_usd": 0
    },
    usage: { operation: "text_completion", provider: "openai", model: "quill-2" }
  },
  "a streamed chat": {
    call: Stream.runDrain(Llm.track(Stream.make(5), { ...quill, usage: (outputTokens) => ({ outputTokens }) })),
    span: "chat quill-2",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2",
      "gen_ai.request.stream": true,
      "gen_ai.usage.output_tokens": 5,
      "botanu.usage.cost_usd": 0.005
    },
    usage: { operation: "chat", isStreaming: true, outputTokens: 5 }
  },
  "a chat that is streamed behind an effect": {
    call: Llm.track(Effect.void, { ...quill, isStreaming: true }),
    span: "chat quill-2",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2",
      "gen_ai.request.stream": true,
      "botanu.usage.cost_usd": 0
    },
    usage: { isStreaming: true }
  },
  embeddings: {
    call: Llm.track(Effect.succeed(8), {
      provider: "cohere_chat",
      model: "vec-1",
      operation: "embeddings",
      usage: (inputTokens) => ({ inputTokens })
    }),
    span: "embeddings vec-1",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "cohere",
      "gen_ai.request.model": "vec-1",
      "gen_ai.usage.input_tokens": 8,
      "botanu.usage.cost_usd": 0.008
    },
    usage: { operation: "embeddings", provider: "cohere", inputTokens: 8 }
  },
  "images and characters": {
    call: Llm.track(Usage.report({ images: 2, inputCharacters: 40, outputCharacters: 0, computeMs: 1.5 }), {
      provider: "gemini",
      model: "brush-1",
      operation: "image_generation"
    }),
    span: "image_generation brush-1",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "image_generation",
      "gen_ai.provider.name": "gcp.gemini",
      "gen_ai.request.model": "brush-1",
      "botanu.usage.images": 2,
      "botanu.usage.input_characters": 40,
      "botanu.usage.output_characters": 0,
      "botanu.usage.compute_ms": 1.5,
      "botanu.usage.cost_usd": 0
    },
    usage: { provider: "gcp.gemini", images: 2, inputCharacters: 40, outputCharacters: 0, computeMs: 1.5 }
  },
  "a tool": {
    call: Llm.track(Effect.void, { operation: "execute_tool", tool: "search", toolCallId: "call-7" }),
    span: "execute_tool search",
    kind: internal,
    attributes: {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "search",
      "gen_ai.tool.call.id": "call-7",
      "botanu.usage.cost_usd": 0
    },
    usage: { kind: "llm", provider: "unknown", operation: "execute_tool", model: "search" }
  },
  "a call that was refused": {
    call: Effect.exit(Llm.track(Effect.fail({ _tag: "RateLimited", status: 429 }), quill)),
    span: "chat quill-2",
    kind: client,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2",
      "error.type": "RateLimited",
      "botanu.usage.requests": 0,
      "botanu.usage.cost_usd": 0
    },
    usage: { status: "failure", requests: 0, errorType: "RateLimited" }
  }
}

describe("on its span, of the GenAI conventions, and on record", () => {
  for (const [name, { attributes, call, kind, span: spanName, usage }] of Object.entries(scenarios)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        yield* run(call).pipe(Effect.provide(perToken("0.001")))
        const span = yield* spanNamed(spanName)
        const own = Object.entries(span.attributes).filter(
          // OpenTelemetry has the exception of a failed call beside it.
          ([key]) => !attributesOfRun.test(key) && !key.startsWith("exception.")
        )
        expect(Object.fromEntries(own)).toEqual(attributes)
        expect(span.kind).toBe(kind)
        const usages = yield* allUsages
        expect(usages).toHaveLength(1)
        expect({ ...usages[0] }).toMatchObject(usage)
      }).pipe(Effect.provide(observed))
    )
  }
})
