/**
 * The core in a browser: bundled from the compiled package without a part of Node, small enough to be loaded, and run once.
 */
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { chromium } from "playwright-core"
import { expect, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }
import { root } from "./project.js"

/** Bundles a program for browsers. Fails where the bundler warns, as it does of an import that it drops. */
const bundleOf = async (program: string, external: ReadonlyArray<string> = []): Promise<Uint8Array> => {
  const { outputFiles, warnings } = await build({
    stdin: { contents: program, resolveDir: root },
    alias: { [manifest.name]: join(root, manifest.exports["."].default) },
    external: [...external],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent"
  })
  expect(warnings).toEqual([])
  return outputFiles[0]?.contents ?? new Uint8Array()
}

const kilobytes = (bundle: Uint8Array): number => gzipSync(bundle).length / 1000

const everything = `export * from "${manifest.name}"`

const program = `
import { Botanu, Llm, Outcome, PriceBook, Propagation, RunContext, RunExporter } from "${manifest.name}"
import { Effect, Layer } from "effect"

const call = Effect.succeed("an answer").pipe(
  Llm.track({ provider: "openai", model: "quill-2", usage: () => ({ inputTokens: 1000 }) })
)
const program = Effect.gen(function* () {
  const headers = yield* Effect.zipRight(call, Propagation.inject).pipe(
    Effect.zipLeft(Outcome.emit("success")),
    Botanu.workflow("In a browser", { eventId: "order-1", customerId: "acme" })
  )
  const received = yield* Effect.flatten(Propagation.extract(headers))
  const [completed] = yield* Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)
  return { isSame: received.runId === completed.run.runId, completed: JSON.parse(JSON.stringify(completed)) }
})
const prices = PriceBook.layer([{ model: "quill-2", usd: { inputToken: "0.00000015" } }])
globalThis.result = Effect.runPromise(Effect.provide(program, Layer.merge(RunExporter.layerMemory, prices)))
`

it("is at most 52 kB of the network, and 250 kB with what it needs of Effect", async () => {
  expect(kilobytes(await bundleOf(everything, ["effect"]))).toBeLessThan(52)
  expect(kilobytes(await bundleOf(everything))).toBeLessThan(250)
})

it("runs in Chromium", async () => {
  const content = new TextDecoder().decode(await bundleOf(program))
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox"]
  })
  try {
    const page = await browser.newPage()
    await page.addScriptTag({ content, type: "module" })
    const result = await page.evaluate(() => (globalThis as unknown as { readonly result: Promise<unknown> }).result)
    expect(result).toMatchObject({
      isSame: true,
      completed: {
        status: "success",
        run: { eventId: "order-1" },
        totals: { usd: "0.00015", inputTokens: 1000, calls: 1 }
      }
    })
  } finally {
    await browser.close()
  }
})
