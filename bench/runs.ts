/**
 * What a run costs, with and without a deadline, beside a plain Effect program that puts as much on a span.
 */
import { Effect } from "effect"
import { type Comparison, repeatedEffect } from "./measure.js"
import { plain, plainWithTimeout, run, runWithDeadline } from "./subjects.js"

const deadline = "30 seconds"

const bodies = [
  { name: "body done at once", body: Effect.void },
  { name: "body that suspends", body: Effect.yieldNow() }
]

export const runs: ReadonlyArray<Comparison> = bodies.map(({ body, name }) => ({
  name: `run, ${name}`,
  ours: repeatedEffect(() => run(body)),
  theirs: repeatedEffect(() => plain(body)),
  aim: 1.5
}))

export const runsWithDeadline: ReadonlyArray<Comparison> = bodies.map(({ body, name }) => ({
  name: `run with deadline, ${name}`,
  ours: repeatedEffect(() => runWithDeadline(body, deadline)),
  theirs: repeatedEffect(() => plainWithTimeout(body, deadline)),
  aim: 1.3
}))
