/**
 * What a `baggage` header costs to read and write, beside OpenTelemetry's propagator, which validates nothing.
 */
import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { DateTime, Option, Schema } from "effect"
import { Baggage, RunContext } from "../src/index.js"
import { received } from "../src/lifecycle/IncomingRun.js"
import { baggageHeader } from "../src/lifecycle/OutgoingRun.js"
import { forwardedWith } from "../src/run/RemoteContext.js"
import { type Comparison, repeatedCall } from "./measure.js"

const lean =
  "botanu.run_id=01935a2c-7b1e-7c3a-9d4f-5e6a7b8c9d0e,botanu.workflow=Customer%20Support," +
  "botanu.event_id=ticket-Zo%C3%A9-4711,botanu.customer_id=org_8fK2pQ"

const full =
  `${lean},botanu.environment=production,botanu.tenant_id=acme,` +
  "botanu.parent_run_id=01935a2c-7b1e-7c3a-9d4f-5e6a7b8c9d0f,botanu.root_run_id=01935a2c-7b1d-7c3a-9d4f-5e6a7b8c9d0a," +
  "botanu.attempt=3,botanu.retry_of_run_id=01935a2c-7b1d-7c3a-9d4f-5e6a7b8c9d0b,botanu.deadline=1732312345678," +
  "botanu.cancelled=true"

const headers = [
  { header: lean, mode: "lean" },
  { header: full, mode: "full" }
] as const

const propagator = new W3CBaggagePropagator()
const extract = (header: string) => propagator.extract(ROOT_CONTEXT, { baggage: header }, defaultTextMapGetter)
const inject = (context: typeof ROOT_CONTEXT) => {
  const carrier: Record<string, string> = {}
  propagator.inject(context, carrier, defaultTextMapSetter)
  return carrier
}

const toRun = (header: string) =>
  Option.getOrThrow(received(Baggage.decode(header).baggage, DateTime.unsafeMake(Date.now())).run)

/** A header to a validated `Run` and back, as `Propagation` and the integrations do it. */
export const runHeaders: ReadonlyArray<Comparison> = headers.flatMap(({ header, mode }) => {
  const run = toRun(header)
  const context = extract(header)
  return [
    {
      name: `${mode} header to Run`,
      ours: repeatedCall(() => toRun(header)),
      theirs: repeatedCall(() => extract(header)),
      aim: 1
    },
    {
      name: `Run to ${mode} header`,
      ours: repeatedCall(() => baggageHeader(run, forwardedWith(undefined), mode)),
      theirs: repeatedCall(() => inject(context)),
      aim: 1
    }
  ]
})

/** The same through the strict codec, for information. Its way back is always in full mode. */
export const runSchemas: ReadonlyArray<Comparison> = headers.flatMap(({ header, mode }) => {
  const decode = Schema.decodeUnknownSync(RunContext.FromHeader)
  const encode = Schema.encodeSync(RunContext.FromHeader)
  const run = decode(header)
  const context = extract(encode(run))
  return [
    {
      name: `${mode} header to Run, by Schema`,
      ours: repeatedCall(() => decode(header)),
      theirs: repeatedCall(() => extract(header))
    },
    {
      name: `Run of ${mode} header to header, by Schema`,
      ours: repeatedCall(() => encode(run)),
      theirs: repeatedCall(() => inject(context))
    }
  ]
})

/** `Baggage` alone. */
export const baggage: ReadonlyArray<Comparison> = headers.flatMap(({ header, mode }) => {
  const decoded = Baggage.decode(header).baggage
  const context = extract(header)
  return [
    {
      name: `Baggage.decode, ${mode}`,
      ours: repeatedCall(() => Baggage.decode(header)),
      theirs: repeatedCall(() => extract(header)),
      aim: 0.7
    },
    {
      name: `Baggage.encode, ${mode}`,
      ours: repeatedCall(() => Baggage.encode(decoded)),
      theirs: repeatedCall(() => inject(context)),
      aim: 0.7
    }
  ]
})
