/**
 * The part of OpenTelemetry's generated protobuf decoder that is used here; the package comes without types for it.
 */
declare module "opentelemetry-proto/build/src/generated/root.js" {
  namespace definitions {
    type ValueKind = "stringValue" | "boolValue" | "intValue" | "doubleValue"
    type AnyValue = { readonly [Kind in ValueKind]: unknown } & { readonly value?: ValueKind }
    interface KeyValue {
      readonly key: string
      readonly value: AnyValue | null
    }
    interface Span {
      readonly traceId: Uint8Array
      readonly spanId: Uint8Array
      readonly parentSpanId: Uint8Array | null
      readonly name: string
      readonly attributes: ReadonlyArray<KeyValue>
      readonly events: ReadonlyArray<{ readonly name: string }>
      readonly links: ReadonlyArray<{ readonly spanId: Uint8Array }>
    }
    interface ResourceSpans {
      readonly resource: { readonly attributes: ReadonlyArray<KeyValue> } | null
      readonly scopeSpans: ReadonlyArray<{
        readonly scope: { readonly name: string } | null
        readonly spans: ReadonlyArray<Span>
      }>
    }
  }
  const definitions: {
    readonly opentelemetry: {
      readonly proto: {
        readonly collector: {
          readonly metrics: {
            readonly v1: { readonly ExportMetricsServiceRequest: { readonly decode: (body: Uint8Array) => object } }
          }
          readonly logs: {
            readonly v1: { readonly ExportLogsServiceRequest: { readonly decode: (body: Uint8Array) => object } }
          }
          readonly trace: {
            readonly v1: {
              readonly ExportTraceServiceRequest: {
                readonly decode: (body: Uint8Array) => {
                  readonly resourceSpans: ReadonlyArray<definitions.ResourceSpans>
                }
              }
            }
          }
        }
      }
    }
  }
  export default definitions
}
