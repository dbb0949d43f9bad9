/**
 * What a span inside of a run costs, which the run annotates, beside one that nobody annotates.
 */
import { Effect } from "effect"
import { type Comparison, repeatedEffect } from "./measure.js"
import { run } from "./subjects.js"

const children = repeatedEffect(() => Effect.withSpan(Effect.void, "child", { captureStackTrace: false }))

export const childSpans: ReadonlyArray<Comparison> = [
  {
    name: "child span",
    ours: (times) => Effect.orDie(run(children(times))),
    theirs: (times) => Effect.withSpan(children(times), "parent", { captureStackTrace: false }),
    aim: 1.15
  }
]
