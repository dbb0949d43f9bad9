/**
 * The ledger in memory: all of it is there, or it says what is not.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { LedgerMirror, layerDirectory } from "../../src/serve/LedgerMirror.js"
import { type Close, makeFolder, restingMillis } from "./served.js"

const closes: Array<Close> = []

afterAll(async () => {
  for (const close of closes) await close()
})

/** Reads from the mirror of a ledger, once it was read. */
const mirrored = <A>(ledger: string, use: (mirror: LedgerMirror["Type"]) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.flatMap(LedgerMirror, use).pipe(
    Effect.provide(layerDirectory({ ledger, pollMillis: restingMillis })),
    Effect.provide(NodeContext.layer),
    Effect.runPromise
  )

/** The line of a run that has completed. */
const completed = (number: number, usd = "0.5"): string => {
  const id = `019c0000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`
  const run = `{"runId":"${id}","workflow":"Desk","eventId":"e-${number}","customerId":"acme","environment":"test","rootRunId":"${id}","attempt":1,"startTime":"2026-02-02T00:00:00.000Z","cancelled":false}`
  return `{"v":1,"type":"completed","completed":{"run":${run},"status":"success","outcome":{"status":"success"},"endTime":"2026-02-02T00:00:01.000Z","durationMs":1000,"usages":[],"totals":{"usd":"${usd}","inputTokens":0,"outputTokens":0,"calls":0,"unpricedCalls":0},"annotations":{}}}\n`
}

const linesOf = (from: number, until: number): string =>
  Array.from({ length: until - from }, (_, index) => completed(from + index)).join("")

describe("of two records of a run", () => {
  it("the later one counts, by file and line, however many threads read", async () => {
    const ledger = await makeFolder(closes)
    await mkdir(join(ledger, "2026-02-02"))
    const runs = 20_000
    const written = (name: string, text: string) => writeFile(join(ledger, "2026-02-02", name), text)
    await written("writer-1.jsonl", linesOf(0, runs) + completed(runs, "0.25"))
    await written("writer-2.jsonl", completed(runs, "0.75") + linesOf(runs + 1, 2 * runs))
    const usd = await mirrored(ledger, ({ query }) =>
      query("SELECT sum(usd) AS usd, count(*) AS events FROM events", {})
    )
    expect(usd).toEqual([{ usd: `${0.5 * (2 * runs - 1) + 0.75}${"0".repeat(16)}`, events: String(2 * runs) }])
  }, 60_000)
})
