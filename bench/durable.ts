/**
 * What a run costs in a durable workflow, on the engine in memory: for each activity, beside the engine alone; and for each
 * execution, what the run itself takes, which is begun, stored and completed.
 */
import { Activity, Workflow, WorkflowEngine } from "@effect/workflow"
import { Effect, Layer, Schema } from "effect"
import { RunWorkflow } from "../src/workflow/index.js"
import { type Comparison, type Measurement, measure, repeatedEffect } from "./measure.js"
import { format } from "./table.js"

const activities = 40

const plain = Workflow.make({
  name: "Plain",
  payload: { id: Schema.Number, activities: Schema.Number },
  idempotencyKey: ({ activities, id }) => `${activities}/${id}`
})

const run = RunWorkflow.asRun(
  Workflow.make({
    name: "Run",
    payload: { id: Schema.Number, activities: Schema.Number },
    idempotencyKey: ({ activities, id }) => `${activities}/${id}`
  }),
  { eventId: ({ id }) => `event-${id}`, customerId: "bigretail" }
)

const body = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) => Activity.make({ name: `activity ${index}`, success: Schema.Number, execute: Effect.succeed(index) }),
    { discard: true }
  )

const oursLive = Layer.provideMerge(
  run.toLayer(({ activities }) => body(activities)),
  RunWorkflow.layerMemory
)
const theirsLive = Layer.provideMerge(
  plain.toLayer(({ activities }) => body(activities)),
  WorkflowEngine.layerMemory
)

/** An execution on an engine of its own: one that lasts keeps what it executed. */
const of = (count: number): Comparison => ({
  name: `durable execution of ${count} activities`,
  ours: repeatedEffect(() => Effect.provide(run.execute({ id: 1, activities: count }), oursLive)),
  theirs: repeatedEffect(() => Effect.provide(plain.execute({ id: 1, activities: count }), theirsLive))
})

export const durable: ReadonlyArray<Measurement> = [
  {
    name: "durable execution",
    lines: Effect.gen(function* () {
      const none = yield* measure(of(0))
      const all = yield* measure(of(activities))
      const each = { ours: (all.ours - none.ours) / activities, theirs: (all.theirs - none.theirs) / activities }
      return [
        format({ name: "durable execution, per activity", ...each, aim: 1.1, unit: "ns" }),
        format({ name: "durable execution, the run itself", ...none, unit: "ns" })
      ]
    })
  }
]
