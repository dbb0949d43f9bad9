/**
 * A server whose requests OpenTelemetry's instrumentation of `http` sees first: it makes what came in active before any of our
 * code is asked.
 */
import { createRequire, syncBuiltinESMExports } from "node:module"
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { propagation } from "@opentelemetry/api"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer } from "effect"
import { Botanu } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { RunHttpServer } from "../../src/platform/index.js"
import { request, serving } from "../platform/servers.js"
import { ids, runId } from "../runs.js"

registerInstrumentations({ tracerProvider: new BasicTracerProvider(), instrumentations: [new HttpInstrumentation()] })
// Instrumentation takes hold of what is required; this makes it hold for what is imported too.
createRequire(import.meta.url)("node:http")
syncBuiltinESMExports()

const baggage = `botanu.run_id=${runId},botanu.workflow=Support,botanu.event_id=e,botanu.customer_id=spoofed,theme=dark`

const active = Effect.promise(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  return (propagation.getActiveBaggage()?.getAllEntries() ?? []).map(([key, { value }]) => `${key}=${value}`)
})

/** What is active in the handler, and in a run of its own there. */
const seenBy = (middleware: RunHttpServer.Options | undefined) =>
  Effect.gen(function* () {
    const inRun = Effect.orDie(active.pipe(Botanu.workflow("Own", ids)))
    const app = Effect.map(Effect.all([active, inRun]), (seen) => HttpServerResponse.unsafeJson(seen))
    const edge = middleware === undefined ? app : RunHttpServer.middleware(middleware)(app)
    const url = yield* serving(HttpServer.serve(edge).pipe(Layer.provide(RunOpenTelemetry.layer({ propagateTo: [] }))))
    const { text } = yield* request(url, { headers: { baggage } })
    return JSON.parse(text) as [Array<string>, Array<string>]
  })

describe("in an instrumented server", () => {
  it.scopedLive("everything that came in is active where no edge decides", () =>
    Effect.gen(function* () {
      const [handler] = yield* seenBy(undefined)
      expect(handler.sort()).toEqual(baggage.split(",").sort())
    })
  )

  it.scopedLive("the run of a trusted request is, and its baggage", () =>
    Effect.gen(function* () {
      const [handler, inRun] = yield* seenBy({ inbound: "trusted" })
      expect(handler.sort()).toEqual(baggage.split(",").sort())
      expect(inRun).toContain("botanu.workflow=Own")
      expect(inRun).toContain("theme=dark")
    })
  )

  it.scopedLive("nothing of another request is", () =>
    Effect.gen(function* () {
      const [handler, inRun] = yield* seenBy({ inbound: "untrusted" })
      expect(handler).toEqual([])
      expect(inRun).toContain("botanu.workflow=Own")
      expect(inRun.join()).not.toMatch(/spoofed|theme|Support/)
    })
  )
})
