/**
 * The page in a browser: what each view shows, how it is used, and that nothing of a ledger is more than text.
 */
import { existsSync } from "node:fs"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { delimiter, dirname, join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { type Browser, type ConsoleMessage, chromium, type Page } from "playwright-core"
import { beforeAll, describe, expect, it } from "vitest"
import { record } from "../../../test/report/records.js"
import * as Opener from "../../src/serve/Browser.js"
import { linesOf } from "../botanu.js"
import { useFixture } from "./fixture.js"
import { append, end, makeFolder, serve, until } from "./served.js"
import { hostileLines, hostileTexts, start, ticketLines } from "./ticket.js"

// To each part: `vi.setConfig` reaches the first file of a process only, and other files share this one.
const patient = { timeout: 60_000 }

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"
const axe = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const day = 86_400_000
const dateOf = (millis: number) => new Date(millis).toISOString().slice(0, 10)
const period = `since=${dateOf(end - 30 * day)}&until=${dateOf(end)}`
const ticketPeriod = `since=${dateOf(start - day)}&until=${dateOf(start + 2 * day)}`

const fixture = useFixture(2500, async (ledger) => {
  await mkdir(join(ledger, dateOf(start)), { recursive: true })
  await writeFile(join(ledger, dateOf(start), "desk-1.jsonl"), ticketLines.map((line) => `${line}\n`).join(""))
})
const { closes, ledgerOf, served } = fixture
let browser: Browser

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  closes.push(() => browser.close())
}, 60_000)

/** How a page is looked at. */
interface Looking {
  readonly scheme?: "light" | "dark"
  readonly motion?: "reduce"
  readonly size?: { readonly width: number; readonly height: number }
  /** axe-core is a script that the policy of the page refuses. */
  readonly bypassesPolicy?: boolean
}

/** A tab takes long to start, and is used again: one with the policy of the page, one without. */
const tabs = new Map<boolean, Promise<Page>>()

const tabOf = (bypassesPolicy: boolean): Promise<Page> => {
  const known = tabs.get(bypassesPolicy)
  if (known !== undefined) return known
  const tab = browser
    .newContext({ bypassCSP: bypassesPolicy, permissions: ["clipboard-read", "clipboard-write"] })
    .then((context) => context.newPage())
  tabs.set(bypassesPolicy, tab)
  return tab
}

/** Opens a view and waits for its figures. Whatever the browser complains about fails the test. */
const withPage = async (
  address: string,
  use: (page: Page) => Promise<void>,
  { bypassesPolicy = false, motion, scheme = "light", size = { width: 1440, height: 900 } }: Looking = {}
): Promise<void> => {
  const page = await tabOf(bypassesPolicy)
  const complaints: Array<string> = []
  const onError = (error: Error) => complaints.push(error.stack ?? error.message)
  const onConsole = (message: ConsoleMessage) => {
    if (/Content Security Policy/.test(message.text())) complaints.push(message.text())
  }
  page.on("pageerror", onError)
  page.on("console", onConsole)
  try {
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: motion ?? "no-preference" })
    await page.goto(address)
    await settled(page)
    await use(page)
    expect(complaints).toEqual([])
  } catch (error) {
    // Whatever state the tab is in now, it is none for the next test.
    tabs.delete(bypassesPolicy)
    await page.context().close()
    throw error
  } finally {
    page.off("pageerror", onError)
    page.off("console", onConsole)
  }
}

/** Waits until the view shows what it has asked for. */
const settled = async (page: Page): Promise<void> => {
  await page.waitForSelector("main :is([aria-busy=false], .state h1:not(:text('Reading')), .reference section)")
}

/** Charts are drawn anew a moment after the window has another width. */
const noOverflow = async (page: Page): Promise<void> => {
  const { over, width } = await until(
    () => overflowOf(page),
    ({ over, width }) => over.length === 0 && width === 0
  )
  expect([page.viewportSize()?.width, page.url(), width, over]).toEqual([page.viewportSize()?.width, page.url(), 0, []])
}

const overflowOf = (page: Page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth
    const over = Array.from(document.querySelectorAll("main *, header *")).filter((element) => {
      const box = element.getBoundingClientRect()
      // What is cut by a frame around it takes no room.
      return (
        box.width > 0 &&
        box.right > width + 1 &&
        element.closest(".hidden, .cut, .name, .label, .lane, .brand") === null &&
        getComputedStyle(element).position !== "absolute"
      )
    })
    return {
      over: over.slice(0, 3).map((element) => element.outerHTML.slice(0, 160)),
      width: Math.max(0, document.documentElement.scrollWidth - width)
    }
  })

/** What axe-core finds, by all of its rules or by these. */
const violationsOn = (page: Page, rules?: ReadonlyArray<string>) =>
  page.evaluate(async (rules) => {
    interface Violation {
      readonly id: string
      readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary: string }>
    }
    const { axe } = globalThis as unknown as {
      readonly axe: { readonly run: (options: object) => Promise<{ readonly violations: ReadonlyArray<Violation> }> }
    }
    const { violations } = await axe.run(rules === undefined ? {} : { runOnly: rules })
    return violations.map(({ id, nodes }) => [
      id,
      nodes.slice(0, 3).map(({ failureSummary, html }) => `${html} ${failureSummary}`)
    ])
  }, rules)

const views = {
  overview: `/?${period}`,
  events: `/events?${period}&sort=cost`,
  event: `/event?id=ticket-48213&${ticketPeriod}`,
  prices: `/prices?${period}`,
  customers: `/groups?${period}&by=customer`,
  steps: `/groups?${period}&by=step`,
  reference: "/reference"
}

describe("the overview", patient, () => {
  it("shows what a success cost first, and leads from each figure to its events", () =>
    withPage(`${fixture.shop.url}${views.overview}`, async (page) => {
      const hero = page.locator(".hero")
      expect(await hero.locator("h2").innerText()).toBe("Cost per success")
      const { now } = await fixture.shop.get<{ now: { usdPerSuccess: string; events: number } }>(
        `overview?since=${end - 30 * day}&until=${end}`
      )
      expect(await hero.locator(".big").innerText()).toContain(`$${Number(now.usdPerSuccess).toFixed(4)}`)
      expect(await page.locator(".chart rect").count()).toBeGreaterThan(100)
      await page.click(".lists td a >> nth=0")
      await page.waitForSelector(".events tr[data-index]")
      expect(page.url()).toContain("/events?")
      expect(page.url()).toContain("customer=")
      await page.goBack()
      await page.waitForSelector(".chart rect")
    }))

  it("reads the days of the chart to arrow keys, and opens a day", () =>
    withPage(`${fixture.shop.url}${views.overview}`, async (page) => {
      const chart = page.locator("[role=slider]")
      await chart.focus()
      await page.keyboard.press("Home")
      expect(await chart.getAttribute("aria-valuetext")).toMatch(/^Oct 27: \$\d/)
      expect(await page.locator("#spend").innerText()).toBe("Spend")
      await page.keyboard.press("ArrowRight")
      expect(await chart.getAttribute("aria-valuetext")).toMatch(/^Oct 28: \$\d/)
      await page.keyboard.press("Enter")
      await page.waitForSelector(".events tr[data-index]")
      expect(decodeURIComponent(page.url())).toContain("since=2026-10-28T00:00:00.000Z&until=2026-10-29T00:00:00.000Z")
    }))

  it("stacks by what was asked for, which a link holds", () =>
    withPage(`${fixture.shop.url}${views.overview}&stack=outcome`, async (page) => {
      expect(await page.locator(".legend li").first().innerText()).toContain("failure")
      await page.click("text=Model >> nth=0")
      await page.waitForSelector(".legend >> text=gpt-4o-mini")
      expect(page.url()).toContain("stack=model")
    }))
})

describe("the explorer", patient, () => {
  it("filters by chips, which the address holds and the way back undoes", () =>
    withPage(`${fixture.shop.url}/events?${period}`, async (page) => {
      const count = () => page.locator(".sums p").first().innerText()
      const all = await count()
      await page.keyboard.press("f")
      await page.selectOption(".popup select", "outcome")
      await page.click(".options >> text=timeout >> nth=0")
      await page.waitForSelector(".chip >> text=timeout")
      await page.waitForFunction((all) => document.querySelector(".sums p")?.textContent !== all, all)
      expect(page.url()).toContain("outcome=timeout")
      expect(await page.locator(".events tbody .outcome .word").allInnerTexts()).not.toContain("success")
      await page.goBack()
      await page.waitForFunction((all) => document.querySelector(".sums p")?.textContent === all, all)
      expect(await page.locator(".chip").count()).toBe(0)
    }))

  it("is used by keyboard alone, from a row to its event and back", () =>
    withPage(`${fixture.shop.url}/events?${ticketPeriod}&attempts=3&sort=cost`, async (page) => {
      await page.keyboard.press("j")
      await page.waitForSelector("tr[data-index]:focus")
      const id = await page.locator("tr:focus .event a").innerText()
      await page.keyboard.press("Enter")
      await page.waitForSelector(".titles h1")
      expect(await page.locator(".titles h1").innerText()).toBe(id)
      await page.keyboard.press("Escape")
      await page.waitForSelector(".events tr[data-index]")
      await page.keyboard.press("g")
      await page.keyboard.press("o")
      await page.waitForSelector(".hero")
      await page.keyboard.press("?")
      await page.waitForSelector("dialog[open] >> text=pause live updates")
      await page.keyboard.press("Escape")
      await page.waitForSelector("dialog[open]", { state: "detached" })
      await page.keyboard.press("/")
      await page.waitForSelector("#find:focus")
      await page.keyboard.type("ticket-48213")
      await page.keyboard.press("Enter")
      await page.waitForSelector(".titles h1 >> text=ticket-48213")
    }))

  it("takes each key, also while what an earlier key has changed is not drawn yet", () =>
    withPage(`${fixture.shop.url}/events?${ticketPeriod}`, async (page) => {
      await page.evaluate(async () => {
        const press = (key: string) =>
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }))
        press("2")
        press("g")
        // The effects of what was drawn have run.
        for (let frame = 0; frame < 10; frame++) await new Promise((next) => requestAnimationFrame(next))
        press("o")
      })
      await page.waitForSelector(".hero")
      expect(page.url()).toContain("period=7d")
    }))

  it("finds an event by the id of a run, and filters by anything else", () =>
    withPage(`${fixture.shop.url}/events?${ticketPeriod}`, async (page) => {
      await page.fill("#find", "019ab7c4-51e9-7d02-b1c6-000000000003")
      await page.keyboard.press("Enter")
      await page.waitForSelector(".titles h1 >> text=ticket-48213")
      await page.fill("#find", "4821")
      await page.keyboard.press("Enter")
      await page.waitForSelector(".chip >> text=4821")
      await page.waitForSelector(".events >> text=ticket-48213")
    }))

  it("scrolls through all rows, and holds few of them", () =>
    withPage(`${fixture.shop.url}/events?${period}`, async (page) => {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
      const total = Number((await page.locator(".sums p").first().innerText()).replace(",", ""))
      await page.waitForSelector(`tr[data-index="${total - 1}"]`)
      expect(await page.locator("tr[data-index]").count()).toBeLessThan(120)
    }))

  it("chooses columns and the order, which the address holds", () =>
    withPage(`${fixture.shop.url}/events?${period}`, async (page) => {
      await page.click("text=Columns")
      await page.waitForSelector(".check")
      await page.keyboard.press("Escape")
      await page.waitForSelector(".check", { state: "detached" })
      await page.click("text=Columns")
      await page.check(".check >> text=Reason")
      await page.waitForSelector("th[data-column=reason]")
      expect(page.url()).toContain("reason")
      await page.keyboard.press("Escape")
      await page.waitForSelector(".check", { state: "detached" })
      await page.click("th >> text=Cost, USD")
      await page.waitForSelector("th[data-column=cost][aria-sort=descending]")
      await page.waitForSelector(".explorer[aria-busy=false] tr[data-index='0'] .cost")
      await page.reload()
      await page.waitForSelector("th[data-column=reason]")
      await page.waitForSelector("th[data-column=cost][aria-sort=descending]")
    }))

  it("says which filter to drop where nothing is found", () =>
    withPage(`${fixture.shop.url}/events?${period}&outcome=success&customer=nobody`, async (page) => {
      await page.waitForSelector("text=No event matches these 2 filters")
      await page.click("text=Remove it")
      await page.waitForSelector(".events tr[data-index]")
    }))
})

describe("an event", patient, () => {
  it("shows attempts, nested runs, the deadline, charges and the amendment", () =>
    withPage(`${fixture.shop.url}${views.event}`, async (page) => {
      const rows = await page.locator("[role=treegrid] [role=row]").allInnerTexts()
      expect(rows.map((row) => row.replace(/\s+/g, " ").replaceAll(" ,", ",").trim())).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/Attempt 1 Customer Support, failure RateLimited 9\.4 s 0\.029167/),
          expect.stringMatching(/Refund Review nested run, canceled canceled, deadline 29\.3 s 0\.076595/),
          expect.stringMatching(/rerank nova-rerank-2 380 ms no price/)
        ])
      )
      expect(await page.locator(".lane .deadline").count()).toBe(5)
      expect(await page.locator(".figures").innerText()).toMatch(/partial\s+amended Nov 25, recorded as success/)
      expect(await page.locator(".figures").innerText()).toMatch(/\$0\.1577\s+\+1 unpriced/)
      expect(await page.locator(".charges .sum").innerText()).toMatch(
        /Sum of what is known\s+\+1 unpriced\s+0\.1576803/
      )
      expect(await page.locator(".charges").innerText()).toContain("by its entry gpt-4o")
      expect(await page.locator("text=Open trace").getAttribute("href")).toBe(
        "https://traces.example.com/8f1d3c5e7a9b4c2d0e6f1a3b5c7d9e0f"
      )
    }))

  it("is walked by arrow keys; a row that is chosen shows its own charges", () =>
    withPage(`${fixture.shop.url}${views.event}`, async (page) => {
      await page.focus("[role=treegrid] [data-row='0']")
      await page.keyboard.press("ArrowDown")
      await page.keyboard.press("Enter")
      await page.waitForSelector("[data-row='1'][aria-selected=true]")
      expect(page.url()).toContain("row=1")
      expect(await page.locator(".charges .sum").innerText()).toContain("0.0001302")
      await page.keyboard.press("ArrowUp")
      await page.keyboard.press("ArrowLeft")
      await page.waitForSelector("[data-row='0'][aria-expanded=false]")
      expect(await page.locator("[data-row='1']").count()).toBe(0)
      await page.keyboard.press("Escape")
      await page.waitForFunction(() => !location.search.includes("row="))
    }))

  it("is copied as the command's text and as JSON", () =>
    withPage(`${fixture.shop.url}${views.event}`, async (page) => {
      const clipboard = () => page.evaluate(() => navigator.clipboard.readText())
      await page.click("text=Copy as text")
      await page.waitForSelector("[role=status] >> text=copied", { state: "attached" })
      expect(await clipboard()).toContain("Run, step, call")
      await page.click("text=Copy as JSON")
      await page.waitForSelector("[role=status] >> text=JSON copied", { state: "attached" })
      expect(JSON.parse(await clipboard())).toHaveLength(6)
    }))

  it("that is not there says so, with ids that begin like it", () =>
    withPage(`${fixture.shop.url}/event?id=ticket-4821`, async (page) => {
      await page.waitForSelector("text=No event ticket-4821 in ./botanu-ledger")
      await page.click("main a >> text=ticket-48213")
      await page.waitForSelector(".titles h1 >> text=ticket-48213")
    }))
})

describe("the groups", patient, () => {
  it("are all customers, workflows, models or steps, and lead to their events", () =>
    withPage(`${fixture.shop.url}${views.overview}`, async (page) => {
      await page.click("text=/^All [0-9]+$/ >> nth=0")
      await page.waitForSelector(".groups table")
      const { count } = await fixture.shop.get<{ count: number }>(
        `groups?by=customer&since=${end - 30 * day}&until=${end}`
      )
      expect(await page.locator(".groups tbody tr").count()).toBe(count)
      expect(await page.locator(".groups .note").innerText()).toBe(`${count}, all of them`)
      expect(await page.title()).toBe("Customers · botanu")
      await page.click(".segments >> text=Steps")
      await page.waitForSelector("tbody >> text=verify refund")
      expect(page.url()).toContain("by=step")
      await page.click("tbody >> text=verify refund")
      await page.waitForSelector(".chip >> text=verify refund")
      await page.waitForSelector(".events tr[data-index]")
    }))
})

describe("on a phone", patient, () => {
  it("the list has mark, event and cost, and the event has most of the room", () =>
    withPage(`${fixture.shop.url}${views.events}`, async (page) => {
      await page.setViewportSize({ width: 360, height: 800 })
      await page.waitForFunction(() => innerWidth === 360)
      const widthOf = async (selector: string) => (await page.locator(selector).first().boundingBox())?.width ?? 0
      expect(await widthOf("td.outcome")).toBeLessThan(40)
      expect(await widthOf("td.event")).toBeGreaterThan(150)
      expect(await page.locator("td.event small").first().isVisible()).toBe(true)
    }))
})

describe("at any width", patient, () => {
  it("the columns of the list take all of it, the event most, and the bar begins where the content does", () =>
    withPage(`${fixture.shop.url}${views.events}`, async (page) => {
      for (const width of [861, 1001, 1281, 1440, 2560]) {
        await page.setViewportSize({ width, height: 800 })
        await page.waitForFunction((width) => innerWidth === width, width)
        const boxOf = async (selector: string) => {
          const { width = 0, x = 0 } = (await page.locator(selector).boundingBox()) ?? {}
          return { width, left: x, right: x + width }
        }
        const table = await boxOf(".events")
        const ends = await page
          .locator(".events th")
          .evaluateAll((heads) => heads.map((head) => head.getBoundingClientRect().right))
        expect([width, Math.max(...ends)]).toEqual([width, expect.closeTo(table.right, 0)])
        expect([width, (await boxOf("th.event")).width > 150]).toEqual([width, true])
        expect([width, (await boxOf(".brand")).left]).toEqual([width, expect.closeTo(table.left, 0)])
      }
    }))

  it("no figure of the overview wraps, and their changes are in a line", () =>
    withPage(`${fixture.shop.url}${views.overview}`, async (page) => {
      for (const width of [1400, 1600, 1920]) {
        await page.setViewportSize({ width, height: 900 })
        await page.waitForFunction((width) => innerWidth === width, width)
        const tops = await page
          .locator(".figure:not(.hero) .delta")
          .evaluateAll((changes) => changes.map((change) => change.getBoundingClientRect().top))
        expect([width, tops.length, new Set(tops).size]).toEqual([width, 5, 1])
        const heights = await page
          .locator(".figure:not(.hero) .big")
          .evaluateAll((figures) => figures.map((figure) => figure.getBoundingClientRect().height))
        expect([width, Math.max(...heights)]).toEqual([width, 28])
      }
    }))

  it("all columns share the room that there is", () =>
    withPage(`${fixture.shop.url}${views.events}`, async (page) => {
      await page.click("text=Columns")
      for (const box of await page.locator(".check input:enabled").all()) await box.check()
      await page.keyboard.press("Escape")
      for (const width of [861, 1281, 1440, 1920]) {
        await page.setViewportSize({ width, height: 800 })
        await page.waitForFunction((width) => innerWidth === width, width)
        await noOverflow(page)
        expect([width, ((await page.locator("th.event").boundingBox())?.width ?? 0) > 100]).toEqual([width, true])
      }
    }))
})

describe("the period", patient, () => {
  it("is chosen on a phone too, by the days of a calendar", () =>
    withPage(`${fixture.shop.url}/events?${period}`, async (page) => {
      await page.setViewportSize({ width: 360, height: 800 })
      await page.getByRole("button", { name: "Custom" }).click()
      await page.click(".sums")
      await page.waitForSelector("[name=since]", { state: "detached" })
      await page.getByRole("button", { name: "Custom" }).click()
      await page.fill("[name=since]", "2026-11-10")
      await page.fill("[name=last]", "2026-11-12")
      await noOverflow(page)
      await page.click("text=Show >> nth=0")
      await page.waitForFunction(() => location.search.includes("since=2026-11-10&until=2026-11-13"))
    }))
})

describe("prices and unknowns", patient, () => {
  it("shows what is in no sum, and leads to its events", () =>
    withPage(`${fixture.shop.url}${views.prices}`, async (page) => {
      const row = page.locator("tr", { hasText: "nova-rerank-2" }).first()
      expect(await row.innerText()).toContain("not in the price file")
      expect(await row.innerText()).toContain("no price")
      const models = page.locator("section", { hasText: "All models and services" })
      const spend = (await models.locator("td:last-child").allInnerTexts()).filter((text) => /^\$\d/.test(text))
      // What two decimals would show as 0 has more of them.
      const decimals = spend.filter((text) => Number(text.slice(1)) >= 0.005).map((text) => text.split(".")[1]?.length)
      expect([spend.length > 3, new Set(decimals)]).toEqual([true, new Set([2])])
      await row.locator("a").click()
      await page.waitForSelector(".events tr[data-index]")
      expect(page.url()).toContain("unpriced=yes")
    }))
})

describe("a ledger that changes", patient, () => {
  it("is shown live: new events wait behind a button, and move nothing", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.25" }] })]))
    const live = await served(folder)
    await withPage(`${live.url}/events?since=2026-02-01&until=2026-02-04`, async (page) => {
      await page.waitForSelector("tr[data-index='0'] >> text=ticket-1")
      await append(folder, linesOf([record({ n: 2, event: "ticket-2", start: 3, end: 4 })]))
      await page.waitForSelector("text=1 newer, show")
      expect(await page.locator("tr[data-index]").count()).toBe(1)
      await page.keyboard.press("r")
      await page.waitForSelector("tr[data-index='0'] >> text=ticket-2")
    })
    await withPage(`${live.url}/?since=2026-02-01&until=2026-02-04`, async (page) => {
      expect(await page.locator(".figure", { hasText: "Events" }).locator(".big").innerText()).toBe("2")
      await append(folder, linesOf([record({ n: 9, event: "ticket-9", start: 5 })]))
      await page.waitForSelector(".figure .big >> text=/^3\\s+1 running$/")
      await append(folder, linesOf([record({ n: 3, event: "ticket-3", start: 5, end: 6, calls: [{ usd: "0.5" }] })]))
      await page.waitForSelector(".figure >> text=$0.7500")
      await page.keyboard.press("p")
      await page.waitForSelector("text=Paused")
    })
  })

  it("has a state of its own where it is empty, cut, or away", async () => {
    const folder = await ledgerOf([])
    const page = await served(folder)
    await withPage(page.url, async (shown) => {
      await shown.waitForSelector("text=No runs in ./botanu-ledger yet")
      expect(await shown.locator("pre").innerText()).toBe('Ledger.layer({ directory: "./botanu-ledger" })')
      await append(folder, [
        ...linesOf([record({ n: 1, event: "ticket-1", end: 2 })]),
        '{"v":1,"type":"completed","compl',
        '{"v":2,"type":"completed"}'
      ])
      await shown.waitForSelector(".banner >> text=Cut by a crash")
      await shown.waitForSelector(".banner >> text=Written by a later version of botanu")
      expect(await shown.locator(".banner b").allInnerTexts()).toEqual(Array(2).fill("1 line could not be read"))
      await rm(folder, { recursive: true })
      await shown.waitForSelector("[role=alert] >> text=Cannot read ./botanu-ledger for")
      await shown.waitForSelector("text=Trying again in")
    })
  })

  it("says so where the server is gone, and goes on when it is back", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, event: "ticket-1", end: 2 })]))
    const page = await serve(folder, fixture.assets)
    await withPage(`${page.url}/events?since=2026-02-01&until=2026-02-04`, async (shown) => {
      await page.close()
      await shown.waitForSelector("[role=alert] >> text=botanu serve does not answer")
      expect(await shown.locator("tr[data-index]").count()).toBe(1)
      const back = await serve(folder, fixture.assets, { port: Number(new URL(page.url).port) })
      closes.push(back.close)
      await shown.waitForSelector("[role=alert]", { state: "detached" })
    })
  })

  it("lets an outcome be amended where that is allowed", async () => {
    const folder = await ledgerOf(linesOf([record({ n: 1, event: "ticket-1", end: 2 })]))
    const page = await served(folder, { allowAmend: true })
    await withPage(`${page.url}/event?id=ticket-1`, async (shown) => {
      await shown.click("text=Amend outcome")
      await shown.selectOption(".amend select", "failure")
      await shown.fill(".amend [name=reason]", "reopened")
      await shown.fill(".amend [name=by]", "ada")
      await shown.click(".amend button[type=submit]")
      await shown.waitForSelector(".trail >> text=reopened")
      expect(await shown.locator(".figures .status").innerText()).toBe("failure")
    })
  })
})

describe("a ledger of which no price is known", patient, () => {
  it("shows no amount of 0 where a call has no price", async () => {
    const page = await served(await ledgerOf(hostileLines))
    await withPage(`${page.url}/?${ticketPeriod}`, async (shown) => {
      const zeros = await shown.evaluate(() =>
        Array.from(document.querySelectorAll("main *"))
          .filter((element) => element.closest("svg") === null && /^\$0(\.0*)?$/.test(element.textContent.trim()))
          .map((element) => element.parentElement?.outerHTML)
      )
      expect(zeros).toEqual([])
      expect(await shown.locator(".figures >> text=no price").count()).toBeGreaterThanOrEqual(3)
    })
  })
})

describe("a page with a token", patient, () => {
  it("is opened by a file that leads to it, and by links of other pages after that", async () => {
    const token = "a secret & more of it"
    const page = await served(fixture.generated, { token })
    const folder = await makeFolder(closes)
    const argumentsOf = join(folder, "arguments")
    await writeFile(join(folder, "xdg-open"), `#!/bin/sh\nprintf %s "$1" > '${argumentsOf}'\n`, { mode: 0o755 })
    const path = process.env["PATH"]
    process.env["PATH"] = `${folder}${delimiter}${path}`
    await Effect.gen(function* () {
      yield* Opener.openPrivately(`${page.url}/?token=${encodeURIComponent(token)}`, "linux")
      yield* Effect.promise(async () => {
        process.env["PATH"] = path
        const shown = await tabOf(false)
        await shown.goto(await readFile(argumentsOf, "utf8"))
        await shown.waitForSelector(".hero")
        expect(shown.url()).toBe(`${page.url}/`)
        await shown.goto(`data:text/html,<a href="${page.url}/events">A link of a colleague</a>`)
        await shown.click("a")
        await shown.waitForSelector(".events")
      })
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.runPromise)
  })
})

describe("any ledger", patient, () => {
  it("is text, whatever is in it, and nothing overflows", async () => {
    const page = await served(await ledgerOf(hostileLines))
    const paths = [
      `/?${ticketPeriod}`,
      `/events?${ticketPeriod}&columns=workflow,customer,reason,value,cost`,
      `/prices?${ticketPeriod}`,
      ...["customer", "workflow", "model", "step"].map((by) => `/groups?${ticketPeriod}&by=${by}`)
    ]
    await withPage(`${page.url}/reference`, async (shown) => {
      for (const path of [...paths, ...hostileTexts.map((text) => `/event?id=${encodeURIComponent(text)}`)]) {
        await shown.goto(page.url + path)
        await settled(shown)
        const id = new URL(shown.url()).searchParams.get("id")
        if (id !== null) {
          await shown.waitForSelector("[role=treegrid]")
          expect(await shown.locator(".titles h1").innerText()).toBe(id)
          expect(await shown.title()).toBe(`${id} · botanu`)
        }
        expect(await shown.locator("main script, main img, main svg[onload]").count()).toBe(0)
        for (const width of [360, 1440]) {
          await shown.setViewportSize({ width, height: 900 })
          await shown.waitForFunction((width) => innerWidth === width, width)
          await noOverflow(shown)
        }
      }
    })
  })

  it.each(Object.entries(views))(
    "fits 360 to 2560 pixels, and is clean to axe, light and dark: %s",
    async (_, path) => {
      const source = await axe
      await withPage(
        `${fixture.shop.url}${path}`,
        async (page) => {
          await page.evaluate(source)
          for (const width of [360, 640, 720, 800, 1000, 1280, 1440, 1920, 2560]) {
            await page.setViewportSize({ width, height: 900 })
            await page.waitForFunction((width) => innerWidth === width, width)
            await noOverflow(page)
            // What is shown differs by width.
            if (width === 360 || width === 1440) expect([width, await violationsOn(page)]).toEqual([width, []])
          }
          await page.emulateMedia({ colorScheme: "dark" })
          expect(await violationsOn(page, ["color-contrast"])).toEqual([])
        },
        { bypassesPolicy: true }
      )
    }
  )

  it("repaints nothing while nothing changes", () =>
    withPage(`${fixture.shop.url}${views.overview}`, async (page) => {
      await page.waitForFunction(() => document.getAnimations().length === 0)
    }))

  it("keeps still where less motion is asked for", () =>
    withPage(
      `${fixture.shop.url}${views.overview}`,
      async (page) => {
        expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
      },
      { motion: "reduce" }
    ))
})

/** Pictures for the docs, written where `PICTURES` names a folder: `PICTURES=docs/pictures`. */
describe.runIf(process.env["PICTURES"] !== undefined)("pictures", () => {
  it.each(["light", "dark"] as const)("%s", async (scheme) => {
    const folder = process.env["PICTURES"] ?? ""
    for (const [name, height] of [
      ["overview", 1250],
      ["event", 960]
    ] as const) {
      await withPage(
        `${fixture.shop.url}${views[name]}`,
        async (page) => {
          const path = join(folder, `${name}-${scheme}.png`)
          await mkdir(dirname(path), { recursive: true })
          await page.mouse.move(0, 0)
          await page.screenshot({ path })
          expect(existsSync(path)).toBe(true)
        },
        { scheme, size: { width: 1600, height }, motion: "reduce" }
      )
    }
  })
})
