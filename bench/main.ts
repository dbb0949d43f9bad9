/**
 * Measures what this library costs beside what it is built on or could be replaced by, and prints a line for each measurement.
 * A missed aim is said, and fails nothing. `npm run bench -- header` measures only what has `header` in its name. Each measurement is a
 * process.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
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
import { usages } from "./usages.js"

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
  ...prices,
  ...[...runHeaders, ...runSchemas, ...baggage, ...hostileHeaders, ...ids].map(timed),
  ...durable,
  ...ledgers,
  ...memory
]

const measureHere = async (name: string): Promise<void> => {
  const measurement = measurements.find((measurement) => measurement.name === name)
  if (measurement === undefined) throw new Error(`expected the name of a measurement, got ${JSON.stringify(name)}`)
  for (const line of await Effect.runPromise(measurement.lines)) console.log(line)
}

/** What V8 compiled for one measurement would be used for the next, which has another tracer, or other clients. */
const measureInProcess = (name: string): void => {
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), onlyOption, name],
    { stdio: "inherit" }
  )
  if (status !== 0) process.exit(status ?? 1)
}

const onlyOption = "--only"
const [first = "", second = ""] = process.argv.slice(2)
if (first === onlyOption) await measureHere(second)
else {
  console.log(heading())
  for (const { name } of measurements) if (name.includes(first)) measureInProcess(name)
}
