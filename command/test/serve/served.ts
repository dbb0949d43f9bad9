/**
 * The page, served by this process, and ledgers for it.
 */
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect, Exit, Scope } from "effect"
import { write } from "../../../bench/ledger/GeneratedLedger.js"
import { build } from "../../page/build.mjs"
import * as PageServer from "../../src/serve/PageServer.js"

/** Something to close after all tests of a file. */
export type Close = () => Promise<unknown>

/** A page that is served. */
export interface Served {
  readonly url: string
  readonly close: Close
  /** Reads from the data API. */
  readonly get: <A>(path: string) => Promise<A>
}

/** Reads until what was read is so, or for some seconds. Gives what was read last. */
export const until = async <A>(read: () => Promise<A>, isSo: (value: A) => boolean): Promise<A> => {
  for (let tries = 0; ; tries++) {
    const value = await read()
    if (isSo(value) || tries === 400) return value
    await new Promise((go) => setTimeout(go, 25))
  }
}

/** An empty folder. */
export const makeFolder = async (closes: Array<Close>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "botanu-page-"))
  closes.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The files of the page, bundled. */
export const makeAssets = async (closes: Array<Close>): Promise<string> => {
  const folder = await makeFolder(closes)
  await build(folder)
  return folder
}

/** The last moment of the generated ledger. */
export const end = Date.UTC(2026, 10, 26)

/** A generated ledger of 60 days. */
export const makeGenerated = async (closes: Array<Close>, runs: number): Promise<string> => {
  const folder = await makeFolder(closes)
  write(folder, { seed: 20261126, runs, days: 60, end, customers: 40 })
  return folder
}

/** How often a page looks at its ledger where nothing is written to it, in milliseconds. */
export const restingMillis = 5000

/** How often it looks where a test writes. */
export const writtenMillis = 50

export const serve = async (
  ledger: string,
  assets: string,
  options: Partial<PageServer.Listening> = {}
): Promise<Served> => {
  const scope = await Effect.runPromise(Scope.make())
  const port = await PageServer.listen({
    host: "127.0.0.1",
    port: 0,
    token: undefined,
    directory: ledger,
    ledger: "./botanu-ledger",
    version: "0.0.0",
    traceUrl: "https://traces.example.com/{traceId}",
    allowAmend: false,
    pollMillis: restingMillis,
    assets,
    ...options
  }).pipe(Scope.extend(scope), Effect.provide(NodeContext.layer), Effect.runPromise)
  const url = `http://127.0.0.1:${port}`
  const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
  const get = async <A>(path: string): Promise<A> =>
    (await (await fetch(`${url}/api/${path}`, { headers })).json()) as A
  while ((await get<{ state: string }>("status")).state === "loading") await new Promise((go) => setTimeout(go, 20))
  return { url, get, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The segment of a ledger that a test writes. */
const segment = join("2026-02-02", "writer-1.jsonl")

/** A ledger of one segment with these lines. */
export const makeLedger = async (closes: Array<Close>, lines: ReadonlyArray<string>): Promise<string> => {
  const folder = await makeFolder(closes)
  await mkdir(join(folder, dirname(segment)))
  await writeFile(join(folder, segment), lines.map((line) => `${line}\n`).join(""))
  return folder
}

/** Adds lines to the ledger, as a program does that runs now. */
export const append = (ledger: string, lines: ReadonlyArray<string>): Promise<void> =>
  appendFile(join(ledger, segment), lines.map((line) => `${line}\n`).join(""))
