/**
 * The server of the page: whom it answers, what its data API says, and what it does when the ledger changes or goes away.
 */
import { appendFile, mkdir, readFile, rename, utimes, writeFile } from "node:fs/promises"
import { request as httpRequest } from "node:http"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Cost } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, Summary } from "botanu-effect/report"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { record } from "../../../test/report/records.js"
import type * as Page from "../../src/serve/PageApi.js"
import { botanu, linesOf } from "../botanu.js"
import { useFixture } from "./fixture.js"
import { append, end, makeFolder, restingMillis, type Served, until } from "./served.js"

const fixture = useFixture(1500)
const { closes, ledgerOf, served } = fixture

const day = 86_400_000

const sorted = (numbers: ReadonlyArray<number>): ReadonlyArray<number> => numbers.toSorted((one, other) => one - other)

/** A request with any headers, which `fetch` does not send. */
const ask = (url: string, headers: Record<string, string> = {}, method = "GET", body = "") =>
  new Promise<{ status: number; headers: Record<string, string | Array<string> | undefined>; text: string }>(
    (resolve, reject) => {
      const request = httpRequest(url, { method, headers }, (response) => {
        let text = ""
        response.on("data", (chunk) => {
          text += chunk
        })
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      })
      request.on("error", reject).end(body)
    }
  )

/** A request for a path as it is: an URL would be normalised. */
const askPath = (port: number, path: string) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path }, async (response) => {
      const chunks = await response.toArray()
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
    })
    request.on("error", reject).end()
  })

describe("trust", () => {
  it("answers names of this machine only, so that a name that points here gets nothing", async () => {
    const { port } = new URL(fixture.shop.url)
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      expect([host, (await ask(`${fixture.shop.url}/api/status`, { host })).status]).toEqual([host, 200])
    }
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "127.evil.example"]) {
      expect([host, (await ask(`${fixture.shop.url}/api/status`, { host })).status]).toEqual([host, 403])
    }
  })

  it("answers no page of another origin", async () => {
    const own = fixture.shop.url
    expect((await ask(`${fixture.shop.url}/api/status`, { origin: own })).status).toBe(200)
    for (const origin of ["https://evil.example", "null", `${own}.evil.example`, own.replace(/\d+$/, "1")]) {
      expect([origin, (await ask(`${fixture.shop.url}/api/status`, { origin })).status]).toEqual([origin, 403])
    }
    expect(
      (await ask(`${fixture.shop.url}/api/status`, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }))
        .status
    ).toBe(403)
    expect((await ask(fixture.shop.url, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).status).toBe(
      200
    )
  })

  it("has no file but those of the page, whatever a path says", async () => {
    const { port } = new URL(fixture.shop.url)
    const page = (await ask(fixture.shop.url)).text
    const up = ["..", "%2e%2e", "%252e%252e", "..%2f..", "..%5c..", "....//..", "page.js/..", "..\\.."]
    for (const path of [...up.map((step) => `/${step}/${step}/${step}/${step}/etc/passwd`), "//etc/passwd", "/%00"]) {
      const { status, text } = await askPath(Number(port), path)
      expect([path, status, text === page ? "page" : text]).toEqual([path, 200, "page"])
    }
    for (const path of ["/api/../../package.json", "/api/%2e%2e/%2e%2e/etc/passwd", "/api/event/../../etc/passwd"]) {
      expect([path, (await askPath(Number(port), path)).text].join(" ")).not.toMatch(/root:|"name":/)
    }
  })

  it("lets the browser run its own files only, on every answer", async () => {
    for (const path of ["/", "/page.js", "/events", "/api/status", "/api/nothing"]) {
      const { headers } = await ask(`${fixture.shop.url}${path}`)
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/)
      expect(headers["content-security-policy"]).not.toContain("unsafe")
      expect(headers["x-content-type-options"]).toBe("nosniff")
    }
    const { text } = await ask(fixture.shop.url)
    expect(text.match(/<script(?![^>]*src=)/g)).toBeNull()
    expect(text).not.toMatch(/ on\w+=|style=/)
  })

  it("needs the token where there is one, and takes it out of the address", async () => {
    const secret = await served(fixture.generated, { token: "a secret of some length" })
    const cookie = `botanu-token=${encodeURIComponent("a secret of some length")}`
    expect((await ask(`${secret.url}/api/status`)).status).toBe(401)
    expect((await ask(`${secret.url}/?token=wrong`)).status).toBe(401)
    expect((await ask(`${secret.url}/api/status?token=a+secret+of+some+length`)).status).toBe(401)
    const opened = await ask(`${secret.url}/events?customer=a&token=a%20secret%20of%20some%20length`)
    expect([opened.status, opened.headers["location"]]).toEqual([303, "/events?customer=a"])
    expect(opened.headers["set-cookie"]).toEqual([`${cookie}; Path=/; HttpOnly; SameSite=Lax`])
    expect((await ask(`${secret.url}/api/status`, { cookie })).status).toBe(200)
    expect((await ask(`${secret.url}/api/status`, { authorization: "Bearer a secret of some length" })).status).toBe(
      200
    )
  })

  it("is not started for other machines without a token", async () => {
    const { code, err } = await botanu(["serve", "--ledger", fixture.generated, "--host", "0.0.0.0"])
    expect([code, err]).toEqual([2, expect.stringContaining("--token")])
    expect((await botanu(["serve", "--ledger", fixture.generated, "--host", "0.0.0.0", "--token", "short"])).code).toBe(
      2
    )
    expect(
      (await botanu(["serve", "--ledger", fixture.generated, "--trace-url", "javascript:alert(1)//{traceId}"])).code
    ).toBe(2)
    expect((await botanu(["serve", "--ledger", join(fixture.generated, "none")])).code).toBe(2)
  })
})

describe("the data API", () => {
  const contents = () => Ledger.read(fixture.generated).pipe(Effect.provide(NodeContext.layer), Effect.runPromise)

  it("has the figures that botanu-effect/report computes in memory", async () => {
    const { amendments, records } = await contents()
    const events = BusinessEvent.fromRecords(records, amendments)
    const [since, last] = [end - 30 * day, end]
    const inPeriod = (from: number, to: number) =>
      events.filter(({ startTime }) => startTime.epochMillis >= from && startTime.epochMillis < to)
    const overview = await fixture.shop.get<Page.Overview>(`overview?since=${since}&until=${last}`)
    for (const [found, expected] of [
      [overview.now, Summary.of(inPeriod(since, last))],
      [overview.before, Summary.of(inPeriod(since - 30 * day, since))]
    ] as const) {
      expect(found).toMatchObject({
        events: expected.events,
        attempts: expected.attempts,
        runs: expected.runs,
        successes: expected.outcomes.success,
        failures: expected.outcomes.failure + expected.outcomes.timeout + expected.outcomes.canceled,
        partials: expected.outcomes.partial,
        usd: Cost.format(expected.cost.usd),
        usdOfSuccesses: Cost.format(expected.costOfSuccesses.usd),
        usdOfFailures: Cost.format(expected.costOfFailures.usd),
        calls: expected.cost.calls,
        unpricedCalls: expected.cost.unpricedCalls,
        usdPerSuccess: expected.usdPerSuccess && Cost.format(expected.usdPerSuccess),
        p50Ms: expected.p50Ms,
        p95Ms: expected.p95Ms
      })
    }
    const workflows = Summary.by(inPeriod(since, last), ({ workflow }) => workflow)
    expect(overview.workflows.map(({ name, now }) => [name, now.usd, now.events])).toEqual(
      workflows.map(([name, { cost, events }]) => [name, Cost.format(cost.usd), events])
    )
    expect(overview.buckets).toHaveLength(30)
    expect(overview.buckets.reduce((sum, { totals }) => sum + totals.events, 0)).toBe(overview.now.events)
    for (const stack of ["workflow", "outcome", "customer", "model"]) {
      const { now, series } = await fixture.shop.get<Page.Overview>(
        `overview?since=${since}&until=${last}&stack=${stack}`
      )
      const sum = series.reduce((sum, { usd }) => sum + Number(usd), 0)
      expect([stack, sum]).toEqual([stack, expect.closeTo(Number(now.usd), 9)])
    }
  })

  it("lists events by any column, and the sums of what is listed", async () => {
    const { amendments, records } = await contents()
    const events = BusinessEvent.fromRecords(records, amendments)
    const retried = await fixture.shop.get<Page.Events>("events?attempts=2&sort=started&order=ascending&limit=500")
    expect(retried.rows.map(({ eventId }) => eventId)).toEqual(
      events.filter(({ attempts }) => attempts >= 2).map(({ eventId }) => eventId)
    )
    for (const row of retried.rows) {
      const event = events.find(({ customerId, eventId }) => eventId === row.eventId && customerId === row.customerId)
      expect(row).toMatchObject({
        status: event?.status ?? null,
        usd: event && Cost.format(event.cost.usd),
        usdBeforeFinal: event && Cost.format(event.costBeforeFinal.usd)
      })
    }
    const costly = await fixture.shop.get<Page.Events>("events?sort=cost&limit=500&unpriced=no")
    const costs = costly.rows.map(({ usd }) => Number(usd))
    expect(costs).toEqual([...costs].sort((one, other) => other - one))
    expect(costly.totals.unpricedCalls).toBe(0)
  })

  it("lists all groups, part by part, with the figures of the overview", async () => {
    const { amendments, records } = await contents()
    const [since, until] = [end - 30 * day, end]
    const period = `since=${since}&until=${until}`
    const events = BusinessEvent.fromRecords(records, amendments).filter(
      ({ startTime }) => startTime.epochMillis >= since && startTime.epochMillis < until
    )
    const expected = Summary.by(events, ({ customerId }) => customerId)
    const listed: Array<Page.Groups["events"][number]> = []
    for (let offset = 0; offset < expected.length; offset += 7) {
      const part = await fixture.shop.get<Page.Groups>(`groups?by=customer&${period}&offset=${offset}&limit=7`)
      expect(part.count).toBe(expected.length)
      listed.push(...part.events)
    }
    expect(listed.map(({ name, now }) => [name, now.events, now.usd])).toEqual(
      expected.map(([name, { cost, events }]) => [name, events, Cost.format(cost.usd)])
    )
    const overview = await fixture.shop.get<Page.Overview>(`overview?${period}`)
    expect(listed.slice(0, 6)).toEqual(overview.customers)
    for (const [by, groups] of [
      ["model", overview.models],
      ["step", overview.steps]
    ] as const) {
      const { calls } = await fixture.shop.get<Page.Groups>(`groups?by=${by}&${period}`)
      expect(calls.slice(0, 6)).toEqual(groups)
    }
    const usages = events.flatMap(({ runs }) => runs.flatMap(({ completed }) => completed?.usages ?? []))
    for (const { name, p95Ms } of overview.steps) {
      const durations = usages.flatMap(({ usage }) => (usage.step === name ? (usage.durationMs ?? []) : []))
      expect([name, p95Ms]).toEqual([name, Summary.percentile(sorted(durations), 0.95)])
    }
    expect(overview.steps.length).toBeGreaterThan(2)
  })

  it("compares an event with what others of its workflow cost that are over", async () => {
    const { amendments, records } = await contents()
    const events = BusinessEvent.fromRecords(records, amendments)
    const [event] = events
    const amounts = sorted(
      events
        .filter(
          ({ status, workflow }) =>
            workflow === event?.workflow && status !== undefined && status !== "running" && status !== "lost"
        )
        .map(({ cost }) => Number(Cost.format(cost.usd)))
    )
    const { median, p95 } = await fixture.shop.get<Page.EventDetail>(
      `event?eventId=${encodeURIComponent(event?.eventId ?? "")}&customerId=${encodeURIComponent(event?.customerId ?? "")}`
    )
    expect([Number(median), Number(p95)]).toEqual([Summary.percentile(amounts, 0.5), Summary.percentile(amounts, 0.95)])
    expect(Number(p95)).toBeGreaterThan(Number(median))
  })

  it("shows decades without a bucket for each day", async () => {
    const { bucketMs, buckets, now } = await fixture.shop.get<Page.Overview>(
      `overview?since=${Date.UTC(1980, 0)}&until=${Date.UTC(2100, 0)}`
    )
    expect([buckets.length <= 400, bucketMs % (7 * day)]).toEqual([true, 0])
    expect(buckets.reduce((sum, { totals }) => sum + totals.events, 0)).toBe(now.events)
  })

  it("says which part of the selection leaves nothing", async () => {
    const found = await fixture.shop.get<Page.Events>("events?customer=nobody&outcome=success")
    expect(found.rows).toEqual([])
    expect(found.without).toEqual([
      { field: "customer", events: expect.any(Number) },
      { field: "outcome", events: 0 }
    ])
  })

  it("has an OpenAPI document of each endpoint", async () => {
    const { paths } = await fixture.shop.get<{ readonly paths: Record<string, unknown> }>("openapi.json")
    expect(Object.keys(paths)).toEqual(
      [
        "status",
        "live",
        "overview",
        "events",
        "rows",
        "groups",
        "events.csv",
        "event",
        "position",
        "find",
        "values",
        "unpriced",
        "amend"
      ].map((name) => `/api/${name}`)
    )
  })

  it("refuses parameters that are wrong, and events that are not there", async () => {
    expect((await fetch(`${fixture.shop.url}/api/events?limit=many`)).status).toBe(400)
    expect((await fetch(`${fixture.shop.url}/api/events?sort=usd;drop`)).status).toBe(400)
    expect((await fetch(`${fixture.shop.url}/api/overview?since=1e300`)).status).toBe(400)
    expect((await fetch(`${fixture.shop.url}/api/event?eventId=nothing`)).status).toBe(404)
    expect(
      (await fixture.shop.get<Page.Events>(`events?search=${encodeURIComponent("'; DROP TABLE events; --")}`)).rows
    ).toEqual([])
  })

  it("exports CSV that no spreadsheet takes for a formula", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, end: 2, event: '=cmd|"/c calc"!A1', customer: "a,b" })]))
    const small = await served(folder)
    const text = await (await fetch(`${small.url}/api/events.csv`)).text()
    expect(text.split("\r\n")[1]).toMatch(/^"'=cmd\|""\/c calc""!A1","a,b",/)
  })
})

describe("a ledger that changes", () => {
  it("is followed line by line, and shown live", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.25" }] })]))
    const live = await served(folder)
    const response = await fetch(`${live.url}/api/live`)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let heard = ""
    const hear = async (text: string) => {
      while (!heard.includes(text)) heard += (await reader?.read())?.value ?? ""
    }
    await hear('"events":1')
    await append(folder, linesOf([record({ n: 2, event: "ticket-2", start: 3 })]))
    await hear('"events":2')
    const rows = async () => (await live.get<Page.Events>("events?sort=started&order=ascending")).rows
    expect((await rows()).map(({ status, usd }) => [status, usd])).toEqual([
      ["success", "0.25"],
      ["running", "0"]
    ])
    await append(
      folder,
      linesOf([record({ n: 2, event: "ticket-2", start: 3, end: 9, status: "timeout", calls: [{ usd: "0.5" }] })])
    )
    await until(rows, (rows) => rows[1]?.status === "timeout")
    expect((await rows()).map(({ status, usd }) => [status, usd])).toEqual([
      ["success", "0.25"],
      ["timeout", "0.5"]
    ])
    await reader?.cancel()
  })

  it("counts a cut line, and not one that is being written", async () => {
    const [first = "", second = ""] = linesOf([record({ n: 1, end: 2 }), record({ n: 2, event: "ticket-2", end: 3 })])
    const folder = await ledgerOf([first])
    const file = join(folder, "2026-02-02", "writer-1.jsonl")
    await appendFile(file, second.slice(0, 40))
    const cut = await served(folder)
    const status = () => cut.get<Page.Status>("status")
    const problems = [{ problem: "cut", lines: 1, places: ["2026-02-02/writer-1.jsonl"] }]
    const isCut = ({ problems }: Page.Status) => problems.length > 0
    expect(await until(status, isCut)).toMatchObject({ events: 1, problems })
    await appendFile(file, `${second.slice(40)}\n`)
    expect(await until(status, ({ events }) => events === 2)).toMatchObject({ events: 2, problems: [] })
    await appendFile(file, `${first.slice(0, 50)}\n`)
    expect(await until(status, isCut)).toMatchObject({ events: 2, problems })
  })

  it("may be compacted meanwhile, and is read where it was compacted before", async () => {
    const folder = await makeFolder(closes)
    const at = (name: string) => join(folder, name)
    const written = async (name: string, lines: ReadonlyArray<string>) => {
      await mkdir(join(at(name), ".."), { recursive: true })
      await writeFile(at(name), lines.map((line) => `${line}\n`).join(""))
    }
    await written("2026-02-02/writer-1.jsonl", [
      ...linesOf([
        record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.25" }] }),
        record({ n: 2, event: "ticket-2", start: 3 })
      ]),
      '{"v":1,"type":"lost","count":2,"at":"2026-02-02T00:00:00.000Z"}',
      '{"v":1,"type":"comp'
    ])
    await utimes(at("2026-02-02/writer-1.jsonl"), 0, 0)
    await written("2026-02-03/writer-2.jsonl", linesOf([record({ n: 3, event: "ticket-3", start: 5, end: 6 })]))
    const before = await served(folder, { pollMillis: restingMillis })
    const seen = async (page: Served) => {
      const { events, lost, problems, runs } = await page.get<Page.Status>("status")
      const { rows } = await page.get<Page.Events>("events?sort=started&order=ascending")
      const detail = await page.get<Page.EventDetail>("event?eventId=ticket-1")
      return { cut: problems.map(({ lines }) => lines), events, lost, runs, rows, charges: detail.charges }
    }
    const first = await until(
      () => seen(before),
      ({ cut }) => cut.length > 0
    )
    expect(first.rows.map(({ status }) => status)).toEqual(["success", "running", "success"])
    expect(first).toMatchObject({ events: 3, lost: 2, cut: [1] })
    expect(first.charges).toHaveLength(1)
    expect((await botanu(["compact", "--ledger", folder])).out).toContain("compacted 1 day")
    const after = await served(folder, { pollMillis: restingMillis })
    expect(await seen(after)).toEqual(first)
    expect(await seen(before)).toEqual(first)
    await appendFile(
      at("2026-02-03/writer-2.jsonl"),
      `${linesOf([record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.75" }] })])[0]}\n`
    )
    for (const page of [before, after]) {
      const { cut, rows } = await until(
        () => seen(page),
        ({ rows }) => rows[0]?.usd === "0.75"
      )
      expect(rows.map(({ status, usd }) => [status, usd])).toEqual([
        ["success", "0.75"],
        ["running", "0"],
        ["success", "0"]
      ])
      expect(cut).toEqual([1])
      expect((await page.get<Page.Status>("status")).problems[0]?.places).toEqual(["2026-02-02, compacted"])
    }
  })

  it("stays on screen while it is away", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, end: 2 })]))
    const away = await served(folder)
    const status = () => away.get<Page.Status>("status")
    await rename(folder, `${folder}-away`)
    expect(await until(status, ({ state }) => state === "away")).toMatchObject({
      state: "away",
      events: 1,
      problem: expect.stringContaining("there is no ledger")
    })
    expect((await away.get<Page.Events>("events")).rows).toHaveLength(1)
    await rename(`${folder}-away`, folder)
    expect(await until(status, ({ state }) => state === "ready")).toMatchObject({
      state: "ready",
      events: 1,
      problem: null
    })
  })

  it("is written to by an amendment alone, and only where that is allowed", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, event: "ticket-1", end: 2 })]))
    const body = JSON.stringify({ eventId: "ticket-1", status: "failure", reason: "reopened", by: "ada" })
    const amend = (url: string) => ask(`${url}/api/amend`, { "content-type": "application/json" }, "POST", body)
    const reading = await served(folder)
    expect((await amend(reading.url)).status).toBe(403)
    const amending = await served(folder, { allowAmend: true })
    expect((await amend(amending.url)).status).toBe(204)
    const { rows } = await until(
      () => amending.get<Page.Events>("events"),
      ({ rows }) => rows[0]?.isAmended === true
    )
    expect(rows[0]).toMatchObject({ status: "failure", isAmended: true, reason: "reopened" })
    const detail = await amending.get<Page.EventDetail>("event?eventId=ticket-1")
    expect(detail.outcomes.map(({ by, status }) => [status, by])).toEqual([
      ["failure", "ada"],
      ["success", null]
    ])
    expect((await ask(`${amending.url}/api/amend`, { origin: "https://evil.example" }, "POST", body)).status).toBe(403)
  })
})

it("the page takes at most 150 kB of the network", async () => {
  const { gzipSync } = await import("node:zlib")
  const files = await Promise.all(
    ["page.js", "page.css", "index.html"].map((name) => readFile(join(fixture.assets, name)))
  )
  expect(files.reduce((sum, file) => sum + gzipSync(file).length, 0)).toBeLessThan(150_000)
})
