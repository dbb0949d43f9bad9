/**
 * The support desk as a process: what it prints, and what it leaves in its ledger, beside the log that its models keep.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { BigDecimal, Effect } from "effect"
import { Ledger } from "../../src/ledger/index.js"
import { BusinessEvent, Summary, TerminalText } from "../../src/report/index.js"
import type { ModelCall } from "./SimulatedModels.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const example = join(root, "examples/support-desk")
const patienceMillis = 90_000

const folder = mkdtempSync(join(tmpdir(), "support-desk-"))
const children = new Set<ChildProcess>()

afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true })
})

/** A started program, and what it has written so far. */
class Program {
  stdout = ""
  stderr = ""
  readonly exit: Promise<number | NodeJS.Signals | null>
  readonly ledger: string
  readonly calls: string
  private readonly child: ChildProcess

  constructor(name: string, args: ReadonlyArray<string> = ["examples/support-desk/main.ts"]) {
    this.ledger = join(folder, `${name}-ledger`)
    this.calls = join(folder, `${name}-calls.jsonl`)
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BOTANU|DEPLOYMENT)_/.test(name))
    this.child = spawn(process.execPath, ["--import", "tsx", ...args], {
      cwd: root,
      env: { ...Object.fromEntries(inherited), BOTANU_LEDGER: this.ledger, MODEL_CALLS: this.calls }
    })
    children.add(this.child)
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
    })
    this.exit = once(this.child, "close").then(([code, signal]) => code ?? signal)
  }

  async untilCalls(count: number): Promise<void> {
    while (!existsSync(this.calls) || this.modelCalls.length < count) {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  get modelCalls(): ReadonlyArray<ModelCall> {
    return readFileSync(this.calls, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as ModelCall)
  }

  get contents() {
    return Effect.runPromise(Ledger.read(this.ledger).pipe(Effect.provide(NodeContext.layer)))
  }
}

const prices: Record<string, Record<string, number>> = JSON.parse(
  readFileSync(join(root, "examples/prices.json"), "utf8")
)

const places = 12

/** An amount of US dollars in units of the last decimal place. */
const unitsOf = (decimal: string): bigint => {
  const [, whole = "", fraction = "", exponent = "0"] = /^(\d+)\.?(\d*)(?:e(-?\d+))?$/.exec(decimal) ?? []
  return BigInt(whole + fraction) * 10n ** BigInt(places - fraction.length + Number(exponent))
}

const isServed = ({ status }: ModelCall) => status === 200

const isUnpriced = (call: ModelCall) =>
  isServed(call) && (call.isCut || !call.isTold || prices[call.model] === undefined)

/** What calls cost by the models' own log, in units of the last decimal place. */
const costOf = (calls: ReadonlyArray<ModelCall>): bigint =>
  calls.reduce((sum, call) => {
    const price = prices[call.model]
    if (!isServed(call) || isUnpriced(call) || price === undefined) return sum
    const at = (field: string, tokens: number) => BigInt(tokens) * unitsOf(String(price[field]))
    return (
      sum +
      at("input_cost_per_token", call.inputTokens - call.cachedTokens) +
      at("cache_read_input_token_cost", call.cachedTokens) +
      at("output_cost_per_token", call.outputTokens)
    )
  }, 0n)

/** How many calls those are: the client sends a request that is refused as overloaded three times. */
const callsIn = (calls: ReadonlyArray<ModelCall>): number =>
  calls.filter(isServed).length + calls.filter(({ status }) => status === 503).length / 3

const scaled = (usd: BigDecimal.BigDecimal): bigint => BigDecimal.scale(usd, places).value

describe("the support desk", { timeout: patienceMillis }, () => {
  const job = new Program("forty")
  let events: ReadonlyArray<BusinessEvent.BusinessEvent> = []
  let calls: ReadonlyArray<ModelCall> = []

  const eventOf = (id: string): BusinessEvent.BusinessEvent => {
    const event = events.find(({ eventId }) => eventId === id)
    if (event === undefined) throw new Error(`there is no event ${id}`)
    return event
  }

  beforeAll(async () => {
    await job.exit
    const { amendments, problems, records } = await job.contents
    expect(problems).toEqual([])
    events = BusinessEvent.fromRecords(records, amendments)
    calls = job.modelCalls
  }, patienceMillis)

  it("is small: at most 8 files and 600 lines", () => {
    const sources = readdirSync(example).filter((name) => name.endsWith(".ts"))
    const lines = sources.flatMap((name) => readFileSync(join(example, name), "utf8").trimEnd().split("\n"))
    expect(sources.length).toBeLessThanOrEqual(8)
    expect(lines.length).toBeLessThanOrEqual(600)
  })

  it("exits with 0, and prints at most 60 lines of 100 columns, without control sequences", async () => {
    expect(await job.exit).toBe(0)
    const stdout = job.stdout.trimEnd().split("\n")
    expect(stdout.length + job.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(60)
    expect(job.stdout + job.stderr).not.toContain("\u001b")
    const isPath = (line: string) => line.includes(job.ledger)
    expect(Math.max(...stdout.filter((line) => !isPath(line)).map(TerminalText.width))).toBeLessThanOrEqual(120)
  })

  it("works 40 tickets, each to one of five outcomes", () => {
    expect(events).toHaveLength(40)
    const counts: Record<string, number> = {}
    for (const { status = "none" } of events) counts[status] = (counts[status] ?? 0) + 1
    expect(counts).toEqual({ success: 25, failure: 5, partial: 6, timeout: 3, canceled: 1 })
  })

  it("makes 96 calls, 14 of them without a price, for 0.05174418 USD", () => {
    const { cost } = Summary.of(events)
    expect([cost.calls, cost.unpricedCalls, BigDecimal.format(cost.usd)]).toEqual([96, 14, "0.05174418"])
    expect([callsIn(calls), calls.filter(isUnpriced).length, costOf(calls)]).toEqual([96, 14, scaled(cost.usd)])
  })

  it("charges each event with what the models' own log comes to, to the last digit", () => {
    for (const { cost, eventId } of events) {
      const own = calls.filter(({ ticket }) => ticket === eventId)
      expect([eventId, cost.calls, cost.unpricedCalls, scaled(cost.usd)]).toEqual([
        eventId,
        callsIn(own),
        own.filter(isUnpriced).length,
        costOf(own)
      ])
    }
  })

  it("has calls of a model without a price, calls that report no usage, streams that were cut, and requests tried again", () => {
    const unpriced = calls.filter(isUnpriced)
    expect(unpriced.filter(({ model }) => model === "quill-3-preview").length).toBeGreaterThan(0)
    expect(unpriced.filter(({ isTold }) => !isTold)).toHaveLength(4)
    expect(unpriced.filter(({ isCut }) => isCut).map(({ ticket }) => ticket)).toEqual(
      expect.arrayContaining(["T-1012", "T-1014", "T-1017"])
    )
    const refused = calls.filter(({ status }) => status === 429)
    expect(refused.map(({ ticket }) => ticket).sort()).toEqual(["T-1002", "T-1007", "T-1033", "T-1033"])
  })

  it("ends a withdrawn ticket in both services, with the reason", () => {
    const { runs, status } = eventOf("T-1017")
    expect(status).toBe("canceled")
    const endOf = (workflow: string) => runs.find(({ run }) => run.workflow === workflow)?.completed
    expect(endOf("Customer Support")).toMatchObject({
      status: "canceled",
      cancellationReason: "withdrawn by the customer"
    })
    expect(endOf("Draft Reply")).toMatchObject({ status: "canceled" })
  })

  it.each(["T-1008", "T-1012", "T-1014"])("ends %s at its deadline in both services", (id) => {
    const { runs, status } = eventOf(id)
    expect(status).toBe("timeout")
    const [desk, backOffice, ...further] = runs.map(({ completed }) => completed)
    expect(further).toEqual([])
    expect(desk?.status).toBe("timeout")
    // Both have the same deadline. Where the desk is the first to see it, it leaves, and the back office sees that first.
    const atDeadline = { status: "timeout", cancellationReason: undefined }
    const left = { status: "canceled", cancellationReason: "client_disconnected" }
    expect([atDeadline, left]).toContainEqual({
      status: backOffice?.status,
      cancellationReason: backOffice?.cancellationReason
    })
  })

  it("ends a ticket that passed its budget, with the cost of each attempt", () => {
    const { chains, status } = eventOf("T-1032")
    expect(status).toBe("failure")
    expect(chains[0].attempts.map(({ completed }) => completed?.errorClass)).toEqual([
      "ModelOverloaded",
      "ModelOverloaded",
      "BudgetExceeded"
    ])
    expect(job.stderr).toMatch(/"run \S+ of workflow \\"Customer Support\\" spent 0\.00\d+ USD of its budget/)
  })

  it("prints the report and a run tree by the command's own code", () => {
    expect(job.stdout).toMatch(/^3 workflows +40 +62\.5 .* 0\.0517\d +\+14\? /m)
    expect(job.stdout).toMatch(/^T-1006 +northwind +Refund /m)
    expect(job.stdout).toMatch(/^Attempt 2 .* success$/m)
    expect(job.stdout).toMatch(/^├─ Payment Lookup, attempt 2 /m)
  })

  it("names commands that work on its ledger", async () => {
    const named = Array.from(job.stdout.matchAll(/^ {2}npm run botanu -- (.*?) *(?:#|$)/gm), ([, line = ""]) => line)
    expect(named.length).toBeGreaterThanOrEqual(4)
    const [first = ""] = named
    const program = new Program("forty", ["command/src/main.ts", ...first.trim().split(/\s+/)])
    expect(await program.exit, program.stderr).toBe(0)
    expect(program.stdout).toMatch(/^northwind +11 /m)
  })

  it("ends with how to open the page on it, which is built first", () => {
    expect(job.stdout.trimEnd()).toMatch(/\n {2}npm run page +# all of it as a page in the browser$/)
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { page: string } }
    expect(scripts.page).toMatch(/^node command\/page\/build\.mjs && .* serve --open$/)
  })
})

describe("the support desk, stopped", { timeout: patienceMillis }, () => {
  it("cancels the runs under way on SIGINT, and leaves each of them in the ledger", async () => {
    const job = new Program("stopped")
    await job.untilCalls(5)
    job.signal("SIGINT")
    expect(await job.exit).toBe(130)
    const { problems, records } = await job.contents
    expect(problems).toEqual([])
    expect(records.length).toBeGreaterThan(0)
    expect(records.filter(({ completed }) => completed === undefined)).toEqual([])
    expect(records.some(({ completed }) => completed?.status === "canceled")).toBe(true)
  })
})
