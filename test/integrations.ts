/**
 * The entry points that lean on packages which not every program has, and these packages.
 */
export const integrations: Record<string, ReadonlyArray<string>> = {
  ledger: ["@effect/platform"],
  sql: ["@effect/platform", "@effect/sql"],
  platform: ["@effect/platform"],
  rpc: ["@effect/platform", "@effect/rpc"],
  opentelemetry: [
    "@effect/opentelemetry",
    "@opentelemetry/api",
    "@opentelemetry/context-async-hooks",
    "@opentelemetry/core",
    "@opentelemetry/exporter-logs-otlp-http",
    "@opentelemetry/exporter-logs-otlp-proto",
    "@opentelemetry/exporter-metrics-otlp-http",
    "@opentelemetry/exporter-metrics-otlp-proto",
    "@opentelemetry/exporter-trace-otlp-http",
    "@opentelemetry/exporter-trace-otlp-proto",
    "@opentelemetry/sdk-logs",
    "@opentelemetry/sdk-metrics",
    "@opentelemetry/sdk-trace-base"
  ],
  ai: ["@effect/ai", "@effect/platform"],
  workflow: ["@effect/workflow"],
  cluster: ["@effect/cluster", "@effect/platform", "@effect/rpc"]
}
