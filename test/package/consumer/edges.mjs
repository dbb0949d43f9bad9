import { RunAi } from "botanu-effect/ai"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { RunHttpClient, RunHttpServer } from "botanu-effect/platform"
import { RunRpc } from "botanu-effect/rpc"

for (const [name, value] of Object.entries({
  RunContextSpanProcessor,
  layer: RunOpenTelemetry.layer,
  middleware: RunHttpServer.middleware,
  tell: RunHttpClient.propagateTo,
  layerServer: RunRpc.layerServer,
  layerAi: RunAi.layer
})) {
  console.log(name, value === undefined ? "missing" : "there")
}
