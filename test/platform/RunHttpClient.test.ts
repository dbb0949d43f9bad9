import {
  FetchHttpClient,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpClientResponse,
  type HttpMethod
} from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schedule, Scope, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Withheld } from "../../src/fiber/TracerWrapper.js"
import { Botanu, BotanuConfig, Propagation, type Run, RunContext } from "../../src/index.js"
import * as RunHttpClient from "../../src/platform/RunHttpClient.js"
import { endedSpans, observed } from "../observed.js"
import { ids, leanHeader, makeRun } from "../runs.js"
import { linesOf, type Received, type Receiver, receiver, redirect, silent } from "./receiver.js"

const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })

const inRun = <A, E, R>(effect: Effect.Effect<A, E, R>, run: Run = makeRun()) =>
  Effect.provide(effect, RunContext.layer(run))

/** The only line of `baggage` in each request; `undefined` where there is none. */
const baggageOf = ({ received }: Receiver): ReadonlyArray<string | undefined> =>
  received.map((request) => {
    const lines = linesOf("baggage", request)
    expect(lines.length).toBeLessThan(2)
    return lines[0]
  })

/** The client of the test, telling these receivers. */
const telling = (...receivers: ReadonlyArray<{ readonly origin: string }>) =>
  Effect.map(HttpClient.HttpClient, RunHttpClient.propagateTo(receivers.map(({ origin }) => origin)))

const clients = {
  "node:http": NodeHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  fetch: FetchHttpClient.layer
}

describe.each(Object.entries(clients))("a client of %s", (_, clientLayer) => {
  const test = <A, E>(title: string, body: Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
    it.scoped(title, () => Effect.provide(body, clientLayer))

  test(
    "tells the origins that are listed, and no others",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const partner = yield* receiver()
      const client = yield* telling(billing)
      yield* inRun(Effect.all([client.get(billing.origin), client.get(partner.origin)]))
      yield* client.get(billing.origin)
      expect(baggageOf(billing)).toEqual([leanHeader, undefined])
      expect(baggageOf(partner)).toEqual([undefined])
    })
  )

  test(
    "tells an origin by its name, and not by its address",
    Effect.gen(function* () {
      const { origin, port, received } = yield* receiver()
      const client = yield* telling({ origin: `http://localhost:${port}` })
      yield* inRun(Effect.all([client.get(origin), client.get(`http://LOCALHOST:${port}/name`)]))
      expect(received.map((request) => [request.path, linesOf("baggage", request)])).toEqual([
        ["/", []],
        ["/name", [leanHeader]]
      ])
    })
  )

  test(
    "takes off what others say of runs, and leaves the rest as they wrote it",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const partner = yield* receiver()
      const client = yield* telling(billing)
      const spoofed = "botanu.customer_id=someone%20else"
      const headers = [
        spoofed,
        `a=1, b = 2;p=q ,${spoofed}, c=%41`,
        "a=1 ,\tb=2,,c",
        " botanu.run_id=1,%62otanu%2Erun_id=2,BOTANU.workflow=3;p,\tbotanu.x",
        `${spoofed},a=1`
      ]
      for (const baggage of headers) {
        yield* inRun(client.get(partner.origin, { headers: { baggage } }))
        yield* client.get(billing.origin, { headers: { Baggage: baggage } })
      }
      expect(baggageOf(partner)).toEqual([undefined, "a=1, b = 2;p=q , c=%41", "a=1 ,\tb=2,,c", undefined, "a=1"])
      expect(baggageOf(billing)).toEqual(baggageOf(partner))
    })
  )

  test(
    "finds the header under any spelling of its name",
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver()
      const client = yield* telling(billing)
      const spelled = (url: string) => {
        const request = HttpClientRequest.get(url)
        const headers = { BAGGAGE: "botanu.run_id=1,a=1", Baggage: "b=2" }
        return client.execute(
          Object.assign(Object.create(Object.getPrototypeOf(request)), request, {
            headers: Object.setPrototypeOf(headers, Object.getPrototypeOf(request.headers))
          })
        )
      }
      yield* inRun(Effect.all([spelled(partner.origin), spelled(billing.origin)]))
      expect(baggageOf(partner)).toEqual(["a=1,b=2"])
      expect(baggageOf(billing)).toEqual([`${leanHeader},a=1,b=2`])
    })
  )

  test(
    "sends the run first, then what came in with it, then what others put on the request",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const client = yield* telling(billing)
      const incoming = yield* Propagation.extract({ baggage: `tenant=blue;p,${leanHeader}` })
      const request = HttpClientRequest.get(billing.origin, {
        headers: { baggage: "session=7;secret, botanu.customer_id=other,tenant=blue;p" }
      })
      yield* inRun(client.execute(request), Option.getOrThrow(incoming))
      yield* inRun(client.execute(request), Option.getOrThrow(incoming)).pipe(Effect.provide(full))
      expect(baggageOf(billing)).toEqual([
        `${leanHeader},tenant=blue;p,session=7;secret`,
        `${leanHeader},tenant=blue;p,botanu.environment=unknown,session=7;secret`
      ])
    })
  )

  test(
    "sends whole members only, within the limits of W3C Baggage",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const client = yield* telling(billing)
      const many = Array.from({ length: 70 }, (_, index) => `k${index}=v`)
      const large = `large=${"x".repeat(8_100)}`
      yield* inRun(client.get(billing.origin, { headers: { baggage: many.join(",") } }))
      yield* inRun(client.get(billing.origin, { headers: { baggage: `a=1,${large},b=2` } }))
      expect(baggageOf(billing)).toEqual([[leanHeader, ...many.slice(0, 60)].join(","), `${leanHeader},a=1,b=2`])
    })
  )

  test(
    "leaves trace headers as they are",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const partner = yield* receiver()
      const client = yield* telling(billing)
      const span = yield* Effect.all([client.get(billing.origin), client.get(partner.origin)]).pipe(
        inRun,
        Effect.zipRight(Effect.currentSpan),
        Effect.withSpan("caller")
      )
      for (const { received } of [billing, partner]) {
        const [request] = received as [Received]
        expect(linesOf("traceparent", request)).toEqual([expect.stringContaining(span.traceId)])
        expect(linesOf("b3", request)).toHaveLength(1)
      }
      yield* inRun(HttpClient.withTracerPropagation(client, false).get(billing.origin))
      expect(billing.received[1]?.rawHeaders.join().toLowerCase()).not.toContain("traceparent")
    })
  )

  test(
    "checks every redirect that is followed above it, so as a layer every one",
    Effect.gen(function* () {
      const partner: Receiver = yield* receiver(redirect(302, () => `${billing.origin}/back`))
      const billing: Receiver = yield* receiver((response, request) =>
        request.url === "/back"
          ? response.writeHead(204).end()
          : redirect(302, () => `${partner.origin}/away`)(response, request)
      )
      const to = [billing.origin]
      const toBilling = HttpClient.mapRequest(HttpClientRequest.prependUrl(billing.origin))
      const follow = HttpClient.followRedirects(5)
      const get = (make: (client: HttpClient.HttpClient) => HttpClient.HttpClient) =>
        Effect.flatMap(HttpClient.HttpClient, (client) =>
          inRun(make(client).get("/", { headers: { baggage: "a=1,botanu.run_id=x" } }))
        )
      yield* get((client) => client.pipe(toBilling, RunHttpClient.propagateTo(to), follow))
      yield* get((client) => client.pipe(follow, toBilling, RunHttpClient.propagateTo(to))).pipe(
        Effect.provide(RunHttpClient.layer({ propagateTo: to }))
      )
      expect(baggageOf(partner)).toEqual(["a=1", "a=1"])
      expect(baggageOf(billing)).toEqual(Array(4).fill(`${leanHeader},a=1`))
    })
  )

  test(
    "withholds the run from whatever works below, towards others only",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const partner = yield* receiver()
      const seen: Array<boolean> = []
      const below = HttpClient.transformResponse(yield* HttpClient.HttpClient, (response) =>
        Effect.zipRight(
          Effect.map(Withheld, (withheld) => seen.push(withheld)),
          response
        )
      )
      const telling = RunHttpClient.propagateTo(below, [billing.origin])
      yield* inRun(Effect.all([telling.get(billing.origin), telling.get(partner.origin)]))
      yield* telling.get(partner.origin)
      expect(seen).toEqual([false, true, true])
      expect(yield* Withheld).toBe(false)
    })
  )

  test(
    "tells only whom all clients tell, where one is made of another",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const ledger = yield* receiver()
      const support = yield* receiver()
      const client = Effect.flatMap(telling(billing, ledger), (outer) =>
        inRun(Effect.all([billing, ledger, support].map(({ origin }) => outer.get(origin))))
      )
      yield* Effect.provide(client, RunHttpClient.layer({ propagateTo: [ledger.origin, support.origin] }))
      expect([billing, ledger, support].map(baggageOf)).toEqual([[undefined], [leanHeader], [undefined]])
    })
  )

  test(
    "has nothing to say in what the body of a request asks of others",
    Effect.gen(function* () {
      const ledger = yield* receiver((response) => response.end("an invoice"))
      const billing = yield* receiver()
      const partner = yield* receiver()
      const toLedger = yield* telling(ledger)
      const toBilling = yield* telling(billing)
      const seen: Array<boolean> = []
      const invoice = Stream.unwrap(
        Effect.map(toLedger.get(ledger.origin), ({ stream }) => stream).pipe(
          Effect.tap(Effect.map(Withheld, (withheld) => seen.push(withheld)))
        )
      )
      const send = (origin: string) =>
        Effect.flatMap(Effect.context<RunContext>(), (context) =>
          toBilling.put(origin, { body: HttpBody.stream(Stream.provideContext(invoice, context)) })
        )
      yield* inRun(Effect.forEach([billing.origin, partner.origin], send))
      expect([...billing.received, ...partner.received].map(({ body }) => body)).toEqual(["an invoice", "an invoice"])
      expect(seen).toEqual([false, false])
      expect([ledger, billing, partner].map(baggageOf)).toEqual([[leanHeader, leanHeader], [leanHeader], [undefined]])
    })
  )

  test(
    "tells of the run that each attempt is sent for",
    Effect.gen(function* () {
      const billing: Receiver = yield* receiver((response) =>
        response.writeHead(billing.received.length % 2 === 1 ? 503 : 200).end()
      )
      const client = HttpClient.retry(HttpClient.filterStatusOk(yield* telling(billing)), { times: 1 })
      const runs: Array<string> = []
      yield* Effect.flatMap(RunContext, ({ runId }) => {
        runs.push(runId)
        return Effect.zipRight(client.get(billing.origin), runs.length === 1 ? Effect.fail("again") : Effect.void)
      }).pipe(Botanu.workflow("W", { ...ids, retry: Schedule.recurs(1) }))
      const told = yield* Effect.forEach(billing.received, ({ rawHeaders }) =>
        Propagation.extract(
          Object.fromEntries(
            Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i], rawHeaders[2 * i + 1]])
          )
        )
      )
      expect(runs).toHaveLength(2)
      expect(told.map(Option.map(({ runId }) => String(runId)))).toEqual(
        [runs[0], runs[0], runs[1], runs[1]].map(Option.some)
      )
    })
  )

  test(
    "says cancelled in the finalizers of a run that is being cancelled",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const client = yield* telling(billing)
      const started = yield* Deferred.make<void>()
      const call = Effect.orDie(client.post(billing.origin))
      const work = call.pipe(
        Effect.zipRight(Deferred.succeed(started, undefined)),
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => call)
      )
      const fiber = yield* Effect.fork(Botanu.workflow(work, "W", ids))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      expect(baggageOf(billing).map((baggage) => baggage?.includes("botanu.cancelled=true"))).toEqual([false, true])
    }).pipe(Effect.provide(full))
  )

  test(
    "lets go of a request that is interrupted",
    Effect.gen(function* () {
      const { arrived, gone, origin } = yield* silent
      const client = yield* telling({ origin })
      const fiber = yield* Effect.fork(inRun(client.get(origin)))
      yield* arrived
      yield* Fiber.interrupt(fiber)
      yield* gone
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
    })
  )

  test(
    "lets go of a response when the scope of its client is closed",
    Effect.gen(function* () {
      const base = yield* HttpClient.HttpClient
      const withId = HttpClient.mapRequest(HttpClientRequest.setHeader("x-id", "1"))
      const made = [
        (tell: typeof withId) => base.pipe(tell, HttpClient.withScope),
        (tell: typeof withId) => base.pipe(tell, withId, HttpClient.withScope),
        (tell: typeof withId) => base.pipe(HttpClient.withScope, tell)
      ]
      for (const make of made) {
        const gone = yield* Deferred.make<void>()
        const billing = yield* receiver((response) => {
          response.write("first")
          response.on("close", () => Deferred.unsafeDone(gone, Effect.void))
        })
        const scope = yield* Scope.make()
        const client = make(RunHttpClient.propagateTo([billing.origin]))
        yield* inRun(client.get(billing.origin)).pipe(Scope.extend(scope))
        expect(yield* Deferred.isDone(gone)).toBe(false)
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.await(gone)
        expect(baggageOf(billing)).toEqual([leanHeader])
      }
    })
  )

  test(
    "streams a body out, and an answer in as it comes",
    Effect.gen(function* () {
      const more = yield* Deferred.make<void>()
      const billing = yield* receiver((response) => {
        response.write("first ")
        Effect.runFork(
          Effect.zipRight(
            Deferred.await(more),
            Effect.sync(() => response.end("second"))
          )
        )
      })
      const client = yield* telling(billing)
      const body = HttpBody.stream(Stream.encodeText(Stream.make("a ", "body")))
      const parts = yield* inRun(client.post(billing.origin, { body })).pipe(
        HttpClientResponse.stream,
        Stream.decodeText(),
        Stream.tap((part) => (part === "first " ? Deferred.succeed(more, undefined) : Effect.void)),
        Stream.runCollect
      )
      expect(Chunk.join(parts, "")).toBe("first second")
      expect(billing.received.map(({ body, method }) => [method, body])).toEqual([["POST", "a body"]])
      expect(baggageOf(billing)).toEqual([leanHeader])
    })
  )

  test(
    "goes together with the platform's own transformations, in any order",
    Effect.gen(function* () {
      const billing: Receiver = yield* receiver((response) =>
        response.writeHead(billing.received.length % 2 === 1 ? 503 : 404).end()
      )
      const tell = RunHttpClient.propagateTo([billing.origin])
      const toBilling = HttpClient.mapRequest(HttpClientRequest.prependUrl(billing.origin))
      const base = yield* HttpClient.HttpClient
      const made = [
        base.pipe(toBilling, HttpClient.retryTransient({ times: 1 }), HttpClient.filterStatusOk, tell),
        base.pipe(tell, toBilling, HttpClient.retryTransient({ times: 1 }), HttpClient.filterStatusOk)
      ]
      for (const client of made) {
        const exit = yield* Effect.exit(inRun(client.get("/charges")))
        expect(Exit.mapError(exit, (error) => error._tag === "ResponseError" && error.response.status)).toEqual(
          Exit.fail(404)
        )
      }
      expect(billing.received.map(({ path }) => path)).toEqual(Array(4).fill("/charges"))
      expect(baggageOf(billing)).toEqual([leanHeader, leanHeader, leanHeader, leanHeader])
    })
  )

  test(
    "lets the client refuse a URL that is none",
    Effect.gen(function* () {
      const client = yield* telling({ origin: "https://billing.internal" })
      const error = yield* Effect.flip(inRun(client.get("/charges")))
      expect(error).toMatchObject({ _tag: "RequestError", reason: "InvalidUrl" })
    })
  )

  it.scoped("puts the text of the header on no span", () =>
    Effect.gen(function* () {
      const billing = yield* receiver((response) => response.writeHead(200, { baggage: "d=4" }).end())
      const partner = yield* receiver()
      const client = yield* telling(billing)
      const headers = { baggage: "botanu.customer_id=other,secret=1", authorization: "Bearer secret" }
      yield* inRun(Effect.all([client.get(billing.origin, { headers }), client.get(partner.origin, { headers })]))
      const spans = yield* endedSpans
      expect(spans).toHaveLength(2)
      for (const { attributes } of spans) {
        expect(attributes["http.request.header.baggage"]).toBe("<redacted>")
        expect(attributes["http.request.header.authorization"]).toBe("<redacted>")
        expect(attributes["http.response.header.baggage"] ?? "<redacted>").toBe("<redacted>")
        expect(Object.values(attributes).join()).not.toMatch(/secret|botanu\.|d=4/)
      }
      expect(baggageOf(billing)).toEqual([`${leanHeader},secret=1`])
    }).pipe(Effect.provide(clientLayer), Effect.provide(observed))
  )
})

describe("a client of fetch, which follows redirects by itself,", () => {
  const test = <A, E>(title: string, body: Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
    it.scoped(title, () => Effect.provide(body, FetchHttpClient.layer))

  test(
    "is checked at each of them",
    Effect.gen(function* () {
      const partner: Receiver = yield* receiver(redirect(302, () => `${ledger.origin}/3`))
      const ledger: Receiver = yield* receiver(redirect(307, () => `${billing.origin}/4`))
      const billing: Receiver = yield* receiver((response, request) => {
        if (request.url === "/4") response.end("done")
        else redirect(301, () => (request.url === "/1" ? "/2" : `${partner.origin}/`))(response, request)
      })
      const client = yield* telling(billing, ledger)
      const headers = { baggage: "a=1,botanu.run_id=x" }
      const response = yield* inRun(client.get(`${billing.origin}/1`, { headers }))
      expect([response.status, yield* response.text]).toEqual([200, "done"])
      const told = `${leanHeader},a=1`
      expect([billing, partner, ledger].map(baggageOf)).toEqual([[told, told, told], ["a=1"], [told]])
    })
  )

  test(
    "is told nothing on the way back from an origin that is not told",
    Effect.gen(function* () {
      const billing = yield* receiver()
      const partner = yield* receiver(redirect(302, () => billing.origin))
      yield* inRun((yield* telling(billing)).get(partner.origin))
      expect([billing, partner].map(baggageOf)).toEqual([[undefined], [undefined]])
    })
  )

  test(
    "is checked below scopes, and without a tracer",
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver(redirect(302, () => partner.origin))
      const tell = RunHttpClient.propagateTo([billing.origin])
      const base = yield* HttpClient.HttpClient
      const made = [
        base.pipe(HttpClient.withScope, tell),
        base.pipe(
          HttpClient.withTracerDisabledWhen(() => true),
          tell
        ),
        base.pipe(HttpClient.retryTransient({ times: 1 }), tell, HttpClient.withScope)
      ]
      for (const client of made) yield* inRun(client.get(billing.origin))
      yield* Effect.withTracerEnabled(inRun(tell(base).get(billing.origin)), false)
      expect([billing, partner].map(baggageOf)).toEqual([Array(4).fill(leanHeader), Array(4).fill(undefined)])
    })
  )

  test(
    "is checked by every client that tells",
    Effect.gen(function* () {
      const both = yield* receiver()
      const outer = yield* receiver(redirect(302, () => both.origin))
      const inner = yield* receiver(redirect(302, () => outer.origin))
      const start: Receiver = yield* receiver(redirect(302, () => inner.origin))
      const client = (yield* telling(start, both, inner)).pipe(
        RunHttpClient.propagateTo([start.origin, both.origin, outer.origin])
      )
      yield* inRun(client.get(start.origin))
      expect([start, inner, outer, both].map(baggageOf)).toEqual([[leanHeader], [undefined], [undefined], [leanHeader]])
    })
  )

  const methods: ReadonlyArray<HttpMethod.HttpMethod> = ["GET", "HEAD", "POST", "PUT", "DELETE"]
  const requestTo = (method: HttpMethod.HttpMethod, url: string) => {
    const headers = { authorization: "Bearer secret", cookie: "session=1", "x-own": "1", "content-language": "en" }
    const request = HttpClientRequest.make(method)(url, { headers })
    // Not bytes: those the `fetch` of Node 20 fails to send again.
    const body = HttpBody.raw("a body", { contentType: "text/plain", contentLength: 6 })
    return method === "GET" || method === "HEAD" ? request : HttpClientRequest.setBody(request, body)
  }
  const comparable = ({ body, method, path, rawHeaders }: Received) => {
    const lines = Array.from({ length: rawHeaders.length / 2 }, (_, line) => rawHeaders.slice(2 * line, 2 * line + 2))
    const headers = lines.filter(([name]) => !/^(baggage|traceparent|b3)$/i.test(name ?? ""))
    return { body, method, path, headers: headers.map((line) => line.join(": ").toLowerCase()).sort() }
  }
  const answerOf = (effect: Effect.Effect<HttpClientResponse.HttpClientResponse, unknown>) =>
    Effect.exit(Effect.flatMap(effect, ({ status, text }) => Effect.map(text, (text) => ({ status, text }))))

  for (const isSameOrigin of [true, false]) {
    test(
      `sends what fetch would have sent, to ${isSameOrigin ? "the same" : "another"} origin`,
      Effect.gen(function* () {
        const target = yield* receiver((response) => response.end("here"))
        const statuses = [300, 301, 302, 303, 304, 307, 308]
        const start: Receiver = yield* receiver((response, request) => {
          const [, status, place] = request.url?.split("/") ?? []
          if (place?.startsWith("here")) response.end("here")
          else
            redirect(Number(status), () => `${(isSameOrigin ? start : target).origin}/0/here?x=1#y`)(response, request)
        })
        const plain = yield* HttpClient.HttpClient
        const telling = RunHttpClient.propagateTo(plain, [start.origin])
        for (const status of statuses) {
          for (const method of methods) {
            const request = requestTo(method, `${start.origin}/${status}`)
            const before = [start, target].map(({ received }) => received.length)
            const natively = yield* answerOf(plain.execute(request))
            const between = [start, target].map(({ received }) => received.length)
            const answer = yield* answerOf(inRun(telling.execute(request)))
            expect(answer).toEqual(natively)
            for (const [index, { received }] of [start, target].entries()) {
              expect(received.slice(between[index]).map(comparable)).toEqual(
                received.slice(before[index], between[index]).map(comparable)
              )
            }
          }
        }
        const redirected = (isSameOrigin ? start : target).received.filter(({ path }) => path === "/0/here?x=1")
        expect(redirected).toHaveLength(2 * methods.length * 5)
        expect(target.received.flatMap((request) => linesOf("baggage", request))).toEqual([])
      })
    )
  }

  test(
    "ends as fetch does",
    Effect.gen(function* () {
      const start: Receiver = yield* receiver((response, { url }) => {
        const locations: Record<string, () => void> = {
          "/none": () => response.writeHead(302).end("none"),
          "/invalid": () => response.writeHead(302, { location: "http://[" }).end(),
          "/scheme": () => response.writeHead(302, { location: "data:text/plain,x" }).end(),
          "/user": () => response.writeHead(302, { location: `http://user@127.0.0.1:${start.port}/here` }).end(),
          "/relative": () => response.writeHead(302, { location: "../here?x=%C3%A9#y" }).end(),
          "/bytes": () => response.writeHead(302, { location: Buffer.from("/hére").toString("latin1") }).end(),
          "/loop": () => response.writeHead(302, { location: "/loop" }).end(),
          "/stream": () => response.writeHead(307, { location: "/here" }).end(),
          "/stream301": () => response.writeHead(301, { location: "/here" }).end(),
          "/stream303": () => response.writeHead(303, { location: "/here" }).end()
        }
        const act = locations[url ?? ""] ?? (() => response.end("here"))
        act()
      })
      const plain = yield* HttpClient.HttpClient
      const telling = RunHttpClient.propagateTo(plain, [start.origin])
      const stream = HttpBody.stream(Stream.encodeText(Stream.make("a ", "body")))
      const paths = ["none", "invalid", "scheme", "user", "relative", "bytes", "loop"]
      const requests = [
        ...paths.map((path) => HttpClientRequest.get(`${start.origin}/${path}`)),
        ...["stream", "stream301", "stream303"].map((path) =>
          HttpClientRequest.post(`${start.origin}/${path}`, { body: stream })
        ),
        HttpClientRequest.bodyFormDataRecord(HttpClientRequest.post(`${start.origin}/stream`), { a: "1" })
      ]
      for (const request of requests) {
        const before = start.received.length
        const natively = yield* answerOf(plain.execute(request))
        const between = start.received.length
        const answer = yield* answerOf(inRun(telling.execute(request)))
        const seen = start.received.slice(between).map(({ method, path }) => [method, path])
        expect(seen).toEqual(start.received.slice(before, between).map(({ method, path }) => [method, path]))
        const errorsOf = Exit.mapError((error: unknown) => {
          const { _tag, reason } = error as { readonly _tag: string; readonly reason: string }
          return [_tag, reason]
        })
        expect(errorsOf(answer)).toEqual(errorsOf(natively))
        expect(start.received.slice(between).flatMap((request) => linesOf("baggage", request))).toEqual(
          seen.map(() => leanHeader)
        )
      }
    })
  )

  test(
    "sends bytes again where they are asked for again",
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver(redirect(307, () => partner.origin))
      const request = HttpClientRequest.bodyText(HttpClientRequest.post(billing.origin), "a body")
      yield* inRun((yield* telling(billing)).execute(request))
      expect(partner.received.map(({ body, method }) => [method, body])).toEqual([["POST", "a body"]])
    })
  )

  test(
    "fails in a browser, which does not show where a redirect leads",
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver(redirect(302, () => partner.origin))
      const asInBrowser: typeof globalThis.fetch = async (input, init) => {
        const response = await globalThis.fetch(input, init)
        return init?.redirect === "manual" && response.status === 302
          ? Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" })
          : response
      }
      const get = inRun((yield* telling(billing)).get(billing.origin))
      const error = yield* Effect.flip(Effect.provideService(get, FetchHttpClient.Fetch, asInBrowser))
      expect(error).toMatchObject({ _tag: "RequestError", reason: "Transport" })
      expect([billing, partner].map(baggageOf)).toEqual([[leanHeader], []])
    })
  )

  test(
    "follows no redirect where its user says so",
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver(redirect(302, () => partner.origin))
      const get = inRun((yield* telling(billing)).get(billing.origin))
      const withRedirect = (redirect: RequestRedirect) =>
        Effect.provideService(get, FetchHttpClient.RequestInit, { redirect })
      expect((yield* withRedirect("manual")).status).toBe(302)
      expect((yield* Effect.flip(withRedirect("error")))._tag).toBe("RequestError")
      expect([billing, partner].map(baggageOf)).toEqual([[leanHeader, leanHeader], []])
      expect((yield* withRedirect("follow")).status).toBe(204)
      expect(baggageOf(partner)).toEqual([undefined])
    })
  )

  test(
    "gives up its connection to the origin that sent it on, and the one that it is at when interrupted",
    Effect.gen(function* () {
      const { arrived, gone, origin } = yield* silent
      const left = yield* Deferred.make<void>()
      const billing = yield* receiver((response) => {
        response.writeHead(302, { location: origin }).write("without an end")
        response.on("close", () => Deferred.unsafeDone(left, Effect.void))
      })
      const fiber = yield* Effect.fork(inRun((yield* telling(billing)).get(billing.origin)))
      yield* arrived
      yield* Deferred.await(left)
      yield* Fiber.interrupt(fiber)
      yield* gone
    })
  )

  it.scoped("calls the fetch that it was given, in its layer or around a request, and withholds the run there", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      const billing = yield* receiver(redirect(302, () => partner.origin))
      const seen: Array<ReadonlyArray<unknown>> = []
      const recording =
        (name: string): typeof globalThis.fetch =>
        (input, init) => {
          const fiber = Option.getOrThrow(Fiber.getCurrentFiber())
          const { origin } = new URL(String(input))
          seen.push([
            name,
            origin === partner.origin,
            Context.get(fiber.currentContext, Withheld),
            fiber.currentSpan?._tag === "Span" && fiber.currentSpan.name
          ])
          return globalThis.fetch(input, init)
        }
      const inLayer = FetchHttpClient.layer.pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.Fetch, recording("layer"))),
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { headers: { "x-own": "1" } }))
      )
      const get = Effect.flatMap(telling(billing), (client) => inRun(client.get(billing.origin)))
      yield* Effect.provide(get, inLayer)
      yield* Effect.provideService(get, FetchHttpClient.Fetch, recording("call")).pipe(Effect.provide(inLayer))
      const layered = Effect.flatMap(HttpClient.HttpClient, (client) => inRun(client.get(billing.origin)))
      yield* Effect.provide(
        layered,
        RunHttpClient.layer({ propagateTo: [billing.origin] }).pipe(Layer.provide(inLayer))
      )
      expect(seen).toEqual(
        ["layer", "call", "layer"].flatMap((name) => [
          [name, false, false, "http.client GET"],
          [name, true, true, "http.client GET"]
        ])
      )
      expect(partner.received.flatMap((request) => linesOf("x-own", request))).toEqual(["1", "1", "1"])
      expect(partner.received.flatMap((request) => linesOf("baggage", request))).toEqual([])
    })
  )
})

describe("a client that RunAi observes", () => {
  it.scoped("keeps the fetch that was given to its layer", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      const provider = yield* receiver(redirect(307, () => partner.origin))
      const proxied: Array<string> = []
      const proxy: typeof globalThis.fetch = (input, init) => {
        proxied.push(new URL(String(input)).origin)
        return globalThis.fetch(input, init)
      }
      const inLayer = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, proxy))
      const call = Effect.gen(function* () {
        const client = (yield* HttpClient.HttpClient).pipe(
          RunAi.observe,
          RunAi.observe,
          RunHttpClient.propagateTo([provider.origin, partner.origin]),
          RunHttpClient.propagateTo([provider.origin])
        )
        yield* Effect.scoped(client.get(provider.origin))
      })
      yield* Effect.provide(inRun(call), inLayer)
      expect(proxied).toEqual([provider.origin, partner.origin])
      expect([baggageOf(provider), baggageOf(partner)]).toEqual([[leanHeader], [undefined]])
    })
  )
})

describe("a list of origins", () => {
  it("that is wrong is refused as soon as a program says it", () => {
    expect(() => RunHttpClient.propagateTo(["https://billing.internal", "billing.internal"])).toThrowError(
      new RunHttpClient.InvalidOrigin({
        entry: "billing.internal",
        expected: '"https://" or "http://", and then the host'
      })
    )
  })

  it.effect("that is wrong fails a layer", () =>
    Effect.gen(function* () {
      const layer = RunHttpClient.layer({ propagateTo: ["https://billing.internal/api"] })
      const error = yield* Effect.flip(Layer.build(Layer.provide(layer, FetchHttpClient.layer)))
      expect(error).toBeInstanceOf(RunHttpClient.InvalidOrigin)
      expect(error.entry).toBe("https://billing.internal/api")
    }).pipe(Effect.scoped)
  )

  it.scoped("that is empty tells nobody", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      yield* inRun((yield* telling()).get(partner.origin, { headers: { baggage: "botanu.run_id=1" } }))
      expect(baggageOf(partner)).toEqual([undefined])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

describe("a URL that names one origin and leads to another", () => {
  it.scoped.each([
    ["userinfo", (told: Receiver, evil: Receiver) => `http://127.0.0.1:${told.port}@localhost:${evil.port}/`],
    [
      "userinfo with an escape",
      (told: Receiver, evil: Receiver) => `http://127.0.0.1%3A${told.port}@localhost:${evil.port}/`
    ],
    ["a backslash", (told: Receiver, evil: Receiver) => `http://localhost:${evil.port}\\@127.0.0.1:${told.port}/`],
    ["its path", (told: Receiver, evil: Receiver) => `http://localhost:${evil.port}/@127.0.0.1:${told.port}`],
    ["its query", (told: Receiver, evil: Receiver) => `http://localhost:${evil.port}?@127.0.0.1:${told.port}`],
    ["another port", (_: Receiver, evil: Receiver) => `http://127.0.0.1:${evil.port}/`]
  ] as const)("tells nobody, by %s", ([, url]) =>
    Effect.gen(function* () {
      const told = yield* receiver()
      const evil = yield* receiver()
      const client = yield* telling(told)
      yield* inRun(client.get(url(told, evil)))
      expect(baggageOf(evil)).toEqual([undefined])
      expect(told.received).toEqual([])
    }).pipe(Effect.provide(NodeHttpClient.layer))
  )

  it.scoped("tells an origin however its address is written", () =>
    Effect.gen(function* () {
      const told = yield* receiver()
      const client = yield* telling(told)
      const urls = ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1."].map(
        (host) => `http://user:secret@${host}:${told.port}/`
      )
      yield* inRun(Effect.forEach(urls, (url) => client.get(url)))
      expect(baggageOf(told)).toEqual(urls.map(() => leanHeader))
    }).pipe(Effect.provide(NodeHttpClient.layer))
  )
})
