/**
 * The spans of a service, made with OpenTelemetry's own SDK and told to the process that started it.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Parent from "./Parent.js"
import { fromSpan } from "./SpanRecord.js"

export const layer = (serviceName: string) =>
  NodeSdk.layer(() => ({
    resource: { serviceName },
    spanProcessor: new SimpleSpanProcessor({
      export: (spans: ReadonlyArray<ReadableSpan>, done) => {
        for (const span of spans) Parent.ended(fromSpan(span))
        done({ code: 0 })
      },
      shutdown: () => Promise.resolve()
    })
  }))
