/**
 * What a message carries, by whether the run is propagated, and by whether there is one.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { outgoingBaggageFor } from "../../src/edge/OutgoingBaggage.js"
import { Withheld } from "../../src/fiber/TracerWrapper.js"
import { BotanuConfig, RunContext } from "../../src/index.js"
import { leanHeader, makeRun } from "../runs.js"

const given = "tenant=x,botanu.run_id=of-another"

const header = (outbound: "propagate" | "omit"): Effect.Effect<string> =>
  Effect.withFiberRuntime((fiber) => Effect.sync(() => outgoingBaggageFor(fiber, given, outbound)))

const inRun = <A>(effect: Effect.Effect<A>) =>
  effect.pipe(
    Effect.provide(RunContext.layer(makeRun())),
    Effect.provide(BotanuConfig.layerOf({ environment: "production", propagationMode: "lean" }))
  )

describe("the baggage of a message", () => {
  it.effect("has the run, and what others put there", () =>
    Effect.map(inRun(header("propagate")), (sent) => expect(sent).toBe(`${leanHeader},tenant=x`))
  )

  const without: ReadonlyArray<readonly [when: string, sent: Effect.Effect<string>]> = [
    ["the run is omitted", inRun(header("omit"))],
    ["the run is withheld", inRun(Effect.provideService(header("propagate"), Withheld, true))],
    ["there is no run", header("propagate")]
  ]
  for (const [when, sent] of without) {
    it.effect(`has no run, not even that of others, where ${when}`, () =>
      Effect.map(sent, (text) => expect(text).toBe("tenant=x"))
    )
  }
})
