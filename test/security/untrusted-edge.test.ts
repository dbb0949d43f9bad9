/**
 * What a client that is not believed says of a run goes nowhere.
 */
import { request as nodeRequest } from "node:http"
import {
  FetchHttpClient,
  HttpClient,
  HttpLayerRouter,
  HttpMiddleware,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { Botanu, BotanuConfig, Outcome, Propagation, RunContext } from "../../src/index.js"
import * as RunHttpClient from "../../src/platform/RunHttpClient.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { endedSpans, observed } from "../observed.js"
import { receiver } from "../platform/receiver.js"
import { type Answer, request, serving } from "../platform/servers.js"
import { type Testimony, tracers, witnessed } from "./witness.js"

/** In every value that is sent. */
const mark = /spoofed|5b00fed0/i

const spoofed = [
  "botanu.run_id=5b00fed0-0000-4000-8000-000000000001",
  "botanu.workflow=Spoofed%20Workflow",
  "botanu.event_id=spoofed-event",
  "botanu.customer_id=spoofed-customer",
  "botanu.environment=spoofed-environment",
  "botanu.tenant_id=spoofed-tenant",
  "botanu.parent_run_id=5b00fed0-0000-4000-8000-000000000002",
  "botanu.root_run_id=5b00fed0-0000-4000-8000-000000000003",
  "botanu.retry_of_run_id=5b00fed0-0000-4000-8000-000000000004",
  "botanu.attempt=7",
  "partner=spoofed-member;spoofed-property=spoofed",
  "Botanu.Customer_Id=spoofed-case",
  "botanu%2Ecustomer_id=spoofed-encoded"
]
const stopped = ["botanu.deadline=1", "botanu.cancelled=true"]
const unreadable = ["botanu.run_id=spoofed", "botanu.workflow=spoofed%0a", "botanu.attempt=spoofed", "spoofed"]

const remoteTrace = "0af7651916cd43dd8448eb211c80319c"
const trace = { traceparent: `00-${remoteTrace}-b7ad6b7169203331-01`, tracestate: "vendor=value" }

const requests: ReadonlyArray<Record<string, string | ReadonlyArray<string>>> = [
  { baggage: spoofed.join(",") },
  { baggage: [...spoofed, ...stopped].join(","), ...trace },
  { BAGGAGE: [...stopped, ...spoofed], ...trace },
  { baggage: unreadable.join(",") }
]

const paths = ["/", "/stream", "/failure", "/defect"]

/** Other servers, which the edge calls. */
interface Others {
  readonly told: string
  readonly untold: string
}

const bareGet = (url: string, headers: Record<string, string>) =>
  Effect.async<void, Error>((resume) => {
    nodeRequest(url, { headers, agent: false }, (response) => response.resume().on("end", () => resume(Effect.void)))
      .on("error", (error) => resume(Effect.fail(error)))
      .end()
  })

const callEveryone = ({ told, untold }: Others) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const telling = RunHttpClient.propagateTo(client, [told])
    for (const to of [told, untold]) {
      yield* Effect.scoped(telling.get(to))
      yield* Effect.scoped(client.get(to))
      yield* Effect.promise(() => fetch(to).then((response) => response.text()))
    }
  })

const sendByHand = ({ told }: Others) =>
  Effect.gen(function* () {
    const headers = yield* Propagation.inject
    yield* bareGet(told, headers)
    return headers
  })

/** Does whatever a handler may do with a run that it happens to be in. */
const handler = (others: Others) => (path: string) =>
  Effect.gen(function* () {
    yield* Effect.log("at work")
    yield* callEveryone(others)
    const received = yield* Effect.serviceOption(RunContext)
    if (Option.isSome(received)) yield* Effect.provideService(sendByHand(others), RunContext, received.value)
    const child = yield* Effect.gen(function* () {
      yield* callEveryone(others)
      yield* Outcome.emit("partial")
      return yield* sendByHand(others)
    }).pipe(Botanu.workflow("Child", { eventId: "event", customerId: "customer" }))
    const daemon = yield* Effect.forkDaemon(Effect.withSpan(Effect.log("beside"), "daemon"))
    yield* Fiber.join(daemon)
    if (path === "/failure") return yield* Effect.fail("failed")
    if (path === "/defect") return yield* Effect.die("died")
    const text = JSON.stringify([Option.map(received, (run) => run.runId), child])
    return path === "/stream"
      ? HttpServerResponse.stream(
          Stream.make(text).pipe(
            Stream.tap(() => Effect.withSpan(Effect.log("streaming"), "stream")),
            Stream.encodeText
          )
        )
      : HttpServerResponse.text(text)
  }).pipe(Effect.withSpan("handler"), Effect.provide(FetchHttpClient.layer))

type Inbound = RunHttpServer.Inbound<HttpServerRequest.HttpServerRequest>

interface Edge {
  readonly inbound: (others: Others) => Inbound
  readonly asRun: boolean
  readonly linked: boolean
  readonly tracer: keyof typeof tracers
}

interface Seen extends Testimony {
  readonly answers: ReadonlyArray<Answer>
  readonly told: string
  readonly untold: string
}

/** Sends requests to a server with such an edge, and gives all that comes out of it. */
const seenAt = (edge: Edge, headersOfRequests: typeof requests) =>
  Effect.gen(function* () {
    const [told, untold] = yield* Effect.all([receiver(), receiver()])
    const others = { told: told.origin, untold: untold.origin }
    const answers: Array<Answer> = []
    const options: RunHttpServer.Options & Partial<RunHttpServer.OptionsOrElse> = {
      inbound: edge.inbound(others),
      ...(edge.asRun && { orElse: () => ({ workflow: "Request", eventId: "request", customerId: "own" }) })
    }
    const app = Effect.orDie(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => handler(others)(url)).pipe(
        RunHttpServer.middleware(options)
      )
    )
    const server = HttpServer.serve(app, HttpMiddleware.logger)
    const work = Effect.gen(function* () {
      const url = yield* serving(edge.linked ? RunHttpServer.withLinkedTraces(server) : server)
      for (const headers of headersOfRequests) {
        for (const path of paths) answers.push(yield* request(`${url}${path}`, { headers }))
      }
    }).pipe(Effect.provide(BotanuConfig.layerOf({ environment: "test", propagationMode: "full" })))
    const testimony = yield* witnessed(edge.tracer, work)
    return {
      ...testimony,
      answers,
      told: JSON.stringify(told.received),
      untold: JSON.stringify(untold.received)
    } satisfies Seen
  })

const untrusted = () => "untrusted" as const

/** Asks another server whether to believe a request, as one that looks at a token does. */
const refusing = (others: Others) => () =>
  Effect.log("asking").pipe(
    Effect.zipRight(callEveryone(others)),
    Effect.as(false),
    Effect.orDie,
    Effect.provide(FetchHttpClient.layer)
  )

const edges = Object.keys(tracers).flatMap((tracer) =>
  Object.entries({ untrusted, "a predicate that says no": refusing }).flatMap(([name, inbound]) =>
    [false, true].flatMap((asRun) =>
      [false, true].map((linked) => {
        const edge = { inbound, asRun, linked, tracer: tracer as keyof typeof tracers } satisfies Edge
        const title = [name, asRun ? "orElse" : "", linked ? "withLinkedTraces" : "", tracer].filter(Boolean).join(", ")
        return [title, edge] as const
      })
    )
  )
)

vi.setConfig({ testTimeout: 30_000 })

describe("an edge that is not to believe anyone", () => {
  it.scopedLive.each(edges)("lets nothing out of what a run claims to be: %s", ([, edge]) =>
    Effect.gen(function* () {
      const { answers, ...seen } = yield* seenAt(edge, requests)
      expect(answers.map(({ status }) => status)).toEqual(requests.flatMap(() => [200, 200, 500, 500]))
      for (const { headers, text } of answers) {
        expect(JSON.stringify([headers, text])).not.toMatch(mark)
        expect(headers["x-botanu-workflow"]).toBe(edge.asRun ? "Request" : undefined)
      }
      for (const [where, text] of Object.entries(seen)) {
        expect(text.length, where).toBeGreaterThan(2)
        expect(mark.exec(text)?.[0], where).toBeUndefined()
      }
      expect(seen.told).toContain("botanu.customer_id=customer")
      expect(seen.untold).not.toContain("botanu.")
      expect(seen.told + seen.untold).not.toContain(remoteTrace)
    })
  )

  it.scopedLive("is seen to do so: of a believed request all of it is found where it may be", () =>
    Effect.gen(function* () {
      const trusted = { inbound: () => "trusted" as const, asRun: true, linked: true }
      for (const tracer of ["NodeSdk", "OtlpTracer"] as const) {
        const { answers, ...seen } = yield* seenAt({ ...trusted, tracer }, [{ baggage: spoofed.join(","), ...trace }])
        expect(answers.map(({ headers }) => headers["x-botanu-workflow"])).toEqual(
          paths.map(() => "Spoofed%20Workflow")
        )
        for (const where of ["spans", "logs", "told"] as const) {
          for (const value of [
            "spoofed-customer",
            "spoofed-event",
            "spoofed-tenant",
            "5b00fed0-0000-4000-8000-000000000001"
          ]) {
            expect(seen[where], `${value} in ${where}`).toContain(value)
          }
        }
        expect(seen.told).toContain("partner=spoofed-member;spoofed-property=spoofed")
        expect(seen.told).toContain(remoteTrace)
        expect(seen.untold).not.toMatch(mark)
      }
    })
  )

  it.live("is not asked where no route is, and still the header is on no span", () =>
    Effect.gen(function* () {
      const route = HttpLayerRouter.use((router) => router.add("GET", "/", HttpServerResponse.empty())).pipe(
        Layer.provide(HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound: "untrusted" }), { global: true }))
      )
      const server = HttpLayerRouter.serve(route, { disableLogger: true, disableListenLog: true })
      const url = yield* serving(RunHttpServer.withLinkedTraces(server))
      const headers = { baggage: spoofed.join(",") }
      expect((yield* request(`${url}/nowhere`, { headers })).status).toBe(404)
      const attributes = (yield* endedSpans).map(({ attributes }) => attributes)
      expect(attributes.map((all) => all["http.request.header.baggage"])).toContain("<redacted>")
      expect(JSON.stringify(attributes)).not.toMatch(mark)
    }).pipe(Effect.scoped, Effect.provide(observed))
  )
})
