/**
 * Two services in two processes, a request through both, and what their exporters made of it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { processProgram } from "../bundle.js"
import { runId } from "../runs.js"
import { receiver } from "./otlp.js"
import type { Settings } from "./service.js"

const patienceMillis = 60_000

const program = await processProgram(new URL("./service.ts", import.meta.url))

/** Starts a service, which is over, with all its spans sent, when the scope is closed. */
const service = (settings: Settings) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = fork(program, [JSON.stringify(settings)])
      const [origin] = await Promise.race([once(child, "message"), failedToStart(child)])
      return { child, origin: String(origin) }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        const exit = once(child, "exit")
        child.kill("SIGTERM")
        await exit
      })
  )

const failedToStart = async (child: ChildProcess): Promise<never> => {
  const [code] = await once(child, "exit")
  throw new Error(`the service ended before it listened, with exit code ${code}`)
}

const traceId = "0af7651916cd43dd8448eb211c80319c"
const headers = {
  traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  baggage: `botanu.run_id=${runId},botanu.workflow=Customer%20Support,botanu.event_id=ticket-42,botanu.customer_id=bigretail`
}

/** The spans of one request through both services. */
const spansOfRequest = (tracer: Settings["tracer"]) =>
  Effect.gen(function* () {
    const { origin: url, spans } = yield* receiver
    yield* Effect.scoped(
      Effect.gen(function* () {
        const back = yield* service({ name: "back", tracer, receiver: url })
        const front = yield* service({ name: "front", tracer, receiver: url, upstream: back.origin })
        const response = yield* Effect.promise(() => fetch(front.origin, { headers }))
        expect(response.status).toBe(200)
        expect(response.headers.get("x-botanu-run-id")).toBe(runId)
        expect(yield* Effect.promise(() => response.text())).toBe("done")
      })
    )
    return spans
  })

describe.each(["NodeSdk", "OtlpTracer"] as const)("a request through two services, with %s", (tracer) => {
  it.scopedLive(
    "is one trace, in which every span carries its run, and run spans alone an outcome",
    () =>
      Effect.gen(function* () {
        const spans = yield* spansOfRequest(tracer)
        expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]))

        for (const { attributes, name } of spans) {
          const keys = ["botanu.run_id", "botanu.workflow", "botanu.event_id", "botanu.customer_id"]
          expect([name, ...keys.map((key) => typeof attributes[key])]).toEqual([name, ...keys.map(() => "string")])
          expect([name, attributes["botanu.event_id"]]).toEqual([name, "ticket-42"])
          expect(JSON.stringify(attributes)).not.toContain("botanu.run_id=")
        }

        const runSpans = spans.filter(({ name }) => name.startsWith("botanu.run/"))
        expect(runSpans.map(({ name, service }) => `${service}: ${name}`).sort()).toEqual([
          "back: botanu.run/Work of back",
          "back: botanu.run/Work of back",
          "back: botanu.run/Work of back",
          "front: botanu.run/Work of front"
        ])
        const withOutcome = spans.filter(({ attributes }) => "botanu.outcome.status" in attributes)
        expect(withOutcome.map(({ spanId }) => spanId).sort()).toEqual(runSpans.map(({ spanId }) => spanId).sort())

        const front = runSpans.find(({ service }) => service === "front")
        expect(front?.attributes).toMatchObject({ "botanu.parent_run_id": runId })
        for (const back of runSpans.filter(({ service }) => service === "back")) {
          expect(back.attributes["botanu.parent_run_id"]).toBe(front?.attributes["botanu.run_id"])
        }

        // Each client called once; the client of Effect is one of undici, which is instrumented as well.
        const libraries = spans.filter(({ scope }) => scope.startsWith("@opentelemetry/instrumentation-"))
        const made = libraries.map(({ attributes, scope, service }) => {
          const run = attributes["botanu.run_id"] === runId ? "received" : "own"
          return `${service}: ${scope.replace("@opentelemetry/instrumentation-", "")}, ${run} run`
        })
        expect(made.sort()).toEqual([
          "back: http, own run",
          "back: http, own run",
          "back: http, own run",
          "front: http, own run",
          "front: http, received run",
          "front: undici, own run",
          "front: undici, own run"
        ])
      }),
    patienceMillis
  )
})
