import { rename, writeFile } from "node:fs/promises"
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, type Clock, Context, DateTime, Duration, Effect, Layer, TestClock } from "effect"
import { Botanu, Cost, PriceBook, Usage } from "../../src/index.js"
import { PriceFile } from "../../src/platform/index.js"
import { completedRuns, logging, observed } from "../observed.js"
import { ids } from "../runs.js"

const file = (text: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* files.makeTempFileScoped()
    yield* Effect.promise(() => writeFile(path, text))
    return path
  })

const record = Usage.record({
  kind: "llm",
  provider: "openai",
  operation: "chat",
  model: "quill-2",
  inputTokens: 100,
  outputTokens: 10
})

const costWith = <E>(prices: Layer.Layer<PriceBook.PriceBook, E, FileSystem.FileSystem>) =>
  Effect.gen(function* () {
    yield* Botanu.workflow(record, "W", ids).pipe(Effect.provide(prices))
    const run = (yield* completedRuns).at(-1)
    return run && Cost.format(run.totals.usd)
  })

const quill = '{ "litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05 }'

describe("a price file", () => {
  it.scoped("prices the usage of runs", () =>
    Effect.gen(function* () {
      const path = yield* file(`{ "quill-2": ${quill} }`)
      expect(yield* costWith(PriceFile.layer(path))).toBe("0.00035")
      expect((yield* PriceFile.read(path)).map(({ model, provider }) => [provider, model])).toEqual([
        ["openai", "quill-2"]
      ])
    }).pipe(Effect.provide([observed, NodeFileSystem.layer]))
  )

  it.scoped("gives way to prices of one's own", () =>
    Effect.gen(function* () {
      const path = yield* file(`{ "quill-2": ${quill} }`)
      const own = { model: "quill-2", provider: "openai", usd: { inputToken: "0.01", outputToken: "0.01" } }
      expect(yield* costWith(PriceFile.layer(path, { overrides: [own] }))).toBe("1.1")
      const ofOtherFile = { model: "quill-2", source: "another file", usd: own.usd }
      expect(yield* costWith(PriceFile.layer(path, { overrides: [ofOtherFile] }))).toBe("1.1")
      const ofAnother = { ...own, customerId: "smallretail" }
      expect(yield* costWith(PriceFile.layer(path, { overrides: [ofAnother] }))).toBe("0.00035")
    }).pipe(Effect.provide([observed, NodeFileSystem.layer]))
  )

  it.scoped("is read without its bad entries, of which the log tells", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const path = yield* file(`{ "quill-1": { "input_cost_per_token": "?" }, "quill-2": ${quill} }`)
      expect(yield* costWith(PriceFile.layer(path))).toBe("0.00035")
      expect(lines.filter((line) => line.includes("price file"))).toEqual([
        `price file ${path}, entry "quill-1": input_cost_per_token: expected a decimal amount of US dollars, zero or more, got "?"; it is left out`
      ])
      const failed = yield* Effect.flip(Layer.launch(PriceFile.layer(path, { badEntries: "fail" })))
      expect(failed.message).toContain(`price file ${path}, entry "quill-1"`)
    }).pipe(Effect.provide([observed, NodeFileSystem.layer, logging(lines)]))
  })

  it.scoped("fails where the layer is built, with its name, where it is missing or no JSON", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(Layer.launch(PriceFile.layer("/nowhere/prices.json")))
      expect(missing).toBeInstanceOf(PriceFile.InvalidPriceFile)
      expect(missing.message).toMatch(/^price file \/nowhere\/prices\.json: expected a file that can be read: /)
      const path = yield* file('{ "quill-2": ')
      const cut = yield* Effect.flip(Layer.launch(PriceFile.layer(path)))
      expect(cut.message.startsWith(`price file ${path}: expected JSON: `)).toBe(true)
      const whole = yield* file(`{ "quill-2": ${quill} }`)
      const wrong = yield* Effect.flip(Layer.launch(PriceFile.layer(whole, { overrides: [{ usd: {} }] })))
      expect(wrong.message).toBe("price 0: model: expected a model, a provider or a kind")
      const problemOf = (options: object) => Effect.flip(Layer.launch(PriceFile.layer(whole, options)))
      const none = yield* problemOf({ overrides: null })
      expect(none.message).toBe("price list: prices: expected a list of prices, got null")
      const empty = yield* problemOf({ overrides: [null] })
      expect(empty.message).toBe("price 0: price: expected a record, got null")
      const deployed = yield* problemOf({ deployments: { "support-chat": null } })
      expect(deployed.message).toBe("price list: deployments.support-chat: expected text, got null")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  const usage = new Usage.Usage({
    kind: "llm",
    provider: "openai",
    operation: "chat",
    model: "quill-2",
    time: DateTime.unsafeMake(0),
    status: "success",
    requests: 1,
    inputTokens: 1,
    outputTokens: 0
  })
  const cost = Effect.map(PriceBook.PriceBook, ({ priceOf }) =>
    Cost.format(priceOf(usage, { customerId: "bigretail" }).usd)
  )
  const at = (price: number) =>
    JSON.stringify({ "quill-2": { litellm_provider: "openai", input_cost_per_token: price } })

  /** When that is over, by the clock of the test, from when the file is waited for: the reading before may still be under way. */
  const later = (duration: Duration.DurationInput): Effect.Effect<void> =>
    Effect.zipRight(eventually(Effect.map(TestClock.sleeps(), Chunk.isNonEmpty)), TestClock.adjust(duration))

  it.scoped("is read again, and keeps its prices where it cannot be", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const path = yield* file(at(1))
      const write = (text: string) => Effect.promise(() => writeFile(path, text))
      yield* Effect.gen(function* () {
        expect(yield* cost).toBe("1")
        yield* write(at(2))
        yield* later("59 minutes")
        expect(yield* cost).toBe("1")
        yield* passes("1 minute", "2")
        expect(Cost.format((yield* PriceBook.explain(usage)).cost.usd)).toBe("2")
        for (const bad of ['{ "quill', "{}", '{ "quill-2": null }']) {
          const before = lines.length
          yield* write(bad)
          yield* later("1 hour")
          yield* eventually(Effect.sync(() => lines.length > before && lines.at(-1)?.endsWith("are kept") === true))
          expect(yield* cost).toBe("2")
        }
        yield* write(at(3))
        yield* passes("1 hour", "3")
      }).pipe(Effect.provide(PriceFile.layer(path, { refresh: "1 hour" })))
      const last = lines.filter((line) => line.endsWith("are kept"))
      expect(last).toHaveLength(3)
      expect(last[1]).toBe(
        `price file ${path}: expected at least one entry with a price; the prices that were read before are kept`
      )
    }).pipe(Effect.provide([NodeFileSystem.layer, logging(lines)]))
  })

  /** Reading a file takes a moment of real time, which no test clock moves. */
  const eventually = <R>(condition: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
    Effect.repeat(
      Effect.zipRight(
        Effect.promise(() => new Promise(setImmediate)),
        condition
      ),
      {
        until: (isMet) => isMet
      }
    )

  const passes = (duration: Duration.DurationInput, expected: string) =>
    Effect.zipRight(later(duration), eventually(Effect.map(cost, (usd) => usd === expected)))

  /** The clock of the test, which notes how long is slept. */
  const noting = (slept: Array<number>) =>
    Effect.map(Effect.clock, (clock): Clock.Clock => {
      const sleep: Clock.Clock["sleep"] = (duration) => {
        slept.push(Duration.toMillis(duration))
        return clock.sleep(duration)
      }
      return Object.assign(Object.create(clock), { sleep })
    })

  /** A file system that counts what is read. */
  const counter = () => {
    const reads = { count: 0 }
    const counting = Layer.map(NodeFileSystem.layer, (context) => {
      const files = Context.get(context, FileSystem.FileSystem)
      return Context.make(FileSystem.FileSystem, {
        ...files,
        readFileString: (...args) => {
          reads.count += 1
          return files.readFileString(...args)
        }
      })
    })
    return { counting, reads }
  }

  it.scoped("is not reported again as long as it is the same", () => {
    const lines: Array<string> = []
    const { counting, reads } = counter()
    return Effect.gen(function* () {
      const path = yield* file(`{ "quill-2": ${quill}, "quill-3": null }`)
      yield* Effect.gen(function* () {
        expect(lines).toHaveLength(1)
        for (const read of [2, 3, 4]) {
          yield* later("1 hour")
          yield* eventually(Effect.sync(() => reads.count === read))
        }
      }).pipe(Effect.provide(PriceFile.layer(path, { refresh: "1 hour" }).pipe(Layer.provide(counting))))
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("quill-3")
    }).pipe(Effect.provide([NodeFileSystem.layer, logging(lines)]))
  })

  it.scoped("is logged once as long as the trouble is the same", () => {
    const lines: Array<string> = []
    const { counting, reads } = counter()
    return Effect.gen(function* () {
      const path = yield* file(at(1))
      // At once: a reading may be under way, which would see a file that is empty for a moment.
      const write = (text: string) =>
        Effect.promise(() => writeFile(`${path}.new`, text).then(() => rename(`${path}.new`, path)))
      const readsAgain = Effect.suspend(() => {
        const before = reads.count
        // The reading after it begins when it is over.
        return Effect.forEach([1, 2], (more) =>
          Effect.zipRight(later("1 hour"), eventually(Effect.sync(() => reads.count === before + more)))
        )
      })
      yield* Effect.gen(function* () {
        for (const bad of ['{ "quill-2": null, "quill-3": 7 }', '{ "quill', '{ "quill-2": null }']) {
          yield* write(bad)
          yield* readsAgain
          yield* readsAgain
        }
        yield* write(at(2))
        yield* passes("1 hour", "2")
        yield* write('{ "quill-2": null }')
        yield* readsAgain
        yield* readsAgain
      }).pipe(Effect.provide(PriceFile.layer(path, { refresh: "1 hour" }).pipe(Layer.provide(counting))))
      const left = (entry: string, got: string) =>
        `price file ${path}, entry "${entry}": expected an object, got ${got}; it is left out`
      const kept = `price file ${path}: expected at least one entry with a price; the prices that were read before are kept`
      expect(lines).toEqual([
        left("quill-2", "null"),
        left("quill-3", "7"),
        kept,
        expect.stringMatching(/: expected JSON: .*; the prices that were read before are kept$/),
        left("quill-2", "null"),
        kept,
        left("quill-2", "null"),
        kept
      ])
    }).pipe(Effect.provide([NodeFileSystem.layer, logging(lines)]))
  })

  for (const other of ['{ "error": { "code": 429, "message": "try later" } }', '{ "quill-2": {} }', "{}"]) {
    it.scoped(`keeps its prices where what is there is ${other}`, () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const path = yield* file(at(1))
        yield* Effect.gen(function* () {
          yield* Effect.promise(() => writeFile(path, other))
          yield* later("1 hour")
          yield* eventually(Effect.sync(() => lines.length > 0))
          expect(lines.map((line) => line.replace(path, ""))).toEqual([
            "price file : expected at least one entry with a price; the prices that were read before are kept"
          ])
          expect(yield* cost).toBe("1")
        }).pipe(Effect.provide(PriceFile.layer(path, { refresh: "1 hour" })))
      }).pipe(Effect.provide([NodeFileSystem.layer, logging(lines)]))
    })
  }

  it.scoped("is refreshed for prices that hold in a service tier or above a threshold alone", () =>
    Effect.gen(function* () {
      const path = yield* file(at(1))
      yield* Effect.gen(function* () {
        for (const key of ["input_cost_per_token_priority", "input_cost_per_token_above_200k_tokens"]) {
          yield* Effect.promise(() => writeFile(path, JSON.stringify({ "quill-2": { [key]: 1 } })))
          yield* passes("1 hour", "0")
          yield* Effect.promise(() => writeFile(path, at(1)))
          yield* passes("1 hour", "1")
        }
      }).pipe(Effect.provide(PriceFile.layer(path, { refresh: "1 hour" })))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("names keys that it does not know without what they do to a terminal, and not all of very many", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const keys = Array.from({ length: 102 }, (_, i) => [`cost_of_\u001b[3${i}`, 1] as const)
      const path = yield* file(JSON.stringify({ "quill-2": { ...JSON.parse(quill), ...Object.fromEntries(keys) } }))
      yield* PriceFile.read(path)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/are left out: cost_of_\\u001b\[30 \(1\), .*, cost_of_\\u001b\[399 \(1\) and 2 more$/)
    }).pipe(Effect.provide([NodeFileSystem.layer, logging(lines)]))
  })

  it.scoped("is read again after more days than a timer of JavaScript has", () => {
    const { counting, reads } = counter()
    const slept: Array<number> = []
    return Effect.gen(function* () {
      const path = yield* file(at(1))
      yield* Effect.gen(function* () {
        yield* later("60 days")
        yield* eventually(Effect.sync(() => reads.count === 2))
      }).pipe(
        Effect.provide(PriceFile.layer(path, { refresh: "60 days" }).pipe(Layer.provide(counting))),
        Effect.withClock(yield* noting(slept))
      )
      expect(Math.max(...slept)).toBeLessThan(2 ** 31)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  })

  it.scoped("is read again no more after its layer is released", () =>
    Effect.gen(function* () {
      const path = yield* file(at(1))
      const { counting, reads } = counter()
      yield* Effect.provide(cost, PriceFile.layer(path, { refresh: "1 hour" }).pipe(Layer.provide(counting)))
      expect(reads.count).toBe(1)
      yield* TestClock.adjust("10 hours")
      expect(reads.count).toBe(1)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("refuses an interval that is none", () =>
    Effect.gen(function* () {
      const path = yield* file(at(1))
      for (const refresh of [0, "-1 hour", "soon"]) {
        const failed = yield* Effect.flip(
          Layer.launch(PriceFile.layer(path, { refresh: refresh as Duration.DurationInput }))
        )
        expect(failed.message).toBe(`price file ${path}: refresh: expected a duration above zero, got ${refresh}`)
      }
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("maps deployments, and gives way to an override that names less than it does", () =>
    Effect.gen(function* () {
      const path = yield* file(
        `{ "quill-2": ${quill}, "azure/quill-3": { "litellm_provider": "azure", "input_cost_per_token": 7 } }`
      )
      const options = {
        overrides: [{ model: "quill-2", usd: { inputToken: 1, outputToken: 1 } }],
        deployments: { desk: "quill-3" }
      }
      expect(yield* costWith(PriceFile.layer(path, options))).toBe("110")
      const usage = new Usage.Usage({
        kind: "llm",
        provider: "azure.ai.openai",
        operation: "chat",
        model: "desk",
        time: DateTime.unsafeMake(0),
        status: "success",
        requests: 1,
        inputTokens: 1,
        outputTokens: 0
      })
      const { cost, winner } = yield* Effect.provide(PriceBook.explain(usage), PriceFile.layer(path, options))
      expect(Cost.format(cost.usd)).toBe("7")
      expect(winner).toMatchObject({ source: path, model: "azure/quill-3" })
    }).pipe(Effect.provide([observed, NodeFileSystem.layer]))
  )
})
