/**
 * Ids that a span is given after it was started: with Effect's own tracers and with that of the OpenTelemetry SDK.
 */
import { OtlpSerialization, OtlpTracer } from "@effect/opentelemetry"
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { identify } from "../../src/fiber/SpanIdentity.js"
import { sdk } from "../observed.js"

const ids = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }

const identified = Effect.map(Effect.makeSpan("the run", { root: true }), (span) => {
  identify(span, ids)
  return span
})

describe("a span that is given ids", () => {
  it.effect("has them with Effect's tracer", () =>
    Effect.map(identified, ({ spanId, traceId }) => expect({ spanId, traceId }).toEqual(ids))
  )

  it.effect("is exported with them by the OpenTelemetry SDK", () => {
    const { exporter, layer } = sdk()
    return Effect.gen(function* () {
      const span = yield* identified
      const child = yield* Effect.makeSpan("child", { parent: span })
      child.end(1n, Exit.void)
      span.end(1n, Exit.void)
      const [inner, outer] = exporter.getFinishedSpans()
      expect(outer?.spanContext()).toMatchObject(ids)
      expect(inner?.parentSpanContext?.spanId).toBe(ids.spanId)
      expect(inner?.spanContext().traceId).toBe(ids.traceId)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is exported with them by OtlpTracer", () =>
    Effect.gen(function* () {
      const bodies: Array<string> = []
      const client = HttpClient.make((request) =>
        Effect.sync(() => {
          if (request.body._tag === "Uint8Array") bodies.push(new TextDecoder().decode(request.body.body))
          return HttpClientResponse.fromWeb(request, new Response())
        })
      )
      const tracer = OtlpTracer.layer({ url: "http://collector/v1/traces", resource: { serviceName: "test" } }).pipe(
        Layer.provide(OtlpSerialization.layerJson),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
      yield* Effect.map(identified, (span) => span.end(1n, Exit.void)).pipe(Effect.provide(tracer))
      expect(bodies.join()).toContain(ids.traceId)
      expect(bodies.join()).toContain(ids.spanId)
    })
  )
})
