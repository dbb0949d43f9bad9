/**
 * Texts of a ledger, of other programs and of the command line that look like paths: none is part of one. Files are written and
 * removed within the ledger, and where `--output` says.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { utimes } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { record } from "../../test/report/records.js"
import { botanu, linesOf } from "./botanu.js"

const timeout = 60_000

const hostile = ["../../escaped", "/tmp/botanu-escaped", "..\\..\\escaped", "..%2f..%2fescaped", "..", "a/../../b"]

const records = hostile.map((text, index) =>
  record({
    n: index + 1,
    end: index + 2,
    event: text,
    customer: text,
    workflow: text,
    version: text,
    tenant: text,
    calls: [{ model: text, step: text, usd: "0.01" }],
    annotations: { team: text, file: text },
    reason: text,
    errorClass: text
  })
)

/** A ledger two folders below the one that a test watches. */
const makePlace = (text: string): { readonly top: string; readonly ledger: string } => {
  const top = mkdtempSync(join(tmpdir(), "botanu-paths-"))
  onTestFinished(() => rmSync(top, { recursive: true, force: true }))
  const ledger = join(top, "team", "ledger")
  mkdirSync(join(ledger, "2026-02-02"), { recursive: true })
  writeFileSync(join(ledger, "2026-02-02", "writer-1.jsonl"), text)
  for (const folder of [top, join(top, "team"), ledger]) writeFileSync(join(folder, "kept.jsonl"), "kept")
  return { top, ledger }
}

const textOf = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

/** All files that are not those of days. */
const others = (top: string): ReadonlyArray<string> =>
  (readdirSync(top, { recursive: true }) as ReadonlyArray<string>)
    .filter((name) => statSync(join(top, name)).isFile() && !/ledger\/\d{4}-\d{2}-\d{2}\//.test(name))
    .sort()

const kept = ["kept.jsonl", "team/kept.jsonl", "team/ledger/kept.jsonl"]

const spanLine = (text: string, index: number): string => {
  const of = (name: string, value: string) => ({ key: name, value: { stringValue: value } })
  return JSON.stringify({
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: "0af7651916cd43dd8448eb211c80319c",
                spanId: `b7ad6b716920333${index}`,
                name: `botanu.run/${text}`,
                startTimeUnixNano: "1770000000000000000",
                endTimeUnixNano: "1770000001000000000",
                attributes: [
                  of("botanu.run_id", `0190b0c4-1111-4222-8333-44445555666${index}`),
                  of("botanu.workflow", text),
                  of("botanu.event_id", text),
                  of("botanu.customer_id", text),
                  of("botanu.tenant_id", text)
                ]
              }
            ]
          }
        ]
      }
    ]
  })
}

describe("a text that looks like a path", { timeout }, () => {
  it("of a ledger is only a text for every command that reads or writes", async () => {
    const { ledger, top } = makePlace(textOf(linesOf(records)))
    for (const text of hostile) {
      const found = await botanu(["event", text, "--ledger", ledger])
      expect([found.code, found.err], text).toEqual([0, ""])
      const args = ["--outcome", "failure", "--reason", text, "--by", text, "--ledger", ledger]
      expect(await botanu(["amend", text, ...args]), text).toMatchObject({ code: 0, err: "" })
    }
    const filters = ["--workflow", "../../escaped", "--customer", "../../escaped"]
    for (const by of ["workflow,customer,tenant,version,team,file", "step,model"]) {
      const { err, out } = await botanu(["report", "--by", by, ...filters, "--format", "json", "--ledger", ledger])
      expect([err, JSON.parse(out).length], by).toEqual(["", 1])
    }
    expect(others(top)).toEqual(kept)
    await utimes(join(ledger, "2026-02-02/writer-1.jsonl"), 0, 0)
    expect(await botanu(["compact", "--ledger", ledger])).toMatchObject({ code: 0, err: "" })
    const events = JSON.parse((await botanu(["events", "--format", "json", "--ledger", ledger])).out) as ReadonlyArray<{
      readonly eventId: string
    }>
    expect(events.map(({ eventId }) => eventId).sort()).toEqual(hostile.toSorted())
    const output = join(top, "out.csv")
    expect((await botanu(["export", "--format", "csv", "--output", output, "--ledger", ledger])).code).toBe(0)
    expect(others(top)).toEqual([...kept, "out.csv"].sort())
    expect((await botanu(["prune", "--older-than", "1d", "--ledger", ledger])).code).toBe(0)
    expect(others(top)).toEqual([...kept, "out.csv"].sort())
  })

  it("of spans of another program is only a text of the runs that are imported", async () => {
    const { ledger, top } = makePlace("")
    const file = join(top, "spans.jsonl")
    writeFileSync(file, textOf(hostile.map(spanLine)))
    const { code, out } = await botanu(["import", file, "--ledger", ledger])
    expect([code, out]).toEqual([0, `${hostile.length} runs imported, 0 calls`])
    expect(others(top)).toEqual([...kept, "spans.jsonl"].sort())
  })

  it("is refused as the id of a run", async () => {
    const lines = linesOf([record({ n: 1, end: 2 })]).map((line) =>
      line.replaceAll(/"019abc12[^"]+"/g, '"../../escaped"')
    )
    const { ledger, top } = makePlace(textOf(lines))
    await utimes(join(ledger, "2026-02-02/writer-1.jsonl"), 0, 0)
    expect((await botanu(["doctor", "--ledger", ledger])).code).toBe(1)
    await botanu(["compact", "--ledger", ledger])
    expect(others(top)).toEqual(kept)
  })

  it("names no segment of a compacted day: nothing outside of the day is read or removed", async () => {
    const { ledger, top } = makePlace(textOf(linesOf(records)))
    const segment = join(ledger, "2026-02-02/writer-1.jsonl")
    await utimes(segment, 0, 0)
    await botanu(["compact", "--ledger", ledger])
    const [folder = ""] = readdirSync(join(ledger, "2026-02-02"))
    const manifest = join(ledger, "2026-02-02", folder, "manifest.json")
    const whole = readFileSync(manifest, "utf8")
    for (const name of ["../kept.jsonl", "../../kept.jsonl", join(top, "kept.jsonl"), "..", "../../../kept.jsonl"]) {
      writeFileSync(manifest, whole.replace('"writer-1.jsonl"', JSON.stringify(name)))
      await botanu(["compact", "--ledger", ledger])
      await botanu(["prune", "--older-than", "99999d", "--ledger", ledger])
      expect(others(top), name).toEqual(kept)
      expect((await botanu(["doctor", "--ledger", ledger])).out, name).toMatch(/warn .*2026-02-02, compacted/)
    }
    expect(dirname(manifest)).toContain(ledger)
  })
})
