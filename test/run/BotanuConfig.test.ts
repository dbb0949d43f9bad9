import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { Botanu, BotanuConfig, InvalidRunContext, RunContext } from "../../src/index.js"

const environment = (variables: Record<string, string>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const settingsOf = (variables: Record<string, string>) => Effect.provide(BotanuConfig.settings, environment(variables))

const run = RunContext.pipe(Botanu.workflow("W", { eventId: "e", customerId: "c" }))

describe("BotanuConfig", () => {
  const read: ReadonlyArray<readonly [Record<string, string>, BotanuConfig.Settings]> = [
    [{}, { environment: "production", propagationMode: "lean" }],
    [{ BOTANU_ENVIRONMENT: "staging" }, { environment: "staging", propagationMode: "lean" }],
    [{ DEPLOYMENT_ENVIRONMENT: "test" }, { environment: "test", propagationMode: "lean" }],
    [
      { BOTANU_ENVIRONMENT: "a", DEPLOYMENT_ENVIRONMENT: "b" },
      { environment: "a", propagationMode: "lean" }
    ],
    [
      { BOTANU_ENVIRONMENT: "", DEPLOYMENT_ENVIRONMENT: "" },
      { environment: "production", propagationMode: "lean" }
    ],
    [{ BOTANU_PROPAGATION_MODE: "full" }, { environment: "production", propagationMode: "full" }]
  ]
  for (const [variables, expected] of read) {
    it.effect(`reads ${JSON.stringify(variables)}`, () =>
      Effect.map(settingsOf(variables), (settings) => expect(settings).toEqual(expected))
    )
  }

  for (const wrong of ["ful", "FULL", "lean,full"]) {
    it.effect(`refuses ${wrong} as a mode, at start and with every run, and says what is allowed`, () =>
      Effect.gen(function* () {
        const provider = environment({ BOTANU_PROPAGATION_MODE: wrong })
        const atStart = yield* Effect.flip(Effect.provide(Layer.build(BotanuConfig.layer), provider))
        expect(String(atStart)).toContain("BOTANU_PROPAGATION_MODE")
        expect(String(atStart)).toContain("Expected one of (lean, full)")
        const withRun = yield* Effect.flip(Effect.provide(run, provider))
        expect(withRun).toBeInstanceOf(InvalidRunContext)
        expect(withRun.field).toBe("BOTANU_PROPAGATION_MODE")
        expect(withRun.message).toContain(`"${wrong}"`)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("is read once for each provider", () =>
    Effect.gen(function* () {
      const variables = new Map([["BOTANU_ENVIRONMENT", "one"]])
      const read = Effect.withConfigProvider(BotanuConfig.settings, ConfigProvider.fromMap(variables))
      const provider = ConfigProvider.fromMap(variables)
      const readAgain = Effect.withConfigProvider(BotanuConfig.settings, provider)
      expect([(yield* read).environment, (yield* readAgain).environment]).toEqual(["one", "one"])
      variables.set("BOTANU_ENVIRONMENT", "two")
      expect((yield* readAgain).environment).toBe("one")
    })
  )

  it.effect("gives way to a layer, and to an option of the run", () =>
    Effect.gen(function* () {
      const layer = BotanuConfig.layerOf({ environment: "layer", propagationMode: "full" })
      expect((yield* Effect.provide(run, layer)).environment).toBe("layer")
      expect(yield* Effect.provide(BotanuConfig.settings, layer)).toMatchObject({ propagationMode: "full" })
      const explicit = RunContext.pipe(Botanu.workflow("W", { eventId: "e", customerId: "c", environment: "option" }))
      expect((yield* Effect.provide(explicit, layer)).environment).toBe("option")
    }).pipe(Effect.provide(environment({ BOTANU_ENVIRONMENT: "variable" })))
  )

  for (const name of ["BOTANU_ENVIRONMENT", "DEPLOYMENT_ENVIRONMENT"]) {
    it.effect(`names ${name} where it cannot stand in a run, and does not pass it over`, () =>
      Effect.gen(function* () {
        const variables = environment({ DEPLOYMENT_ENVIRONMENT: "test", [name]: "a\nb" })
        const error = yield* Effect.flip(Effect.provide(run, variables))
        expect(error.message).toBe(`${name}: expected text without control characters, got "a\\nb"`)
        const atStart = yield* Effect.flip(Effect.provide(Layer.build(BotanuConfig.layer), variables))
        expect(String(atStart)).toContain(`Invalid data at ${name}`)
      }).pipe(Effect.scoped)
    )
  }
})
