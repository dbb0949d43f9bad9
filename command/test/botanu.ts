/**
 * The command, run in this process, and ledgers for it.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import type { Ledger } from "botanu-effect/ledger"
import type { RunRecord } from "botanu-effect/report"
import { ConfigProvider, Effect, Fiber, Layer } from "effect"
import { onTestFinished } from "vitest"
import { main } from "../src/Cli.js"
import { Screen } from "../src/terminal/Screen.js"

/** What acts on a terminal, line ends aside. */
export const actsOnTerminal = /[^\P{Cc}\n]|[\u202a-\u202e]/u

/** What a run of the command printed. */
export interface Printed {
  readonly out: string
  readonly err: string
  readonly code: number
}

export interface Setting {
  readonly columns?: number
  readonly hasColour?: boolean
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the command with these arguments. */
export const botanu = async (args: ReadonlyArray<string>, setting: Setting = {}): Promise<Printed> => {
  const { command, err, out } = prepared(args, setting)
  const code = await Effect.runPromise(command)
  return { out: out.join("\n"), err: err.join("\n"), code }
}

/** Starts the command, which goes on until it is stopped. `out` grows meanwhile. */
export const starting = (
  args: ReadonlyArray<string>
): { readonly out: ReadonlyArray<string>; readonly stop: () => Promise<unknown> } => {
  const { command, out } = prepared(args, {})
  const fiber = Effect.runFork(command)
  return { out, stop: () => Effect.runPromise(Fiber.interrupt(fiber)) }
}

const prepared = (args: ReadonlyArray<string>, setting: Setting) => {
  const out: Array<string> = []
  const err: Array<string> = []
  const screen = Layer.succeed(Screen, {
    columns: setting.columns ?? 100,
    isUtf8: true,
    hasColour: setting.hasColour ?? false,
    print: (lines) => Effect.sync(() => out.push(...lines)),
    complain: (line) => Effect.sync(() => err.push(line)),
    working: (effect) => effect
  })
  const command = main(["node", "botanu", ...args]).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(setting.env ?? {})))),
    Effect.provide([NodeContext.layer, screen])
  )
  return { command, err, out }
}

/** The lines of records, as a writer of this version writes them. */
export const linesOf = (
  records: ReadonlyArray<RunRecord.RunRecord>,
  amendments: ReadonlyArray<Ledger.OutcomeAmendment> = []
): ReadonlyArray<string> => [
  ...records.map(({ completed, run }) =>
    JSON.stringify(completed === undefined ? { v: 1, type: "started", run } : { v: 1, type: "completed", completed })
  ),
  ...amendments.map((amendment) => JSON.stringify({ v: 1, type: "amended", amendment }))
]

/** A ledger with these files, removed after the test. */
export const makeLedger = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), "botanu-ledger-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  return directory
}

/** A ledger of one segment with these lines. */
export const ledgerOf = (lines: ReadonlyArray<string>): Promise<string> =>
  makeLedger({ "2026-02-02/writer-1.jsonl": lines.map((line) => `${line}\n`).join("") })
