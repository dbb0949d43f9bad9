/**
 * A ledger as this version writes it: lines, and the same lines in compacted days. Every later version reads both.
 */
import { cp } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { abandoned } from "../../../bench/ledger/CompactedLedger.js"
import { botanu, makeLedger } from "../botanu.js"

const fixtures = fileURLToPath(new URL("./ledger-v1/", import.meta.url))

const questions: ReadonlyArray<ReadonlyArray<string>> = [
  ["report", "--by", "customer,workflow,day,outcome,status", "--format", "json"],
  ["report", "--by", "model,provider,step", "--format", "json"],
  ["sql", "select event_id, status, runs, attempts, usd, is_amended from events order by event_id", "--format", "csv"],
  ["sql", "select run_id, meter, quantity, usd from charges order by all", "--format", "csv"],
  ["sql", "select run_id, meter, amount from quantities order by all", "--format", "csv"],
  ["event", "b", "--json"]
]

it("of version 1 is read: lines and compacted days say the same", { timeout: 60_000 }, async () => {
  const copy = async (name: string) => {
    const directory = await makeLedger({})
    await cp(join(fixtures, name), directory, { recursive: true })
    abandoned(directory)
    return directory
  }
  const [lines, compacted] = [await copy("lines"), await copy("compacted")]
  const answered = async (question: ReadonlyArray<string>, ledger: string): Promise<string> => {
    const { code, err, out } = await botanu([...question, "--ledger", ledger])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    return out.replaceAll(ledger, "")
  }
  for (const question of questions) expect(await answered(question, compacted)).toBe(await answered(question, lines))
  expect(await answered(questions[2] ?? [], compacted)).toBe(
    [
      "event_id,status,runs,attempts,usd,is_amended",
      "a,failure,1,1,0.030000000000000000000000,true",
      "b,success,3,2,0.530000000000000000000001,false",
      "c,lost,1,1,0.000000000000000000000000,false"
    ].join("\n")
  )
})
