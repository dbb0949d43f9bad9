/**
 * The ways in which requests may meet the edge of a server.
 */
import type { HttpServer } from "@effect/platform"
import { Effect, type Layer } from "effect"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import type { App } from "./apps.js"
import { joinedByHand, runByHand, runByHandInFiber } from "./floor.js"

export interface Edge {
  readonly name: string
  /** What requests bring. */
  readonly headers: Readonly<Record<string, string>>
  /** The most CPU time of a request that is aimed at, as a multiple of that without the middleware. */
  readonly cpuAim?: number
  /** Whether this is no edge, but something to compare edges with. It has no aims. */
  readonly isReference?: true
  readonly served: (app: App) => Layer.Layer<HttpServer.HttpServer>
}

/** As a client in a run sends it, in lean mode. */
const inRun = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  baggage:
    "botanu.run_id=01935a2c-7b1e-7c3a-9d4f-5e6a7b8c9d0e,botanu.workflow=Customer%20Support," +
    "botanu.event_id=ticket-4711,botanu.customer_id=bigretail"
}

/** The server without the middleware. */
export const without = (app: App): Layer.Layer<HttpServer.HttpServer> => app.served((app) => app)

const asRun = RunHttpServer.middleware({
  inbound: "untrusted",
  orElse: () => ({ workflow: "Customer Support", eventId: "ticket-4711", customerId: "bigretail" })
})

export const edges: Readonly<Record<string, Edge>> = {
  trusted: {
    name: "run, trusted",
    headers: inRun,
    served: (app) => app.served(RunHttpServer.middleware({ inbound: "trusted" }), app.besideRuns)
  },
  untrusted: {
    name: "run, untrusted",
    headers: inRun,
    served: (app) =>
      app
        .served(RunHttpServer.middleware({ inbound: "untrusted" }), app.besideRuns)
        .pipe(RunHttpServer.withLinkedTraces)
  },
  asRun: {
    name: "no run, so a run of its own",
    headers: {},
    cpuAim: 1.25,
    served: (app) => app.served((app) => Effect.orDie(asRun(app)), app.besideRuns)
  },
  joinedByHand: {
    name: "no middleware, but a trusted run joined by hand",
    headers: inRun,
    isReference: true,
    served: (app) => app.served(joinedByHand)
  },
  byHand: {
    name: "no middleware, but the least of a run by hand",
    headers: {},
    isReference: true,
    served: (app) => app.served(runByHand)
  },
  byHandInFiber: {
    name: "no middleware, but the least of a run by hand, in the fiber of the request",
    headers: {},
    isReference: true,
    served: (app) => app.served(runByHandInFiber)
  },
  oneSpan: {
    name: "no middleware, but one more span",
    headers: {},
    isReference: true,
    served: (app) => app.served(Effect.withSpan("one more", { kind: "server", captureStackTrace: false }))
  }
}
