/**
 * A receiver of OTLP over HTTP on loopback, for all signals, in protobuf and in JSON.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { Effect, type Scope } from "effect"
import definitions from "opentelemetry-proto/build/src/generated/root.js"

/** A span, a metric or a log record as it was received. */
export interface Item {
  readonly path: string
  readonly contentType: string
  readonly headers: NodeJS.Dict<string | ReadonlyArray<string>>
  readonly resource: Readonly<Record<string, unknown>>
  /** The instrumentation that made it. */
  readonly scope: string
  /** The name of a span or a metric, or the text of a log record. */
  readonly name: string
  readonly traceId: string
  /** Those of a metric are of all its points. */
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Receiver {
  readonly origin: string
  /** What has come so far. */
  readonly items: Array<Item>
  /** How requests are answered. */
  status: number
  /** Whether they are answered at all. */
  answers: boolean
}

/** Receives for as long as the scope is open. */
export const receiver: Effect.Effect<Receiver, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<Receiver & { readonly close: () => void }>((resume) => {
    const server = createServer((request, response) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => {
        const contentType = request.headers["content-type"] ?? ""
        const path = request.url ?? ""
        const isCompressed = request.headers["content-encoding"] === "gzip"
        const body = isCompressed ? gunzipSync(Buffer.concat(parts)) : Buffer.concat(parts)
        const { headers } = request
        received.items.push(
          ...itemsOf(path, contentType, body).map((item) => ({ path, contentType, headers, ...item }))
        )
        if (received.answers) response.writeHead(received.status, { "content-type": contentType }).end()
      })
    })
    const received = {
      origin: "",
      items: [] as Array<Item>,
      status: 200,
      answers: true,
      close: () => {
        server.close()
        server.closeAllConnections()
      }
    }
    server.listen(0, "127.0.0.1", () => {
      received.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      resume(Effect.succeed(received))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const { logs, metrics, trace } = definitions.opentelemetry.proto.collector

const decoders: Readonly<Record<string, (body: Uint8Array) => object>> = {
  "/v1/traces": (body) => trace.v1.ExportTraceServiceRequest.decode(body),
  "/v1/metrics": (body) => metrics.v1.ExportMetricsServiceRequest.decode(body),
  "/v1/logs": (body) => logs.v1.ExportLogsServiceRequest.decode(body)
}

/** The parts of OTLP's messages that are read here. */
interface Message {
  readonly resourceSpans?: ReadonlyArray<OfResource>
  readonly resourceMetrics?: ReadonlyArray<OfResource>
  readonly resourceLogs?: ReadonlyArray<OfResource>
}

interface OfResource {
  readonly resource?: { readonly attributes?: ReadonlyArray<KeyValue> }
  readonly scopeSpans?: ReadonlyArray<OfScope>
  readonly scopeMetrics?: ReadonlyArray<OfScope>
  readonly scopeLogs?: ReadonlyArray<OfScope>
}

interface OfScope {
  readonly scope?: { readonly name?: string }
  readonly spans?: ReadonlyArray<Entry>
  readonly metrics?: ReadonlyArray<Entry>
  readonly logRecords?: ReadonlyArray<Entry>
}

interface Points {
  readonly dataPoints?: ReadonlyArray<{ readonly attributes?: ReadonlyArray<KeyValue> }>
}

interface Entry {
  readonly name?: string
  readonly body?: Value
  readonly traceId?: Uint8Array | string
  readonly attributes?: ReadonlyArray<KeyValue>
  readonly sum?: Points
  readonly gauge?: Points
  readonly histogram?: Points
}

interface Value {
  readonly stringValue?: string
  readonly intValue?: unknown
  readonly doubleValue?: number
  readonly boolValue?: boolean
}

interface KeyValue {
  readonly key: string
  readonly value?: Value
}

const itemsOf = (path: string, contentType: string, body: Buffer) => {
  const message: Message =
    contentType === "application/json" ? JSON.parse(body.toString()) : (decoders[path]?.(body) ?? {})
  const ofResources = [
    ...(message.resourceSpans ?? []),
    ...(message.resourceMetrics ?? []),
    ...(message.resourceLogs ?? [])
  ]
  return ofResources.flatMap(({ resource, scopeLogs = [], scopeMetrics = [], scopeSpans = [] }) =>
    [...scopeSpans, ...scopeMetrics, ...scopeLogs].flatMap(({ logRecords = [], metrics = [], scope, spans = [] }) =>
      [...spans, ...metrics, ...logRecords].map((entry) => ({
        resource: recordOf(resource?.attributes),
        scope: scope?.name ?? "",
        name: entry.name ?? String(valueOf(entry.body)),
        traceId: typeof entry.traceId === "string" ? entry.traceId : Buffer.from(entry.traceId ?? []).toString("hex"),
        attributes: recordOf([
          ...(entry.attributes ?? []),
          ...[entry.sum, entry.gauge, entry.histogram].flatMap(
            (points) => points?.dataPoints?.flatMap(({ attributes = [] }) => attributes) ?? []
          )
        ])
      }))
    )
  )
}

const valueOf = (value: Value | undefined): unknown =>
  value?.stringValue ?? value?.boolValue ?? value?.doubleValue ?? value?.intValue

const recordOf = (attributes: ReadonlyArray<KeyValue> = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))
