/**
 * Requests whose customer has spent a budget of `Budget.layer`.
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApp,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Botanu, Budget, type RunContext, Usage } from "../../src/index.js"
import { RunHttpApi, RunHttpServer } from "../../src/platform/index.js"
import { completedRuns, observed } from "../observed.js"
import { ids } from "../runs.js"
import { type Answer, type NodeServer, request, serving } from "./servers.js"

const spend = Effect.orDie(Usage.record({ kind: "compute", provider: "fleet", operation: "render", usd: "0.60" }))

const budget = Budget.layer({ scope: "customer", usd: 1, per: "1 day" })

let customers = 0
/** Of a customer that has spent nothing yet. */
const freshIds = () => ({ ...ids, customerId: `customer-${++customers}` })

const optionsOf = (ids: Ids) => ({ inbound: "untrusted", orElse: () => ({ workflow: "Request", ...ids }) }) as const

type Ids = ReturnType<typeof freshIds>

class Desk extends HttpApi.make("desk")
  .add(HttpApiGroup.make("tickets").add(HttpApiEndpoint.get("open", "/").addSuccess(Schema.String)))
  .middleware(RunHttpApi.Middleware) {}

const answer = Effect.as(spend, HttpServerResponse.text("done"))

/** A server of an `HttpApi`. */
const serveDesk = (ids: Ids, open: Effect.Effect<string, never, RunContext>): Server =>
  HttpApiBuilder.serve().pipe(
    Layer.provide(HttpApiBuilder.api(Desk)),
    Layer.provide([
      HttpApiBuilder.group(Desk, "tickets", (handlers) => handlers.handle("open", () => open)),
      RunHttpApi.layer(optionsOf(ids))
    ])
  )

type Server = Layer.Layer<never, never, NodeServer>

const servers: Record<string, (ids: Ids) => Server> = {
  "an app whose requests are runs": (ids) =>
    HttpServer.serve(Effect.orDie(RunHttpServer.middleware(optionsOf(ids))(answer))),
  "an app behind two edges": (ids) =>
    HttpServer.serve(
      answer.pipe(
        RunHttpServer.middleware(optionsOf(ids)),
        RunHttpServer.middleware(optionsOf(freshIds())),
        Effect.orDie
      )
    ),
  "a route with a run inside": (ids) =>
    HttpServer.serve(
      HttpRouter.empty.pipe(
        HttpRouter.get("/", Botanu.workflow(answer, "Inside", ids)),
        RunHttpServer.middleware({ inbound: "untrusted" })
      )
    ),
  "a route with a run inside whose errors are defects": (ids) =>
    HttpServer.serve(
      HttpRouter.empty.pipe(
        HttpRouter.get("/", Effect.orDie(Botanu.workflow(answer, "Inside", ids))),
        RunHttpServer.middleware({ inbound: "untrusted" })
      )
    ),
  "an HttpApi whose requests are runs": (ids) => serveDesk(ids, Effect.as(spend, "done")),
  "an HttpApi with a run inside": (ids) =>
    serveDesk(freshIds(), Effect.orDie(Botanu.workflow(Effect.as(spend, "done"), "Inside", ids)))
}

const isTooMany = ({ headers, status }: Pick<Answer, "headers" | "status">) => {
  expect(status).toBe(429)
  const seconds = Number(headers["retry-after"])
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual(86_400)
}

describe("a request whose customer has spent a budget", () => {
  for (const [which, serverOf] of Object.entries(servers)) {
    it.scopedLive(`is answered 429 by ${which}`, () =>
      Effect.gen(function* () {
        const url = yield* serving(Layer.provide(serverOf(freshIds()), budget))
        expect((yield* request(url)).status).toBe(200)
        expect((yield* request(url)).status).toBe(200)
        const refused = yield* request(url)
        isTooMany(refused)
        expect(refused.text).toBe("")
        expect((yield* completedRuns).map(({ errorClass }) => errorClass)).toContain("BudgetExceeded")
      }).pipe(Effect.provide(observed))
    )
  }

  it.scopedLive("is answered 429 by a web handler", () =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      const handle = HttpApp.toWebHandlerRuntime(runtime)(RunHttpServer.middleware(optionsOf(freshIds()))(answer))
      const ask = Effect.promise(() => handle(new Request("http://localhost/")))
      expect((yield* Effect.zipRight(ask, ask)).status).toBe(200)
      const { headers, status } = yield* ask
      isTooMany({ headers: Object.fromEntries(headers), status })
      expect(headers.get("x-botanu-workflow")).toBe("Request")
    }).pipe(Effect.provide(Layer.provideMerge(budget, observed)))
  )

  it.scopedLive("is answered by Budget.catchExceeded where that is", () =>
    Effect.gen(function* () {
      const app = RunHttpServer.middleware(optionsOf(freshIds()))(answer).pipe(
        Budget.catchExceeded(({ scope }) => HttpServerResponse.text(`${scope} has spent it`, { status: 402 }))
      )
      const url = yield* serving(Layer.provide(HttpServer.serve(Effect.orDie(app)), budget))
      yield* Effect.zipRight(request(url), request(url))
      expect(yield* request(url)).toMatchObject({ status: 402, text: "customer has spent it" })
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("fails the request where it is the budget of a run", () =>
    Effect.gen(function* () {
      const dear = Botanu.workflow(answer, "Dear", {
        ...freshIds(),
        budget: { usd: 0.1, children: true, retries: true }
      })
      const app = RunHttpServer.middleware({ inbound: "untrusted" })(dear)
      expect((yield* request(yield* serving(HttpServer.serve(app)))).status).toBe(500)
    }).pipe(Effect.provide(observed))
  )
})
