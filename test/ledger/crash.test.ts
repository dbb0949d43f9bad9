/**
 * Writers that are killed: what was acknowledged is there, once. `CRASHES=200 npx vitest run test/ledger/crash.test.ts` kills
 * as many.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Ledger } from "../../src/ledger/index.js"
import { processProgram } from "../bundle.js"

const crashes = Number(process.env["CRASHES"] ?? 8)
const atOnce = 4
const writer = await processProgram(new URL("writer.ts", import.meta.url))

/** Kills a writer after it has acknowledged so many runs and a moment more; gives the ids that it acknowledged. */
const killedAfter = async (directory: string, acknowledged: number, moreMillis: number) => {
  const child = spawn(process.execPath, [writer, directory], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const exited = once(child, "exit")
  const ids: Array<string> = []
  for await (const line of createInterface(child.stdout)) {
    ids.push(line)
    if (ids.length === acknowledged) setTimeout(() => child.kill("SIGKILL"), moreMillis)
  }
  await exited
  return ids
}

it(`${crashes} writers that are killed lose nothing that was flushed`, { timeout: 20_000 * crashes }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "botanu-crash-"))
  try {
    const acknowledged: Array<string> = []
    for (let begun = 0; begun < crashes; begun += atOnce) {
      const killed = Array.from({ length: Math.min(atOnce, crashes - begun) }, () =>
        killedAfter(directory, 25 + Math.floor(Math.random() * 150), Math.random() * 60)
      )
      acknowledged.push(...(await Promise.all(killed)).flat())
    }
    const { lost, problems, records } = await Effect.runPromise(
      Effect.provide(Ledger.read(directory), NodeContext.layer)
    )
    const completed = records.filter((record) => record.completed !== undefined).map(({ run }) => run.runId as string)
    expect(new Set(completed).size).toBe(completed.length)
    expect(acknowledged.filter((id) => !completed.includes(id))).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(25 * crashes)
    expect(problems.filter(({ problem }) => problem !== "cut")).toEqual([])
    expect(lost).toBe(0)
    // Their processes are gone.
    expect(records.filter((record) => record.completed === undefined && record.isLost !== true)).toEqual([])
  } finally {
    await rm(directory, { recursive: true })
  }
})
