/**
 * What the tests of the page share, made once a file.
 */
import { afterAll, beforeAll } from "vitest"
import type * as PageServer from "../../src/serve/PageServer.js"
import { type Close, makeAssets, makeGenerated, makeLedger, type Served, serve, writtenMillis } from "./served.js"

/** What the tests of a file share. What is made for them is there when they run. */
export interface Fixture {
  /** The files of the page. */
  readonly assets: string
  /** A generated ledger. */
  readonly generated: string
  /** The page over the generated ledger. */
  readonly shop: Served
  /** What is closed after the tests, the last first. */
  readonly closes: Array<Close>
  /** A ledger of one segment with these lines. */
  readonly ledgerOf: (lines: ReadonlyArray<string>) => Promise<string>
  /** A page over another ledger, which looks often whether that has changed. */
  readonly served: (ledger: string, options?: Partial<PageServer.Listening>) => Promise<Served>
}

/** Makes the fixture before the tests of the file. `prepare` adds to the ledger, of so many runs. */
export const useFixture = (runs: number, prepare: (ledger: string) => Promise<void> = async () => {}): Fixture => {
  const closes: Array<Close> = []
  let made: Pick<Fixture, "assets" | "generated" | "shop"> | undefined
  const there = () => {
    if (made === undefined) throw new Error("the fixture is made before the tests, not while they are collected")
    return made
  }
  beforeAll(async () => {
    const [assets, generated] = await Promise.all([makeAssets(closes), makeGenerated(closes, runs)])
    await prepare(generated)
    const shop = await serve(generated, assets)
    closes.push(shop.close)
    made = { assets, generated, shop }
  }, 60_000)
  afterAll(async () => {
    for (const close of closes.reverse()) await close()
  })
  return {
    get assets() {
      return there().assets
    },
    get generated() {
      return there().generated
    },
    get shop() {
      return there().shop
    },
    closes,
    ledgerOf: (lines) => makeLedger(closes, lines),
    served: async (ledger, options) => {
      const page = await serve(ledger, there().assets, { pollMillis: writtenMillis, ...options })
      closes.push(page.close)
      return page
    }
  }
}
