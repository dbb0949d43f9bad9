/**
 * What the body of a durable workflow consumed outside of activities. The engine stores nothing of a body, so an entry that is suspended
 * stores it: as a list, whose next item has the next number, and which the entry that completes the run reads to its end.
 */
import type { WorkflowEngine } from "@effect/workflow"
import { Effect, Schema } from "effect"
import { RecordedUsage } from "../cost/CostTotals.js"
import { optional } from "../schema/SchemaRecord.js"
import { once } from "./InternalActivity.js"

type Engine = WorkflowEngine.WorkflowEngine["Type"]
type Needs = WorkflowEngine.WorkflowInstance

/** What one entry consumed; without usages, the end of the list. */
const BodyUsages = Schema.Struct({ id: Schema.String, usages: optional(Schema.Array(RecordedUsage)) })
export type BodyUsages = typeof BodyUsages.Type

const item = (engine: Engine, number: number, make: BodyUsages): Effect.Effect<BodyUsages, never, Needs> =>
  once(engine, { name: `botanu/body/${number}`, success: BodyUsages, make: Effect.succeed(make) })

/** Stores what an entry consumed. */
export const add = (engine: Engine, usages: BodyUsages, number = 1): Effect.Effect<void, never, Needs> =>
  Effect.flatMap(item(engine, number, usages), ({ id }) =>
    id === usages.id ? Effect.void : add(engine, usages, number + 1)
  )

/** What the entries consumed that were suspended. Nothing is added after that. */
export const all = (
  engine: Engine,
  number = 1,
  before: ReadonlyArray<BodyUsages> = []
): Effect.Effect<ReadonlyArray<BodyUsages>, never, Needs> =>
  Effect.flatMap(item(engine, number, { id: "end" }), (found) =>
    found.usages === undefined ? Effect.succeed(before) : all(engine, number + 1, [...before, found])
  )
