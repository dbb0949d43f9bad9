/**
 * Measures what this library costs beside what it is built on or could be replaced by, and prints a line for each measurement.
 * A missed aim is said, and fails nothing. `npm run bench -- header` measures only what has `header` in its name.
 */
import { Effect } from "effect"
import { childSpans } from "./child-spans.js"
import { durable } from "./durable.js"
import { baggage, runHeaders, runSchemas } from "./headers.js"
import { hostileHeaders } from "./hostile-headers.js"
import { ids } from "./ids.js"
import { ledgers } from "./ledgers.js"
import { type Comparison, type Measurement, measure } from "./measure.js"
import { memory } from "./memory.js"
import { shownSteps } from "./opentelemetry.js"
import { prices } from "./prices.js"
import { runs, runsWithDeadline } from "./runs.js"
import { format, heading } from "./table.js"
import { type NamedTracer, nodeSdk, tracers } from "./tracers.js"
import { observedUsages, usages } from "./usages.js"

const timed = (comparison: Comparison): Measurement => ({
  name: comparison.name,
  lines: Effect.map(measure(comparison), (timing) => [format({ ...comparison, ...timing, unit: "ns" })])
})

const onTracer = ({ layer, name }: NamedTracer, comparison: Comparison): Measurement => {
  const measurement = timed({ ...comparison, name: `${comparison.name} (${name})` })
  return { ...measurement, lines: Effect.provide(measurement.lines, layer) }
}

const onEachTracer = (comparison: Comparison): ReadonlyArray<Measurement> =>
  tracers.map((tracer) => onTracer(tracer, comparison))

const measurements: ReadonlyArray<Measurement> = [
  ...[...runs, ...runsWithDeadline, ...childSpans].flatMap(onEachTracer),
  onTracer(nodeSdk, shownSteps),
  ...tracers.flatMap(usages),
  ...tracers.flatMap(observedUsages),
  ...prices,
  ...[...runHeaders, ...runSchemas, ...baggage, ...hostileHeaders, ...ids].map(timed),
  ...durable,
  ...ledgers,
  ...memory
]

console.log(heading())
const wanted = process.argv[2] ?? ""
for (const { lines } of measurements.filter(({ name }) => name.includes(wanted))) {
  // Each in a fiber of its own: a fiber keeps the tracer that `NodeSdk.layer` once set in it.
  for (const line of await Effect.runPromise(lines)) console.log(line)
}
