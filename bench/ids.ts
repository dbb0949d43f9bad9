/**
 * What a run id costs, beside `uuid`.
 */
import { Context } from "effect"
import { v7 } from "uuid"
import { RunId } from "../src/index.js"
import { type Comparison, repeatedCall, repeatedEffect } from "./measure.js"

const generator = Context.get(Context.empty(), RunId.Generator)

export const ids: ReadonlyArray<Comparison> = [
  {
    name: "id",
    ours: repeatedCall(() => generator.unsafeMake(Date.now())),
    theirs: repeatedCall(() => v7()),
    aim: 1.5
  },
  {
    name: "id, by the effect RunId.make",
    ours: repeatedEffect(() => RunId.make),
    theirs: repeatedCall(() => v7())
  }
]
