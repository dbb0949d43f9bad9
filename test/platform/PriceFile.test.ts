import { writeFile } from "node:fs/promises"
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Botanu, Cost, type PriceBook, Usage } from "../../src/index.js"
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
    }).pipe(Effect.provide([observed, NodeFileSystem.layer]))
  )

  it.scoped("gives way to prices of one's own", () =>
    Effect.gen(function* () {
      const path = yield* file(`{ "quill-2": ${quill} }`)
      const own = { model: "quill-2", provider: "openai", usd: { inputToken: "0.01", outputToken: "0.01" } }
      expect(yield* costWith(PriceFile.layer(path, { overrides: [own] }))).toBe("1.1")
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
      expect(wrong._tag).toBe("InvalidPrice")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
