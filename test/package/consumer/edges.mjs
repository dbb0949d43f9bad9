import { RunAi } from "botanu-effect/ai"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { RunHttpClient, RunHttpServer } from "botanu-effect/platform"
import { Summary } from "botanu-effect/report"
import { RunRpc } from "botanu-effect/rpc"
import { LedgerSql } from "botanu-effect/sql"

for (const [name, value] of Object.entries({
  RunContextSpanProcessor,
  layer: RunOpenTelemetry.layer,
  middleware: RunHttpServer.middleware,
  tell: RunHttpClient.propagateTo,
  summary: Summary.of,
  migrate: LedgerSql.migrate,
  layerServer: RunRpc.layerServer,
  layerAi: RunAi.layer
})) {
  console.log(name, value === undefined ? "missing" : "there")
}
