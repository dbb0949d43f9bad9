import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Cause, Effect, Option } from "effect"
import { logBatches, metricExports } from "../../src/opentelemetry/OtelVariables.js"
import { installed } from "../../src/opentelemetry/OtlpExporters.js"

afterEach(() => vi.unstubAllEnvs())

const stub = (variables: Readonly<Record<string, string>>) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
}

describe("batches of log records", () => {
  it("are as the variables say", () => {
    stub({
      OTEL_BLRP_SCHEDULE_DELAY: "1",
      OTEL_BLRP_EXPORT_TIMEOUT: "2",
      OTEL_BLRP_MAX_QUEUE_SIZE: "3",
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: "4"
    })
    expect(logBatches()).toEqual({
      scheduledDelayMillis: 1,
      exportTimeoutMillis: 2,
      maxQueueSize: 3,
      maxExportBatchSize: 4
    })
  })

  it("are as OpenTelemetry has them where a variable is not there, or no number above zero", () => {
    stub({ OTEL_BLRP_SCHEDULE_DELAY: "0", OTEL_BLRP_EXPORT_TIMEOUT: "-1", OTEL_BLRP_MAX_QUEUE_SIZE: "many" })
    expect(logBatches()).toEqual({})
  })
})

describe("exports of metrics", () => {
  it.each([
    ["1000", "200", { exportIntervalMillis: 1000, exportTimeoutMillis: 200 }],
    ["1000", "5000", { exportIntervalMillis: 1000, exportTimeoutMillis: 1000 }],
    ["1000", undefined, { exportIntervalMillis: 1000 }],
    [undefined, "200", { exportTimeoutMillis: 200 }],
    [undefined, "60000", { exportTimeoutMillis: 60_000 }],
    [undefined, "60001", {}],
    [undefined, undefined, {}]
  ])("at an interval of %s and with a timeout of %s", (interval, timeout, expected) => {
    vi.stubEnv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    vi.stubEnv("OTEL_METRIC_EXPORT_TIMEOUT", timeout)
    expect(metricExports()).toEqual(expected)
  })
})

describe("what is loaded", () => {
  const missing = (name: string) =>
    Object.assign(new Error(`Cannot find package '${name}' imported from /app/main.js`), {
      code: "ERR_MODULE_NOT_FOUND"
    })

  it.effect("fails by the name of a package that is not installed", () =>
    Effect.gen(function* () {
      const name = "@opentelemetry/exporter-logs-otlp-http"
      const error = yield* Effect.flip(installed(() => Promise.reject(missing(`${name}/build/index.js`))))
      expect(error).toMatchObject({ _tag: "SetupError", field: name })
      expect(error.message).toBe(`${name}: expected the package to be installed`)
    })
  )

  it.effect.each([
    new Error("Cannot find package '@opentelemetry/core'"),
    Object.assign(new Error("broken"), { code: "ERR_MODULE_NOT_FOUND" })
  ])("dies of anything else: %s", (cause) =>
    Effect.gen(function* () {
      const died = yield* Effect.flip(Effect.sandbox(installed(() => Promise.reject(cause))))
      expect(Cause.dieOption(died)).toEqual(Option.some(cause))
    })
  )
})
