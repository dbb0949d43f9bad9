/**
 * Whatever becomes of calls, what their runs have recorded agrees with the log of the provider that served them.
 */
import { LanguageModel } from "@effect/ai"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Fiber, Layer, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Botanu, RunExporter } from "../../src/index.js"
import { ids } from "../runs.js"
import { anthropic, completedRuns, openAi } from "./models.js"
import type { Reply } from "./ProviderServer.js"

const ask = LanguageModel.generateText({ prompt: "Hi" })
const stream = LanguageModel.streamText({ prompt: "Hi" })
const words = Stream.filter(stream, ({ type }) => type === "text-delta")

const text = "one two three"
const begun = 4

/** A stream that is interrupted once its first words have come. */
const interrupted = Effect.flatMap(Deferred.make<void>(), (heard) =>
  Effect.flatMap(Effect.fork(Stream.runForEach(words, () => Deferred.succeed(heard, undefined))), (fiber) =>
    Effect.zipRight(Deferred.await(heard), Fiber.interrupt(fiber))
  )
)

type Fate = "text" | "stream" | "refused" | "unanswered" | "cutOff" | "abandoned" | "interrupted"

/** What may become of a call: what the provider does, and what the program does. */
const fates: Record<
  Fate,
  { readonly reply: Reply; readonly work: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel> }
> = {
  text: { reply: {}, work: ask },
  stream: { reply: { text }, work: Stream.runDrain(stream) },
  refused: { reply: { status: 429 }, work: ask },
  unanswered: { reply: { cutAfter: 0 }, work: ask },
  cutOff: { reply: { text, cutAfter: begun }, work: Stream.runDrain(stream) },
  abandoned: { reply: { text, holdAfter: begun }, work: Stream.runDrain(Stream.take(words, 1)) },
  interrupted: { reply: { text, holdAfter: begun }, work: interrupted }
}

const isWhole = (fate: Fate) => fate === "text" || fate === "stream"

const plan = FastCheck.array(FastCheck.constantFrom(...(Object.keys(fates) as Array<Fate>)), { maxLength: 5 })
const scenarios = FastCheck.sample(
  FastCheck.tuple(FastCheck.constantFrom(openAi, anthropic), FastCheck.boolean(), plan),
  {
    numRuns: 60,
    seed: 42
  }
)

it.scopedLive("runs and providers agree", () =>
  Effect.forEach(
    scenarios,
    ([kind, isObserved, plan]) =>
      Effect.gen(function* () {
        const server = yield* kind.server
        // Powers, so that no two calls and no two sums are the same.
        server.script(
          ...plan.map((fate, n) => ({ tokens: { input: 3 ** n, output: 3 ** (n + 5) }, ...fates[fate].reply }))
        )
        const one = (fate: Fate) => Effect.exit(fates[fate].work)
        const run = Botanu.workflow("Support", ids)
        yield* run(Effect.forEach(plan, one, { discard: true })).pipe(
          Effect.provide(kind.modelOf(server, isObserved ? RunAi.observe : (client) => client))
        )
        const [{ totals, usages } = none] = yield* completedRuns
        expect(totals?.calls).toBe(plan.length)
        expect(usages.map(({ usage }) => usage.requests)).toEqual(plan.map((fate) => (fate === "refused" ? 0 : 1)))
        plan.forEach((fate, n) => {
          const usage = usages[n]?.usage
          const served = { input: 3 ** n, output: 3 ** (n + 5) }
          if (isWhole(fate)) expect({ input: usage?.inputTokens, output: usage?.outputTokens }).toEqual(served)
          else expect([undefined, served.input]).toContain(usage?.inputTokens)
          if (!isWhole(fate)) expect(usage?.outputTokens).toBeUndefined()
        })
        expect(server.served).toHaveLength(plan.filter((fate) => fate !== "refused").length)
      }).pipe(Effect.scoped, Effect.provide(Layer.fresh(Layer.mergeAll(RunAi.layer, RunExporter.layerMemory)))),
    { concurrency: 4, discard: true }
  )
)

const none = { totals: undefined, usages: [] }
