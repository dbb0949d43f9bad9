import { expect, it } from "@effect/vitest"
import { Botanu, RunExporter } from "botanu-effect"
import { Effect } from "effect"

it.effect("a run is completed", () =>
  Effect.gen(function* () {
    yield* Effect.void.pipe(Botanu.workflow("Consumer", { eventId: "order-1", customerId: "acme" }))
    const { runs } = yield* RunExporter.Memory
    expect((yield* runs).map(({ status }) => status)).toEqual(["success"])
  }).pipe(Effect.provide(RunExporter.layerMemory))
)
