import { describe, expect, it } from "@effect/vitest"
import { Cause, ConfigError, ConfigProvider, Effect, Exit, Fiber, Layer, TestClock } from "effect"
import { Botanu, BotanuConfig, InvalidRunContext, Propagation, RunContext } from "../../src/index.js"
import { propagationModeFor } from "../../src/run/Settings.js"

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
    [{ BOTANU_PROPAGATION_MODE: "full" }, { environment: "production", propagationMode: "full" }],
    [{ BOTANU_PROPAGATION_MODE: "lean" }, { environment: "production", propagationMode: "lean" }],
    [{ BOTANU_PROPAGATION_MODE: "" }, { environment: "production", propagationMode: "lean" }]
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

  /** Variables as they are when they are read. */
  const liveProvider = (variables: Map<string, string>) => {
    const now = () => ConfigProvider.fromMap(variables)
    return ConfigProvider.make({ load: (config) => now().load(config), flattened: now().flattened })
  }

  it.effect("is a Config too, which reads each time, and a service that its layer provides", () =>
    Effect.gen(function* () {
      const variables = new Map([["BOTANU_PROPAGATION_MODE", "full"]])
      const provider = liveProvider(variables)
      const read = Effect.withConfigProvider(BotanuConfig.config, provider)
      expect(yield* read).toEqual({ environment: "production", propagationMode: "full" })
      const provided = Effect.provide(BotanuConfig.BotanuConfig, BotanuConfig.layer)
      expect(yield* Effect.withConfigProvider(provided, provider)).toEqual(yield* read)
      variables.set("BOTANU_PROPAGATION_MODE", "lean")
      expect((yield* read).propagationMode).toBe("lean")
    })
  )

  it.effect("is read once for each provider", () =>
    Effect.gen(function* () {
      const variables = new Map([["BOTANU_ENVIRONMENT", "one"]])
      const read = Effect.withConfigProvider(BotanuConfig.settings, liveProvider(variables))
      const provider = liveProvider(variables)
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
        expect([error.field, error.problem]).toEqual([name, 'expected text without control characters, got "a\\nb"'])
        const atStart = yield* Effect.flip(Effect.provide(Layer.build(BotanuConfig.layer), variables))
        expect(String(atStart)).toContain(`Invalid data at ${name}`)
      }).pipe(Effect.scoped)
    )
  }
})

describe("a ConfigProvider that answers at once", () => {
  it.effect("is known before anything is sent", () =>
    Effect.gen(function* () {
      const provider = ConfigProvider.fromMap(new Map([["BOTANU_PROPAGATION_MODE", "full"]]))
      const mode = Effect.withFiberRuntime((fiber) => Effect.sync(() => propagationModeFor(fiber)))
      expect(yield* Effect.withConfigProvider(mode, provider)).toBe("full")
    })
  )

  it.effect("has a wrong variable named by its whole path", () =>
    Effect.gen(function* () {
      const { flattened } = ConfigProvider.fromMap(new Map())
      const load = () => Effect.fail(ConfigError.InvalidData(["APP", "MODE"], "expected a mode"))
      const error = yield* Effect.flip(Effect.withConfigProvider(run, ConfigProvider.make({ flattened, load })))
      expect([error.field, error.problem]).toEqual(["APP_MODE", "expected a mode"])
    })
  )
})

describe("a ConfigProvider that has one variable only", () => {
  it.effect("is refused for a wrong value, and not for what it does not have", () =>
    Effect.gen(function* () {
      const map = ConfigProvider.fromMap(new Map([["BOTANU_PROPAGATION_MODE", "ful"]]))
      const provider = ConfigProvider.fromFlat({
        ...map.flattened,
        load: (path, config, split) =>
          path.join("_") === "BOTANU_PROPAGATION_MODE"
            ? map.flattened.load(path, config, split)
            : Effect.fail(ConfigError.SourceUnavailable([...path], "no route", Cause.empty))
      })
      const error = yield* Effect.flip(Effect.withConfigProvider(run, provider))
      expect(error.field).toBe("BOTANU_PROPAGATION_MODE")
      expect(error.problem).toContain('"ful"')
    })
  )
})

describe("a ConfigProvider that answers asynchronously", () => {
  const answering = (answer: Effect.Effect<void>, onAsked: () => void = () => {}) => {
    const map = ConfigProvider.fromMap(
      new Map([
        ["BOTANU_ENVIRONMENT", "remote"],
        ["BOTANU_PROPAGATION_MODE", "full"]
      ])
    )
    return ConfigProvider.make({
      flattened: map.flattened,
      load: (config) =>
        Effect.suspend(() => {
          onAsked()
          return Effect.zipRight(answer, map.load(config))
        })
    })
  }

  it.effect("is waited for by the first runs, and asked once", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      let asked = 0
      const provider = answering(latch.await, () => (asked += 1))
      const work = Effect.all([Effect.map(RunContext, (run) => run.environment), Propagation.inject])
      const workflow = Botanu.workflow(work, "W", { eventId: "e", customerId: "c" })
      const runs = yield* Effect.fork(
        Effect.withConfigProvider(Effect.all([workflow, workflow], { concurrency: 2 }), provider)
      )
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.poll(runs))._tag).toBe("None")
      yield* latch.open
      const made = yield* Fiber.join(runs)
      expect(made.map(([environment]) => environment)).toEqual(["remote", "remote"])
      expect(made[0]?.[1]["baggage"]).toContain("botanu.environment=remote")
      const made3 = yield* Effect.withConfigProvider(workflow, provider)
      expect([made3[0], asked]).toEqual(["remote", 1])
      expect(yield* Effect.withConfigProvider(BotanuConfig.settings, provider)).toEqual({
        environment: "remote",
        propagationMode: "full"
      })
    })
  )

  it.effect("has what is sent meanwhile sent in lean mode", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const mode = Effect.withFiberRuntime((fiber) => Effect.sync(() => propagationModeFor(fiber)))
      const provider = answering(latch.await)
      expect(yield* Effect.withConfigProvider(mode, provider)).toBe("lean")
      yield* latch.open
      yield* Effect.withConfigProvider(BotanuConfig.settings, provider)
      expect(yield* Effect.withConfigProvider(mode, provider)).toBe("full")
    })
  )

  it.effect("keeps no run from being interrupted, and answers the others", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const provider = answering(latch.await)
      const first = yield* Effect.fork(Effect.withConfigProvider(run, provider))
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(Effect.withConfigProvider(run, provider))
      yield* Effect.yieldNow()
      expect(Exit.isInterrupted(yield* Fiber.interrupt(first))).toBe(true)
      yield* latch.open
      expect((yield* Fiber.join(second)).environment).toBe("remote")
    })
  )

  it.effect("is asked again where it was not available, or broke", () =>
    Effect.gen(function* () {
      const answers: Array<Effect.Effect<void>> = [
        Effect.zipRight(Effect.yieldNow(), Effect.die("no route")),
        Effect.die("down"),
        Effect.yieldNow()
      ]
      const provider = answering(Effect.suspend(() => answers.shift() ?? Effect.void))
      for (const reason of ["no route", "down"]) {
        const error = yield* Effect.flip(Effect.withConfigProvider(run, provider))
        expect(error.field).toBe("ConfigProvider")
        expect(error.problem).toBe(`(Source unavailable at : "the ConfigProvider failed: "${reason}"")`)
      }
      expect((yield* Effect.withConfigProvider(run, provider)).environment).toBe("remote")
    })
  )

  it.effect("is asked again where its answer was interrupted", () =>
    Effect.gen(function* () {
      const answers = [Effect.zipRight(Effect.yieldNow(), Effect.interrupt)]
      const provider = answering(Effect.suspend(() => answers.shift() ?? Effect.void))
      expect(Exit.isInterrupted(yield* Effect.exit(Effect.withConfigProvider(run, provider)))).toBe(true)
      expect((yield* Effect.withConfigProvider(run, provider)).environment).toBe("remote")
    })
  )
})
