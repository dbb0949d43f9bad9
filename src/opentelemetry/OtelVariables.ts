/**
 * What the `OTEL_*` variables of the environment say about exporting. OpenTelemetry's own classes read the rest of them: endpoints,
 * headers, batches of spans, samplers and limits.
 */
import { getBooleanFromEnv, getNumberFromEnv, getStringFromEnv, getStringListFromEnv } from "@opentelemetry/core"
import { Either } from "effect"
import { quote } from "../schema/FieldText.js"
import { SetupError } from "./SetupError.js"

/** What OpenTelemetry exports. */
export type Signal = "traces" | "metrics" | "logs"

/** Where one signal goes. */
export type Destination = "http/protobuf" | "http/json" | "console"

/** The destinations of each signal; none for a signal that is not exported. */
export type Destinations = Readonly<Record<Signal, ReadonlyArray<Destination>>>

/** The destinations that the variables name. */
export const destinations = (): Either.Either<Destinations, SetupError> => {
  if (getBooleanFromEnv("OTEL_SDK_DISABLED")) return Either.right({ traces: [], metrics: [], logs: [] })
  return Either.all({
    traces: destinationsOf("traces"),
    metrics: destinationsOf("metrics"),
    logs: destinationsOf("logs")
  })
}

const destinationsOf = (signal: Signal): Either.Either<ReadonlyArray<Destination>, SetupError> => {
  const name = `OTEL_${signal.toUpperCase()}_EXPORTER`
  const exporters = new Set(getStringListFromEnv(name)?.map((exporter) => exporter.toLowerCase()) ?? ["otlp"])
  if (exporters.has("none")) return Either.right([])
  return Either.all(
    Array.from(exporters, (exporter): Either.Either<Destination, SetupError> => {
      if (exporter === "otlp") return protocolOf(signal)
      if (exporter === "console") return Either.right("console")
      return Either.left(
        new SetupError({ field: name, problem: `expected otlp, console or none, found ${quote(exporter)}` })
      )
    })
  )
}

const protocolOf = (signal: Signal): Either.Either<Destination, SetupError> => {
  const own = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`
  const name = getStringFromEnv(own) === undefined ? "OTEL_EXPORTER_OTLP_PROTOCOL" : own
  const protocol = (getStringFromEnv(name) ?? "http/protobuf").toLowerCase()
  if (protocol === "http/protobuf" || protocol === "http/json") return Either.right(protocol)
  const problem = `expected http/protobuf or http/json, found ${quote(protocol)}`
  return Either.left(new SetupError({ field: name, problem }))
}

/** How log records are sent in batches; what is left open has OpenTelemetry's default. */
export const logBatches = () =>
  known({
    scheduledDelayMillis: getNumberFromEnv("OTEL_BLRP_SCHEDULE_DELAY"),
    exportTimeoutMillis: getNumberFromEnv("OTEL_BLRP_EXPORT_TIMEOUT"),
    maxQueueSize: getNumberFromEnv("OTEL_BLRP_MAX_QUEUE_SIZE"),
    maxExportBatchSize: getNumberFromEnv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE")
  })

/** How often metrics are sent; what is left open has OpenTelemetry's default. */
export const metricExports = () => {
  const exportIntervalMillis = getNumberFromEnv("OTEL_METRIC_EXPORT_INTERVAL")
  const exportTimeoutMillis = getNumberFromEnv("OTEL_METRIC_EXPORT_TIMEOUT")
  // OpenTelemetry's reader throws where the timeout is longer than the interval.
  const isTooLong = (exportTimeoutMillis ?? 0) > (exportIntervalMillis ?? defaultIntervalMillis)
  return known({ exportIntervalMillis, exportTimeoutMillis: isTooLong ? exportIntervalMillis : exportTimeoutMillis })
}

const defaultIntervalMillis = 60_000

/** The entries that have a value above zero. */
const known = <Key extends string>(values: Readonly<Record<Key, number | undefined>>): Partial<Record<Key, number>> =>
  Object.fromEntries(
    Object.entries<number | undefined>(values).filter(([, value]) => value !== undefined && value > 0)
  ) as Partial<Record<Key, number>>
