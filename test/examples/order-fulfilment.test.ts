/**
 * The orders that outlive a runner process, and the same in one process.
 */
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { processProgram } from "../bundle.js"
import { useServer } from "../sql/database.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const patienceMillis = 120_000
const program = await processProgram(new URL("../../examples/order-fulfilment/main.ts", import.meta.url))

describe("the orders", () => {
  const server = useServer()

  const played = async (...args: ReadonlyArray<string>): Promise<string> => {
    const ledger = await mkdtemp(join(tmpdir(), "botanu-orders-"))
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
        cwd: root,
        env: { ...process.env, DATABASE_URL: await server().newDatabase(), BOTANU_LEDGER: ledger, NO_COLOR: "1" },
        timeout: patienceMillis
      })
      return stdout
    } finally {
      await rm(ledger, { recursive: true, force: true })
    }
  }

  it(
    "are fulfilled on three runners, one of which is killed",
    async () => {
      const text = await played()
      expect(text).toMatch(/^runner \d+: killed$/m)
      expectFulfilled(text)
    },
    patienceMillis
  )

  it(
    "are fulfilled in one process",
    async () => {
      expectFulfilled(await played("--embedded"))
    },
    patienceMillis
  )
})

const expectFulfilled = (text: string): void => {
  process.stdout.write(text)
  expect(text).toMatch(/^order-1001: tracking number of parcel order-1001$/m)
  expect(text).toMatch(/^order-1002: failed, Undeliverable$/m)
  expect(text).toMatch(/: refund[\s\S]*: release/)
  expect(text).toMatch(
    /^order-1001 .*Take Order[\s\S]*Fulfil Order.*success[\s\S]*quill-2[\s\S]*^order-1002 [\s\S]*Undeliverable/m
  )
}
