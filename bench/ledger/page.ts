/**
 * The page over a ledger of about 100,000 events: how long the first view and a filter take in a browser, beside a bare query of the
 * same files that is written by hand, and the longest task while the list scrolls, in CPU time too, which other programs change less.
 *
 * `npm run bench:page -- RUNS`; with `compacted` after it, all days are compacted first. A directory in place of the number is one that
 * was written by `generate:ledger` before, and stays.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { type Browser, chromium } from "playwright-core"
import type { Status } from "../../command/src/serve/PageApi.js"
import * as DuckDb from "../../command/src/store/DuckDb.js"
import { makeAssets, serve } from "../../command/test/serve/served.js"
import { abandoned, compacted } from "./CompactedLedger.js"
import { write } from "./GeneratedLedger.js"
import { bareOverLines, bareOverParquet } from "./HandWrittenReport.js"

const [what = "106000", form] = process.argv.slice(2)
const isGiven = existsSync(what)
const ledger = isGiven ? what : mkdtempSync(join(tmpdir(), "botanu-bench-page-"))
const closes: Array<() => Promise<unknown>> = []
const end = Date.UTC(2026, 10, 26)
if (!isGiven) write(ledger, { seed: 1, runs: Number(what), days: 60, end })
/** A period of 30 days and some minutes. Each question is a new one: answers are kept while the ledger is as it was. */
let asked = 0
const sinceNext = (): number => {
  asked += 1
  return end - 30 * 86_400_000 - asked * 60_000
}
const period = () => `since=${sinceNext()}&until=${end}`
const page = () => `since=${new Date(sinceNext()).toISOString()}&until=2026-11-26`

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** The times of several works in turns, the median of each. */
const inTurns = async (...works: ReadonlyArray<() => Promise<unknown>>): Promise<ReadonlyArray<number>> => {
  const times = works.map((): Array<number> => [])
  for (let round = 0; round < 5; round++) {
    for (const [index, work] of works.entries()) times[index]?.push(await timed(work))
  }
  return times.map(median)
}

/** The figures of all events by customer: what is least of an overview. */
const bareReport = form === "compacted" ? bareOverParquet(ledger) : bareOverLines(ledger)

/** The latest failed runs of the period: what is least of a filtered list. */
const bareFailures = () => {
  const period = `BETWEEN TIMESTAMPTZ '${new Date(end - 30 * 86_400_000).toISOString()}' AND TIMESTAMPTZ '${new Date(end).toISOString()}'`
  const statement =
    form === "compacted"
      ? `SELECT event_id, customer_id, workflow, start_time, duration_ms, usd FROM read_parquet(${DuckDb.literal(`${ledger}/*/*/runs.parquet`)})
          WHERE outcome_status = 'failure' AND start_time ${period} ORDER BY start_time DESC LIMIT 100`
      : `SELECT completed.* FROM read_json(${DuckDb.literal(`${ledger}/*/*.jsonl`)}, format = 'newline_delimited', ignore_errors = true,
            columns = {completed: 'STRUCT(run STRUCT("eventId" VARCHAR, "customerId" VARCHAR, workflow VARCHAR, "startTime" TIMESTAMPTZ),
              outcome STRUCT(status VARCHAR), "durationMs" DOUBLE, totals STRUCT(usd VARCHAR))'})
          WHERE completed.outcome.status = 'failure' AND completed.run."startTime" ${period}
          ORDER BY completed.run."startTime" DESC LIMIT 100`
  return Effect.runPromise(Effect.scoped(Effect.flatMap(DuckDb.make, ({ query }) => query(statement))))
}

/** The longest task of the page's main thread during some work, in milliseconds of its CPU time. */
const longestTask = async (browser: Browser, work: () => Promise<unknown>): Promise<number> => {
  const session = await browser.newBrowserCDPSession()
  const durations: Array<number> = []
  session.on("Tracing.dataCollected", ({ value }) => {
    for (const { name, tdur } of value as ReadonlyArray<{ readonly name?: string; readonly tdur?: number }>) {
      if (name === "ThreadControllerImpl::RunTask" && tdur !== undefined) durations.push(tdur / 1000)
    }
  })
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["toplevel"] }
  })
  await work()
  const complete = new Promise<void>((done) => session.once("Tracing.tracingComplete", () => done()))
  await session.send("Tracing.end")
  await complete
  await session.detach()
  return durations.reduce((longest, duration) => Math.max(longest, duration), 0)
}

const line = (name: string, [shown = 0, answered = 0, bare = 0]: ReadonlyArray<number>) =>
  console.log(
    `${name.padEnd(24)}${shown.toFixed(0).padStart(6)} ms, of which answer ${answered.toFixed(0)} ms   bare query ${bare.toFixed(0)} ms, ratio ${(shown / bare).toFixed(2)}`
  )

try {
  if (form === "compacted" && !isGiven) {
    abandoned(ledger)
    await compacted(ledger)
  }
  const assets = await makeAssets(closes)
  const start = performance.now()
  const served = await serve(ledger, assets, { pollMillis: 500 })
  closes.push(served.close)
  const status = await served.get<Status>("status")
  if (status.state === "away") throw new Error(status.problem ?? "the ledger is away")
  const seconds = (performance.now() - start) / 1000
  console.log(`${status.events} events, ${status.runs} runs, read in ${seconds.toFixed(1)} s`)
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox"]
  })
  closes.push(() => browser.close())
  const shown = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  line(
    "first view, overview",
    await inTurns(
      async () => {
        await shown.goto(`${served.url}/?${page()}`)
        await shown.waitForSelector(".chart rect")
      },
      () => served.get(`overview?${period()}`),
      bareReport
    )
  )
  await shown.goto(`${served.url}/events?${page()}`)
  await shown.waitForSelector("tr[data-index]")
  const outcomes = ["failure", "timeout", "partial", "canceled", "success"]
  const [answered = 0, bare = 0] = await inTurns(() => served.get(`events?${period()}&outcome=failure`), bareFailures)
  const filters: Array<number> = []
  for (const outcome of outcomes) {
    await shown.keyboard.press("f")
    await shown.selectOption(".popup select", "outcome")
    filters.push(
      await timed(async () => {
        await shown.click(`.options [title="${outcome}"]`)
        await shown.waitForSelector(`.explorer[aria-busy=false] tr[data-index="0"] .is-${outcome}`)
      })
    )
    await shown.click(".chip .remove")
    await shown.waitForSelector(".chip", { state: "detached" })
  }
  line("filter, events", [median(filters), answered, bare])
  const longest = await longestTask(browser, () =>
    shown.evaluate(async () => {
      for (let step = 0; step < 120; step++) {
        scrollBy(0, 900)
        await new Promise((next) => requestAnimationFrame(next))
      }
      await new Promise((next) => setTimeout(next, 500))
    })
  )
  console.log(`scrolling 120 screens     longest task ${longest.toFixed(0)} ms of CPU`)
} finally {
  for (const close of closes.reverse()) await close()
  if (!isGiven) rmSync(ledger, { recursive: true, force: true })
}
