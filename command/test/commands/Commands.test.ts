/**
 * Every command that reads or writes, on a directory and on PostgreSQL.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { record } from "../../../test/report/records.js"
import { actsOnTerminal, botanu, linesOf } from "../botanu.js"
import { stores } from "../stores.js"

const timeout = 60_000

const lines = linesOf([
  record({ n: 1, event: "a", start: 0, end: 2, version: "1.0.0", calls: [{ usd: "0.03" }] }),
  record({
    n: 2,
    event: "b",
    start: 1,
    end: 5,
    version: "1.0.0",
    status: "failure",
    errorClass: "RateLimited",
    calls: [{ usd: "0.01" }, {}]
  }),
  record({
    n: 3,
    event: "b",
    start: 6,
    end: 7,
    root: 2,
    attempt: 2,
    version: "1.0.0",
    status: "failure",
    errorClass: "RateLimited",
    calls: [{ usd: "0.02" }]
  }),
  record({
    n: 4,
    event: "c",
    start: 86_400,
    end: 86_401,
    version: "2.0.0",
    customer: "=cmd()",
    calls: [{ usd: "0.5", model: "nova-2" }]
  }),
  record({
    n: 5,
    event: "d",
    start: 86_402,
    end: 86_403,
    version: "2.0.0",
    status: "canceled",
    reason: "\u001b[2Jgone",
    calls: []
  })
])

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "botanu-command-"))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const jsonOf = async (args: ReadonlyArray<string>): Promise<ReadonlyArray<Record<string, unknown>>> =>
  JSON.parse((await botanu([...args, "--format", "json"])).out)

const refusedStatements = [
  "drop table runs",
  "delete from runs",
  "insert into runs select * from runs",
  "create table mine as select 1",
  "with gone as (delete from runs returning 1) select * from gone",
  "select 1; drop table runs",
  "select 1) as q; drop table runs; --",
  "copy (select 1) to '/tmp/botanu-stolen.csv'",
  "attach '/tmp/botanu-stolen.db'",
  "select * from read_text('/etc/passwd')",
  "select * from '/etc/passwd'",
  "select * from read_csv('/etc/passwd')",
  "select pg_read_file('/etc/passwd')",
  "select * from pg_ls_dir('/')",
  "set enable_external_access = true",
  "set default_transaction_read_only = off",
  "load postgres",
  "call pragma_version()",
  "vacuum",
  "begin",
  "",
  "select \u001b[31m"
]

describe.each(stores())("on $name", { timeout }, ({ ledgerOf }) => {
  it("events are listed, the latest or the dearest first", async () => {
    const ledger = await ledgerOf(lines)
    const idsBy = async (...args: ReadonlyArray<string>) =>
      (await jsonOf(["events", "--ledger", ledger, ...args])).map(({ eventId }) => eventId)
    expect(await idsBy()).toEqual(["d", "c", "b", "a"])
    expect(await idsBy("--sort", "spend")).toEqual(["c", "b", "a", "d"])
    expect(await idsBy("--sort", "attempts", "--limit", "1")).toEqual(["b"])
    expect(await idsBy("--sort", "took", "--limit", "1")).toEqual(["b"])
    expect(await idsBy("--search", "CMD()")).toEqual(["c"])
    expect(await idsBy("--outcome", "failure")).toEqual(["b"])
    expect(await jsonOf(["events", "--ledger", ledger, "--search", "b", "--outcome", "failure"])).toMatchObject([
      {
        usd: "0.03",
        usdBeforeFinal: "0.01",
        attempts: 2,
        runs: 2,
        unpricedCalls: 1,
        tookMs: 6000,
        errorClass: "RateLimited"
      }
    ])
    const { out } = await botanu(["events", "--limit", "3", "--ledger", ledger])
    expect(out).toContain("the first 3: --limit shows more")
    expect(out).toMatch(/^b +failure +0\.0300 \+1\?/m)
  })

  it("failures are grouped by workflow and reason, with what they cost", async () => {
    const ledger = await ledgerOf(lines)
    expect(await jsonOf(["failures", "--ledger", ledger])).toMatchObject([
      {
        workflow: "Customer Support",
        status: "failure",
        reason: "RateLimited",
        events: 1,
        attempts: 2,
        usd: "0.03",
        lastEventId: "b"
      },
      { status: "canceled", events: 1, usd: "0", lastEventId: "d" }
    ])
    const { out } = await botanu(["failures", "--ledger", ledger])
    expect(out).toContain("RateLimited")
    expect(out).not.toMatch(actsOnTerminal)
  })

  it("an event that timed out failed by its deadline", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2, status: "timeout" })]))
    expect((await botanu(["failures", "--ledger", ledger])).out).toMatch(/timeout +deadline +1 /)
  })

  it("versions are compared, with how sure the difference is", async () => {
    const ledger = await ledgerOf(lines)
    const found = await jsonOf(["compare", "--before", "1.0.0", "--after", "2.0.0", "--ledger", ledger])
    expect(found.map(({ figure }) => figure)).toEqual([
      "usdPerSuccess",
      "usdPerEvent",
      "successRate",
      "attemptsPerEvent",
      "events"
    ])
    expect(found[1]?.["before"]).toBeCloseTo(0.03, 12)
    expect(found[1]?.["after"]).toBeCloseTo(0.25, 12)
    // Half of the events of both succeeded: Newcombe's interval for 1 of 2 against 1 of 2.
    expect(found[2]).toMatchObject({ before: 0.5, after: 0.5, difference: 0 })
    expect(found[2]?.["high"]).toBeCloseTo(0.574, 2)
    const { out } = await botanu(["compare", "--before", "1.0.0", "--after", "2.0.0", "--ledger", ledger])
    expect(out).toMatch(/Per event, USD +0\.0300 +0\.2500 +\+733% .*may be chance/)
    const none = await botanu(["compare", "--before", "1.0.0", "--after", "9", "--ledger", ledger])
    expect(none.code).toBe(2)
    expect(none.err).toContain("--after: no event that is over")
  })

  it("runs are listed, the latest last, and followed", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["runs", "--limit", "3", "--ledger", ledger])
    expect(out.split("\n").map((line) => /(\S+)\s+(?:bigretail|=cmd)/.exec(line)?.[1])).toEqual(["b", "c", "d"])
    expect(out).not.toMatch(actsOnTerminal)
  })

  it("an outcome is amended, and counts from then on", async () => {
    const ledger = await ledgerOf(lines)
    const amended = await botanu([
      "amend",
      "a",
      "--outcome",
      "failure",
      "--reason",
      "refund not received",
      "--by",
      "crm-sync",
      "--ledger",
      ledger
    ])
    expect(amended).toMatchObject({ code: 0, err: "" })
    expect(amended.out).toContain("a of bigretail: success is now failure, amended by crm-sync")
    expect((await botanu(["event", "a", "--ledger", ledger])).out).toMatch(
      /Outcome +failure +amended .* by crm-sync: refund not received\n +success +recorded/
    )
    expect(await jsonOf(["events", "--search", "a", "--outcome", "failure", "--ledger", ledger])).toMatchObject([
      { eventId: "b" },
      { eventId: "a", isAmended: true, recordedStatus: "success" }
    ])
    const unknown = await botanu(["amend", "' OR 1=1 --", "--outcome", "failure", "--by", "x", "--ledger", ledger])
    expect(unknown.code).toBe(1)
    const refused = await botanu(["amend", "a", "--outcome", "failure", "--by", "", "--ledger", ledger])
    expect(refused.code).toBe(2)
    expect(refused.err.split("\n")).toHaveLength(1)
  })

  it("calls are priced again, and corrected where that is asked for", async () => {
    const ledger = await ledgerOf(
      linesOf([
        record({
          n: 1,
          event: "a",
          start: 0,
          end: 2,
          calls: [{ model: "nova-2", inputTokens: 1000, outputTokens: 10 }, { usd: "0.5" }]
        })
      ])
    )
    const prices = join(folder(), "prices.json")
    writeFileSync(
      prices,
      JSON.stringify({
        "nova-2": {
          litellm_provider: "openai",
          mode: "chat",
          input_cost_per_token: 0.000002,
          output_cost_per_token: 0.00001
        }
      })
    )
    const usdOf = async () =>
      (await jsonOf(["events", "--ledger", ledger])).map(({ unpricedCalls, usd }) => [usd, unpricedCalls])
    const shown = await botanu(["reprice", "--prices", prices, "--ledger", ledger])
    expect(shown.out).toMatch(/nova-2 +1 +1 +0\.0000 +0\.0021 +\+0\.0021/)
    expect(shown.out).toContain("1 runs would change: --write corrects them")
    expect(await usdOf()).toEqual([["0.5", 1]])
    expect((await botanu(["reprice", "--prices", prices, "--write", "--ledger", ledger])).code).toBe(0)
    expect(await usdOf()).toEqual([["0.5021", 0]])
    expect((await botanu(["reprice", "--prices", prices, "--write", "--ledger", ledger])).out).toBe(
      "no call has another cost at these prices"
    )
    const charges = (await botanu(["event", "a", "--charges", "--ledger", ledger])).out
    expect(charges).toMatch(/nova-2 +inputTokens +1,000 +0\.0020/)
    expect(charges).toMatch(/Sum +0\.50/)
    expect((await botanu(["reprice", "--prices", `${prices}x`, "--ledger", ledger])).err).toContain(
      "--prices: there is no file"
    )
  })

  it("an event is printed as JSON, with its records", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["event", "b", "--json", "--ledger", ledger])
    expect(JSON.parse(out)).toMatchObject([
      {
        eventId: "b",
        status: "failure",
        attempts: 2,
        cost: { usd: "0.03", calls: 3, unpricedCalls: 1 },
        runs: [{ errorClass: "RateLimited" }, {}]
      }
    ])
  })

  it("a statement selects, on the same tables", async () => {
    const ledger = await ledgerOf(lines)
    const select = (statement: string) => botanu(["sql", statement, "--format", "csv", "--ledger", ledger])
    expect((await select("select event_id, usd::numeric(10, 2) as usd from events order by event_id;")).out).toBe(
      "event_id,usd\na,0.03\nb,0.03\nc,0.50\nd,0.00"
    )
    expect((await select("select model, count(*) as calls from usages group by 1 order by 1")).out).toBe(
      "model,calls\nnova-2,1\nquill-2,4"
    )
    expect((await select("select count(*) as n from charges")).out).toBe("n\n0")
    expect((await select("select r.customer_id as c from runs r where r.event_id = 'c'")).out).toBe("c\n'=cmd()")
    expect((await select("select cancellation_reason as c from runs where event_id = 'd'")).out).not.toMatch(
      actsOnTerminal
    )
    expect((await botanu(["sql", "select 1 as one where 1 = 2", "--ledger", ledger])).out).toBe("no rows")
  })

  it("a statement that does more than select is refused in one line, and changes nothing", {
    timeout: 2 * timeout
  }, async () => {
    const ledger = await ledgerOf(lines)
    for (const statement of refusedStatements) {
      const { code, err, out } = await botanu(["sql", statement, "--ledger", ledger])
      expect({ code, out }, statement).toEqual({ code: 2, out: "" })
      expect(err, statement).toMatch(/^botanu: /)
      expect(err.split("\n"), statement).toHaveLength(1)
      expect(err, statement).not.toMatch(actsOnTerminal)
      expect(existsSync("/tmp/botanu-stolen.csv"), statement).toBe(false)
      expect(existsSync("/tmp/botanu-stolen.db"), statement).toBe(false)
    }
    expect((await jsonOf(["events", "--ledger", ledger])).length).toBe(4)
  })

  it("tables are exported as CSV and Parquet, and runs as lines of a ledger", async () => {
    const ledger = await ledgerOf(lines)
    const into = folder()
    const exported = (...args: ReadonlyArray<string>) => botanu(["export", "--ledger", ledger, ...args])
    expect(await exported("--format", "csv", "--output", join(into, "e.csv"))).toMatchObject({ code: 0, err: "" })
    const csv = readFileSync(join(into, "e.csv"), "utf8")
    expect(csv).toContain("'=cmd()")
    expect(csv).not.toContain("\u001b")
    expect((await exported("--format", "csv", "--output", join(into, "e.csv"))).err).toContain("is there already")
    expect(
      (await exported("--of", "usages", "--format", "parquet", "--output", join(into, "u.parquet"))).out
    ).toContain("5 rows of usages")
    expect(readFileSync(join(into, "u.parquet")).subarray(0, 4).toString()).toBe("PAR1")
    const copy = join(into, "copy", "2026-02-02")
    await import("node:fs/promises").then(({ mkdir }) => mkdir(copy, { recursive: true }))
    expect((await exported("--format", "jsonl", "--output", join(copy, "runs-1.jsonl"))).out).toContain("5 runs in")
    const figures = ["report", "--by", "workflow,outcome,customer", "--sort", "key"]
    expect(await jsonOf([...figures, "--ledger", join(into, "copy")])).toEqual(
      await jsonOf([...figures, "--ledger", ledger])
    )
    expect((await exported("--format", "csv", "--output", join(into, "no", "such", "folder.csv"))).code).toBe(3)
  })

  it("old runs are removed", async () => {
    const ledger = await ledgerOf(lines)
    expect((await botanu(["prune", "--older-than", "99999d", "--ledger", ledger])).code).toBe(0)
    expect((await jsonOf(["events", "--ledger", ledger])).length).toBe(4)
    expect((await botanu(["prune", "--older-than", "30d", "--ledger", ledger])).out).toMatch(/^removed /)
    expect((await jsonOf(["events", "--ledger", ledger])).length).toBe(0)
    expect((await botanu(["prune", "--older-than", "soon", "--ledger", ledger])).err).toContain(
      "--older-than: expected a number of days such as 90d"
    )
  })

  it("what would be removed is said first", async () => {
    const ledger = await ledgerOf(lines)
    const { code, out } = await botanu(["prune", "--older-than", "30d", "--dry-run", "--ledger", ledger])
    expect(code).toBe(0)
    expect(out).toMatch(/^would remove (\d days before|2026-02)/)
    expect((await jsonOf(["events", "--ledger", ledger])).length).toBe(4)
  })

  it("its tables are up to date", async () => {
    const ledger = await ledgerOf([])
    expect((await botanu(["migrate", "--ledger", ledger])).out).toMatch(/a directory needs no migration|is up to date/)
  })
})
