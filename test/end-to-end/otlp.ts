/**
 * A receiver of OTLP over HTTP on loopback, which decodes what it gets with OpenTelemetry's own protobuf definitions.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"
import definitions from "opentelemetry-proto/build/src/generated/root.js"

/** A span as it was received. */
export interface ReceivedSpan {
  readonly service: string
  /** The instrumentation that made it. */
  readonly scope: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: ReadonlyArray<string>
  readonly links: ReadonlyArray<string>
}

/** Where to send to, and what has come so far. */
export interface Receiver {
  readonly origin: string
  readonly spans: ReadonlyArray<ReceivedSpan>
}

/** Receives for as long as the scope is open. */
export const receiver: Effect.Effect<Receiver, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<Receiver & { readonly close: () => void }>((resume) => {
    const spans: Array<ReceivedSpan> = []
    const server = createServer((request, response) => {
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => {
        const isProtobuf = request.headers["content-type"] === "application/x-protobuf"
        if (isProtobuf && request.url === "/v1/traces") spans.push(...decode(Buffer.concat(parts)))
        response.writeHead(isProtobuf ? 200 : 415, { "content-type": "application/x-protobuf" }).end()
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ origin: `http://127.0.0.1:${port}`, spans, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const { ExportTraceServiceRequest } = definitions.opentelemetry.proto.collector.trace.v1

const decode = (body: Uint8Array): ReadonlyArray<ReceivedSpan> =>
  ExportTraceServiceRequest.decode(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        service: String(recordOf(resource?.attributes ?? [])["service.name"]),
        scope: scope?.name ?? "",
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        name: span.name,
        attributes: recordOf(span.attributes),
        events: span.events.map(({ name }) => name),
        links: span.links.map(({ spanId }) => hex(spanId))
      }))
    )
  )

const hex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString("hex")

const recordOf = (attributes: ReadonlyArray<definitions.KeyValue>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value?.[value.value ?? "stringValue"]]))
