/**
 * What the edges of a user's program look like to the compiler, declarations included.
 */
import { LanguageModel } from "@effect/ai"
import { type HttpApp, HttpServer, HttpServerResponse } from "@effect/platform"
import { Rpc, RpcGroup } from "@effect/rpc"
import { Botanu, type RunCancelled } from "botanu-effect"
import { RunAi } from "botanu-effect/ai"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { RunHttpClient, RunHttpServer } from "botanu-effect/platform"
import { RunRpc } from "botanu-effect/rpc"
import { LedgerSql } from "botanu-effect/sql"
import { Effect, Layer, Schema } from "effect"

const app: HttpApp.Default = Effect.succeed(HttpServerResponse.text("ok"))

export const middleware = RunHttpServer.middleware({
  inbound: (request) => Effect.succeed(request.headers["authorization"] !== undefined),
  orElse: (request) => ({ workflow: "Request", eventId: request.url, customerId: "acme" })
})
export const server = RunHttpServer.withLinkedTraces(HttpServer.serve(middleware(app)))
export const client = RunHttpClient.layer({ propagateTo: ["https://billing.internal"] })
export const told = RunHttpClient.propagateTo([])

export class Procedures extends RpcGroup.make(Rpc.make("Answer", { success: Schema.String })).middleware(
  RunRpc.Middleware
) {}
export const rpc = Layer.merge(
  RunRpc.layerServer({ inbound: "untrusted" }),
  RunRpc.layerClient({ outbound: "propagate" })
)

export const openTelemetry = RunOpenTelemetry.layer({ propagateTo: [] })
export const processor = new RunContextSpanProcessor({ inbound: "trusted" })
export const joined = Effect.flatMap(RunOpenTelemetry.activeRun, (run) => Botanu.resume(Effect.void, run))

export const replied = LanguageModel.generateText({ prompt: "hello" }).pipe(Effect.provide(RunAi.layer))

export const migrated = LedgerSql.migrate({ schema: "costs" })

export const cancelled = (error: RunCancelled) => error.message
