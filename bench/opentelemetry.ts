/**
 * What the steps of a run cost where OpenTelemetry's active context shows the run, beside those of a plain program in a span. Both
 * have `NodeSdk` and a context manager that follows asynchronous calls.
 */
import { Effect } from "effect"
import * as RunOpenTelemetry from "../src/opentelemetry/RunOpenTelemetry.js"
import { type Comparison, repeatedEffect } from "./measure.js"
import { plain, run } from "./subjects.js"

const steps = 200

// A fiber takes on the context of its run when it resumes, as it does after the first call that a program awaits.
const body = Effect.zipRight(
  Effect.yieldNow(),
  Effect.iterate(0, { while: (n) => n < steps, body: (n) => Effect.succeed(n + 1) })
)

export const shownSteps: Comparison = {
  name: `run of ${steps} steps, with RunOpenTelemetry.layer`,
  ours: (times) =>
    Effect.orDie(Effect.provide(repeatedEffect(() => run(body))(times), RunOpenTelemetry.layer({ propagateTo: [] }))),
  theirs: repeatedEffect(() => plain(body))
}
