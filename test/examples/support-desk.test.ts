import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import { BigDecimal, Effect, Either, FastCheck, Schema } from "effect"
import { ModelCall } from "../../examples/support-desk/CallLog.js"
import * as CommandLine from "../../examples/support-desk/CommandLine.js"
import * as CostSummary from "../../examples/support-desk/CostSummary.js"
import * as Figures from "../../examples/support-desk/Figures.js"
import { bar } from "../../examples/support-desk/ProgressText.js"
import * as Report from "../../examples/support-desk/Report.js"
import * as Signals from "../../examples/support-desk/Signals.js"
import { percentile, statuses, summarize } from "../../examples/support-desk/Summary.js"
import * as Tally from "../../examples/support-desk/Tally.js"
import type { Screen } from "../../examples/support-desk/Terminal.js"
import * as Ticket from "../../examples/support-desk/Ticket.js"
import { CompletedRun, type Cost, CostTotals, Outcome, Run, type RunStatus } from "../../src/index.js"
import { TerminalText } from "../../src/report/index.js"
import { instant, makeRun } from "../runs.js"

const { visible, width } = TerminalText

const root = fileURLToPath(new URL("../..", import.meta.url))
const shippedTickets = join(root, "examples/support-desk/tickets.jsonl")

const question = { id: "T-1", org: "acme", topic: "question", subject: "How?", body: "", simulate: { workMs: 20 } }
const refund = { ...question, id: "T-2", topic: "refund", payments: [{ reference: "ch_1", usd: 12.5 }] }

const linesOf = (tickets: ReadonlyArray<unknown>): string =>
  tickets.map((ticket) => `${typeof ticket === "string" ? ticket : JSON.stringify(ticket)}\n`).join("")

const patienceMillis = 90_000

describe("the process", { timeout: patienceMillis, concurrent: true }, () => {
  const folder = mkdtempSync(join(tmpdir(), "support-desk-"))
  const jobs = new Set<Job>()

  afterAll(() => {
    for (const job of jobs) job.kill()
    rmSync(folder, { recursive: true })
  })

  /** A started process, and what it has written so far. */
  class Job {
    stdout = ""
    stderr = ""
    readonly exitCode: Promise<number | null>
    private readonly child: ChildProcessWithoutNullStreams

    constructor(args: ReadonlyArray<string>, environment: Record<string, string> = {}) {
      const inherited = Object.entries(process.env).filter(([name]) => !/^(BOTANU|DEPLOYMENT)_/.test(name))
      this.child = spawn(process.execPath, ["--import", "tsx", "examples/support-desk/main.ts", ...args], {
        cwd: root,
        env: { ...Object.fromEntries(inherited), ...environment },
        // In a process group of its own, as a shell starts it.
        detached: true
      })
      this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
        this.stdout += text
      })
      this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
        this.stderr += text
      })
      this.exitCode = new Promise((resolve, reject) => {
        this.child.on("error", reject)
        this.child.on("close", resolve)
      })
      jobs.add(this)
    }

    /** Waits until standard error shows this. */
    shows(text: string): Promise<void> {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (this.stderr.includes(text)) resolve()
        }
        this.child.stderr.on("data", look)
        this.child.on("close", () => reject(new Error(`ended without "${text}": ${this.stderr}`)))
        look()
      })
    }

    write(text: string): void {
      this.child.stdin.write(text)
    }

    endInput(): void {
      this.child.stdin.end()
    }

    interrupt(): void {
      this.child.kill("SIGINT")
    }

    /** Sends a signal to all of its processes, as a terminal does on Ctrl-C. */
    signalAll(signal: NodeJS.Signals): void {
      process.kill(-Number(this.child.pid), signal)
    }

    kill(): void {
      this.child.kill("SIGKILL")
    }

    get pid(): number {
      return Number(this.child.pid)
    }

    /** The processes of the services that it has started, in that order. The loader of TypeScript starts others. */
    services(): ReadonlyArray<number> {
      const { pid } = this.child
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
      return children.filter((child) => commandOf(child).includes("-service.ts"))
    }
  }

  const commandOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8")
    } catch {
      return ""
    }
  }

  /** Waits for the processes of so many services. */
  const servicesOf = (job: Job, number: number): Promise<ReadonlyArray<number>> =>
    vi.waitUntil(() => (job.services().length === number ? job.services() : false), { timeout: patienceMillis })

  const allOver = (pids: ReadonlyArray<number>): Promise<boolean> =>
    vi.waitUntil(() => !pids.some(isAlive), { timeout: patienceMillis })

  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  /** The addresses that a process is connected to over TCP, and those that it sends to over UDP. */
  const peersOf = (pid: number): ReadonlyArray<string> => {
    const folder = `/proc/${pid}/fd`
    const open = new Set(readdirSync(folder).map((fd) => linkOf(join(folder, fd))))
    return ["tcp", "tcp6", "udp", "udp6"].flatMap((protocol) =>
      readFileSync(`/proc/${pid}/net/${protocol}`, "utf8")
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state, , , , , , inode]) => state !== listening && open.has(`socket:[${inode}]`))
        .map(([, , peer = ""]) => addressOf(peer))
    )
  }

  const listening = "0A"

  const linkOf = (path: string): string => {
    try {
      return readlinkSync(path)
    } catch {
      return ""
    }
  }

  /** An address of IPv4 as the kernel writes it, the last byte first; another one as it stands. */
  const addressOf = (hex: string): string => {
    const [, ...bytes] = /^(..)(..)(..)(..):/.exec(hex) ?? []
    return bytes.length === 0
      ? hex
      : bytes
          .reverse()
          .map((byte) => Number.parseInt(byte, 16))
          .join(".")
  }

  const fileOf = (name: string, tickets: ReadonlyArray<unknown>): string => {
    const path = join(folder, name)
    writeFileSync(path, linesOf(tickets))
    return path
  }

  /** The cells of the table's row of this name. */
  const cellsOf = (report: string, name: string): ReadonlyArray<string> => {
    const row = report.split("\n").find((line) => line.startsWith(`${name} `))
    return row?.slice(name.length).trim().split(/\s+/) ?? []
  }

  const callsIn = (path: string): ReadonlyArray<ModelCall> =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => decodeCall(line))

  const decodeCall = Schema.decodeSync(Schema.parseJson(ModelCall))

  const prices: Record<string, Record<string, number>> = JSON.parse(
    readFileSync(join(root, "examples/prices.json"), "utf8")
  )

  const places = 12

  // The shares have six decimal places.
  const rounding = 10n ** BigInt(places - 6)

  /** An amount of US dollars in units of the last decimal place. */
  const unitsOf = (decimal: string): bigint => {
    const [, whole = "", fraction = "", exponent = "0"] = /^(\d+)\.?(\d*)(?:e(-?\d+))?$/.exec(decimal) ?? []
    return BigInt(whole + fraction) * 10n ** BigInt(places - fraction.length + Number(exponent))
  }

  const isServed = ({ status }: ModelCall) => status === 200

  const isUnpriced = (call: ModelCall) =>
    isServed(call) && (call.isCut || !call.isTold || prices[call.model] === undefined)

  // The client tries each of them three times.
  const overloaded = (calls: ReadonlyArray<ModelCall>) => calls.filter(({ status }) => status === 503).length / 3

  /** What the calls cost, in units of the last decimal place. */
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

  /** The row of this name in the table of costs. */
  const costRow = (report: string, name: string) => {
    const cells = cellsOf(report.slice(report.indexOf("Cost in USD")), name)
    const [, calls, unpriced, sum = "", perEvent = "", perSuccess = ""] = cells
    return {
      calls: Number(calls),
      unpriced: unpriced === "·" ? 0 : Number(unpriced),
      sum: unitsOf(sum),
      perEvent: unitsOf(perEvent),
      perSuccess: perSuccess === "·" ? undefined : unitsOf(perSuccess)
    }
  }

  const canceled = 7

  describe("with the tickets of the repository", () => {
    const callLog = join(folder, "calls.jsonl")
    let job: Job
    beforeAll(async () => {
      job = new Job(["--calls", callLog])
      await job.exitCode
    }, patienceMillis)

    it("exits with 0", async () => {
      expect(await job.exitCode).toBe(0)
    })

    it("shows a line for each ticket as it is done, without control sequences", () => {
      const progress = job.stderr.trimEnd().split("\n")
      expect(progress).toHaveLength(40)
      expect(progress[39]).toMatch(/^40\/40 {2}\w+ +T-10\d\d .+ for .+: /)
      expect(job.stderr + job.stdout).not.toContain("\u001b")
    })

    it("reports outcomes of all five statuses, one for each ticket", () => {
      const [headline = ""] = job.stdout.split("\n")
      expect(headline).toMatch(/^40 of 40 tickets done in /)
      expect(headline).toMatch(/: 25 success, 5 failure, 6 partial, 3 timeout, 1 canceled\.$/)
    })

    it("prints a table of workflows and their customers that fits 120 columns", () => {
      expect(cellsOf(job.stdout, "Workflow")).toEqual(
        expect.arrayContaining(["Events", "Runs", "Attempts", ...statuses, "p50", "p95", "Value"])
      )
      const [events, runs, attempts] = cellsOf(job.stdout, "Refund").map(Number)
      expect([events, attempts]).toEqual([9, 3])
      expect(runs).toBeGreaterThan(9)
      expect(cellsOf(job.stdout, "  Caffè Müller").at(-1)).toBe("accounts_restored")
      expect(Math.max(...job.stdout.split("\n").map(width))).toBeLessThanOrEqual(120)
    })

    const treesOf = (report: string) => report.split("\n\n").filter((part) => part.startsWith("The runs of event"))

    it("prints the run tree of an event with retries and nested runs", () => {
      const [tree = ""] = treesOf(job.stdout)
      const first = /^├─ Refund +attempt 1 {2}(\w{8}) {2}failure/m.exec(tree)?.[1]
      expect(first).toBeDefined()
      expect(tree).toMatch(/^│ {2}├─ Payment Lookup +attempt 1 /m)
      expect(tree).toMatch(/^└─ Refund +attempt 2 /m)
      expect(tree).toContain(`retry of ${first}`)
      expect(tree).toMatch(/^├─ Refund .+ desk, LedgerLocked, 0\.\d+ USD$/m)
      expect(tree).toMatch(/^│ {2}├─ Payment Lookup .+ back office/m)
    })

    it("prints the trees of an abort and of a deadline that went from one service to the other", () => {
      const [, abort, deadline] = treesOf(job.stdout)
      expect(abort).toMatch(/^└─ Customer Support .+ canceled .+ desk, withdrawn by the customer, 0\.\d+ USD$/m)
      expect(abort).toMatch(/^ {3}└─ Draft Reply .+ canceled .+ back office, client_disconnected, 1 unpriced call$/m)
      expect(deadline).toMatch(/^└─ .+ timeout .+ desk$/m)
      expect(deadline).toMatch(/^ {3}└─ .+ timeout .+ back office$/m)
    })

    it("warns of a budget that is nearly spent, and shows the run that passed it with what each run cost", () => {
      const warnings = job.stdout.split("\n").filter((line) => line.startsWith("desk: "))
      expect(warnings).toEqual([
        expect.stringMatching(/^desk: run \S+ of workflow "Customer Support" spent 0\.00\d+ USD /)
      ])
      const tree = treesOf(job.stdout)[3]
      const ends = tree?.match(/(?<=^[├└]─ Customer Support .+desk, ).+$/gm)
      expect(ends).toEqual([
        expect.stringMatching(/^ModelOverloaded, 0\.00\d+ USD$/),
        expect.stringMatching(/^retry of \w+, ModelOverloaded, 0\.00\d+ USD$/),
        expect.stringMatching(/^retry of \w+, BudgetExceeded, 0\.00\d+ USD$/)
      ])
      expect(tree).toMatch(/^│ {2}└─ Draft Reply .+ failure .+ back office, ModelOverloaded, 0\.00\d+ USD$/m)
    })

    describe("its cost", () => {
      const calls = () => callsIn(callLog)
      const tickets = new Map(
        readFileSync(shippedTickets, "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => Either.getOrThrow(Ticket.fromLine(line)))
          .map((ticket) => [ticket.id, ticket])
      )
      const callsBy = (keyOf: (ticket: Ticket.Ticket) => string | undefined, key: string) =>
        calls().filter((call) => {
          const ticket = tickets.get(call.ticket)
          return ticket !== undefined && keyOf(ticket) === key
        })
      const ofCustomer = (customer: string) => callsBy(({ org }) => org, customer)
      const ofTopic = (topic: Ticket.Ticket["topic"]) => callsBy((ticket) => ticket.topic, topic)

      it.each<readonly [string, () => ReadonlyArray<ModelCall>]>([
        ["All", calls],
        ["  Caffè Müller", () => ofCustomer("Caffè Müller")],
        ["  brightmail", () => ofCustomer("brightmail")],
        ["  northwind", () => ofCustomer("northwind")],
        ["  osaka-rail", () => ofCustomer("osaka-rail")],
        ["Account Recovery", () => ofTopic("access")],
        ["Customer Support", () => ofTopic("question")],
        ["Refund", () => ofTopic("refund")]
      ])("of %s is what the model server's own log comes to, to the last digit", (name, some) => {
        const row = costRow(job.stdout, name)
        expect(row.sum).toBe(costOf(some()))
        expect(row.sum).toBeGreaterThan(0n)
        expect(row.unpriced).toBe(some().filter(isUnpriced).length)
        expect(row.calls).toBe(some().filter(isServed).length + overloaded(some()))
      })

      it("is shared among events, and among successful outcomes", () => {
        const shareOf = (sum: bigint, parts: bigint) => (sum + (parts * rounding) / 2n) / (parts * rounding)
        for (const [name, events, successes] of [
          ["All", 40n, 25n],
          ["Customer Support", 23n, 15n],
          ["Refund", 9n, 5n],
          ["Account Recovery", 8n, 5n]
        ] as const) {
          const { perEvent, perSuccess, sum } = costRow(job.stdout, name)
          expect([perEvent, perSuccess]).toEqual([shareOf(sum, events) * rounding, shareOf(sum, successes) * rounding])
        }
      })

      it("leaves out calls of a model without a price, calls that tell no usage, and streams that were cut, and says so", () => {
        const unpriced = calls().filter(isUnpriced)
        const unknown = unpriced.filter(({ model }) => prices[model] === undefined && model === "quill-3-preview")
        expect(unknown.length).toBeGreaterThan(0)
        expect(unpriced.filter(({ isTold }) => !isTold)).toHaveLength(4)
        expect(unpriced.filter(({ isCut }) => isCut).map(({ ticket }) => ticket)).toEqual(
          expect.arrayContaining(["T-1012", "T-1014", "T-1017"])
        )
        expect(job.stdout).toContain(
          `${unpriced.length} unpriced calls, not in the sums: ${unknown.length} without a price for the model, ` +
            `${unpriced.length - unknown.length} of unknown usage.`
        )
      })

      it("has requests in it that were refused and tried again, from this machine all of them", () => {
        const refused = calls().filter(({ status }) => status === 429)
        expect(refused.map(({ ticket }) => ticket).sort()).toEqual(["T-1002", "T-1007", "T-1033", "T-1033"])
        expect(new Set(calls().map(({ from }) => from))).toEqual(new Set(["127.0.0.1"]))
      })
    })
  })

  it("works the user's own file, and goes on after bad lines", async () => {
    const bad = { ...question, org: "" }
    const job = new Job([fileOf("own.jsonl", [question, "", "{", bad, { ...question, id: "T-9\u001b" }, refund])])
    expect(await job.exitCode).toBe(0)
    expect(job.stderr.split("\n").filter((line) => line.startsWith("line"))).toEqual([
      "line 3: expected a ticket as JSON",
      "line 4: org: expected non-empty text",
      "line 5: id: expected text without control characters"
    ])
    expect(job.stdout).toMatch(/^2 of 2 tickets done in .+: 2 success\.\n3 lines left out: no valid ticket\.$/m)
    expect(cellsOf(job.stdout, "Refund").slice(-2)).toEqual(["12.5", "usd_refunded"])
  })

  it("says that it does not know what calls cost that do not tell their usage", async () => {
    const untold = { ...question, simulate: { workMs: 20, untold: true, refusals: 2 } }
    const calls = join(folder, "untold-calls.jsonl")
    const job = new Job(["--calls", calls, fileOf("untold.jsonl", [untold, refund])])
    expect(await job.exitCode).toBe(0)
    expect(job.stdout).toMatch(/^2 of 2 tickets done in .+: 2 success\.$/m)
    expect(callsIn(calls).filter(({ status }) => status === 429)).toHaveLength(2)
    expect(costRow(job.stdout, "Customer Support")).toMatchObject({ calls: 3, unpriced: 3, sum: 0n })
    expect(costRow(job.stdout, "Refund")).toMatchObject({ calls: 1, unpriced: 0, sum: costOf(callsIn(calls)) })
    expect(job.stdout).toContain("\n3 unpriced calls, not in the sums: 3 of unknown usage.\n")
  })

  it("costs nothing what the model server refuses for good", async () => {
    const refused = { ...question, simulate: { workMs: 20, refusals: 9 } }
    const job = new Job([fileOf("refused.jsonl", [refused])])
    expect(await job.exitCode).toBe(0)
    expect(job.stdout).toMatch(/^1 of 1 ticket done in .+: 1 failure\.$/m)
    expect(costRow(job.stdout, "All")).toEqual({ calls: 3, unpriced: 0, sum: 0n, perEvent: 0n, perSuccess: undefined })
    expect(job.stdout).not.toContain("unpriced call")
  })

  it("talks to nobody but itself", async () => {
    const job = new Job([fileOf("loopback.jsonl", [{ ...refund, simulate: { workMs: 60_000 } }, question])])
    await job.shows("T-1")
    const peers = [job.pid, ...job.services()].map(peersOf)
    job.interrupt()
    await job.exitCode
    expect(peers).toHaveLength(3)
    for (const some of peers) expect(new Set(some)).toEqual(new Set(["127.0.0.1"]))
  })

  it("reads standard input", async () => {
    const job = new Job(["-"])
    const evil = { ...refund, subject: "\u001b[2J\u009b31m\u202eevil" }
    job.write(`\ufeff${linesOf([question, evil]).replaceAll("\n", "\r\n").trimEnd()}`)
    job.endInput()
    expect(await job.exitCode).toBe(0)
    expect(job.stdout).toMatch(/^2 of 2 tickets done/)
    expect(job.stderr).toContain(": \\u001b[2J\\u009b31m\\u202eevil\n")
  })

  it("prints spans with their attributes on --trace", async () => {
    const job = new Job(["--trace", fileOf("trace.jsonl", [question])])
    expect(await job.exitCode).toBe(0)
    const trace = job.stdout.slice(job.stdout.indexOf("\nhttp.server POST ")).split("\n").slice(1)
    const indentOf = (line: string | undefined) => /^ */.exec(line ?? "")?.[0].length
    const run = trace.findIndex((line) => /^ +botanu\.run\/Customer Support {2}server, \d.+s, span \w{16}$/.test(line))
    const runId = /^ +botanu\.run_id=(\S{36}) botanu\.workflow="Customer Support"/.exec(trace[run + 1] ?? "")?.[1]
    expect(runId).toBeDefined()
    const child = trace.findIndex((line) => /^ +botanu\.run\/Draft Reply {2}internal/.test(line))
    expect(trace.slice(child).join("\n")).toContain(`botanu.parent_run_id=${runId}`)
    expect(indentOf(trace[child])).toBeGreaterThan(indentOf(trace[run]) ?? 0)
    const span = trace.findIndex((line) => /^ +search knowledge base/.test(line))
    expect(trace[span + 1]).toContain(`botanu.run_id=${runId}`)
    expect(trace.join("\n")).toContain("botanu.run.completed")
    const attributesOf = (name: string) =>
      trace
        .slice(trace.findIndex((line) => line.includes(name)))
        .slice(1, 12)
        .join(" ")
    expect(attributesOf("botanu.run/Customer Support")).toMatch(
      / botanu\.team=product .* botanu\.run\.cost_usd=0\.0000/
    )
    expect(attributesOf("LanguageModel.generateText")).toMatch(/ botanu\.usage\.cost_usd=0\.0000/)
  })

  const long = { ...refund, simulate: { workMs: 60_000 } }
  const refunds = ["T-3", "T-4", "T-5", "T-6", "T-7", "T-8"].map((id) => ({ ...long, id }))

  it.each<readonly [string, number, (job: Job) => void]>([
    ["SIGINT", 130, (job) => job.interrupt()],
    ["Ctrl-C, which all of its processes hear", 130, (job) => job.signalAll("SIGINT")],
    ["SIGTERM to all of its processes", 143, (job) => job.signalAll("SIGTERM")]
  ])("completes the runs in flight as canceled on %s, reports what was done and exits with %i", async (...args) => {
    const [, exitCode, stop] = args
    const job = new Job([fileOf(`long-${args[0]}.jsonl`, [...refunds, question])])
    await job.shows("T-1")
    const services = job.services()
    expect(services).toHaveLength(2)
    stop(job)
    expect(await job.exitCode).toBe(exitCode)
    expect(services.filter(isAlive)).toEqual([])
    expect(job.stdout).toMatch(
      /^Stopped by SIG(INT|TERM); 6 tickets in work canceled\.\n1 of 7 tickets done in .+: 1 success\./
    )
    expect(cellsOf(job.stdout, "Refund")[canceled]).toBe("6")
    const [, runs, ...lookups] = cellsOf(job.stdout, "Payment Lookup")
    expect(lookups[canceled - 2]).toBe(runs)
    expect(cellsOf(job.stdout, "Customer Support")[canceled]).toBe("·")
    expect(job.stderr.trimEnd().split("\n")).toHaveLength(1)
  })

  it("leaves no process behind when it is killed, and no error", async () => {
    const job = new Job([fileOf("killed.jsonl", [long, question])])
    await job.shows("T-1")
    const services = job.services()
    expect(services).toHaveLength(2)
    job.kill()
    await job.exitCode
    await allOver(services)
    expect(job.stderr.trimEnd().split("\n")).toHaveLength(1)
  })

  it.each([1, 2])("leaves no process behind when it is killed while service %i starts", async (number) => {
    const job = new Job([shippedTickets])
    const services = await servicesOf(job, number)
    job.kill()
    await allOver(services)
  })

  it("says that a service has ended before it listened, and exits with 1", async () => {
    const job = new Job([shippedTickets])
    const [first = 0] = await servicesOf(job, 1)
    process.kill(first, "SIGKILL")
    expect(await job.exitCode).toBe(1)
    expect(job.stdout).toBe("")
    expect(job.stderr).toBe('the service "back office" has ended: SIGKILL\n')
  })

  it.each([
    [0, "back office"],
    [1, "desk"]
  ])("says that a service has ended, reports what was done and exits with 1: %i, the %s", async (index, name) => {
    const job = new Job([fileOf(`${name}.jsonl`, [long, question])])
    await job.shows("T-1")
    const services = job.services()
    process.kill(Number(services[index]), "SIGKILL")
    expect(await job.exitCode).toBe(1)
    expect(services.filter(isAlive)).toEqual([])
    // The ticket in work may be answered for, or given up, before it is heard that the service has ended.
    expect(job.stdout).toMatch(/^[12] of 2 tickets done in .+: 1 success(, 1 failure)?\.$/m)
    expect(job.stderr.trimEnd().split("\n").at(-1)).toBe(`the service "${name}" has ended: SIGKILL`)
  })

  it("is stopped by SIGINT while it waits for input, with a report", async () => {
    const job = new Job(["-"])
    job.write(linesOf([question]))
    await job.shows("1/1+")
    job.interrupt()
    expect(await job.exitCode).toBe(130)
    expect(job.stdout).toMatch(/^Stopped by SIGINT; 0 tickets in work canceled\.\n1 of 1 ticket done/)
  })

  it("says in one line what is wrong with BOTANU_PROPAGATION_MODE, and what is allowed", async () => {
    const job = new Job([], { BOTANU_PROPAGATION_MODE: "ful" })
    expect(await job.exitCode).toBe(1)
    expect(job.stdout).toBe("")
    expect(job.stderr).toMatch(/^BOTANU_PROPAGATION_MODE: .*lean.*full.*ful.*\n$/)
  })

  it("says in one line that the log of calls cannot be written", async () => {
    const path = join(folder, "missing", "calls.jsonl")
    const job = new Job(["--calls", path])
    expect(await job.exitCode).toBe(1)
    expect(job.stdout).toBe("")
    expect(job.stderr).toBe(`cannot write calls to "${path}": no such file or directory\n`)
  })

  it("says in one line that a file cannot be read", async () => {
    const path = join(folder, "missing.jsonl")
    const job = new Job([path])
    expect(await job.exitCode).toBe(1)
    expect(job.stdout).toBe("")
    expect(job.stderr).toBe(`cannot read tickets from "${path}": no such file or directory\n`)
  })
})

describe("Signals", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it("tells of the first signal, ignores its echo, and ends the process on a later one", async () => {
    const others = process.listeners("SIGINT")
    const stopped = await Effect.runPromise(Signals.listen)
    const added = process.listeners("SIGINT").filter((listener) => !others.includes(listener))
    for (const signal of ["SIGINT", "SIGTERM"]) {
      for (const listener of added) process.removeListener(signal, listener)
    }
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never)
    const now = vi.spyOn(performance, "now")
    const interruptAt = (milliseconds: number) => {
      now.mockReturnValue(milliseconds)
      for (const listener of added) listener("SIGINT")
    }
    interruptAt(5000)
    interruptAt(5900)
    expect(await Effect.runPromise(stopped)).toBe("SIGINT")
    expect(exit).not.toHaveBeenCalled()
    interruptAt(6100)
    expect(exit.mock.calls).toEqual([[130]])
  })
})

describe("CommandLine", () => {
  const sourceOf = (args: ReadonlyArray<string>) =>
    Either.match(CommandLine.parse(args, "tickets.jsonl"), {
      onLeft: (wrong) => wrong.message,
      onRight: (command) =>
        command._tag === "Work"
          ? [command.source.name, command.trace, ...(command.calls === undefined ? [] : [command.calls])]
          : command._tag
    })

  it.each([
    [[], ['"tickets.jsonl"', false]],
    [["--trace"], ['"tickets.jsonl"', true]],
    [
      ["my.jsonl", "--trace"],
      ['"my.jsonl"', true]
    ],
    [["-"], ["standard input", false]],
    [
      ["--calls", "calls.jsonl", "-"],
      ["standard input", false, "calls.jsonl"]
    ],
    [["my.jsonl", "--calls"], "expected a file after --calls; usage: npm start -- [--trace] [--calls FILE] [FILE | -]"],
    [["--calls", "--trace"], "expected a file after --calls; usage: npm start -- [--trace] [--calls FILE] [FILE | -]"],
    [["my.jsonl", "--help"], "Help"],
    [["--trcae"], "unknown option --trcae; usage: npm start -- [--trace] [--calls FILE] [FILE | -]"],
    [["one", "two"], "expected one source of tickets, got 2; usage: npm start -- [--trace] [--calls FILE] [FILE | -]"]
  ])("%j", (args, expected) => {
    expect(sourceOf(args)).toEqual(expected)
  })
})

describe("Ticket", () => {
  it("accepts all forty of the repository, each with an id of its own", () => {
    const tickets = readFileSync(shippedTickets, "utf8").trimEnd().split("\n").map(Ticket.fromLine)
    expect(tickets.filter(Either.isLeft)).toEqual([])
    expect(new Set(tickets.map((ticket) => Either.getOrThrow(ticket).id)).size).toBe(40)
  })

  it("needs no simulation", () => {
    const { simulate: _, ...plain } = question
    expect(Either.getOrThrow(Ticket.fromLine(JSON.stringify(plain))).simulate).toEqual({
      workMs: 250,
      failures: 0,
      confidence: 0.9
    })
  })

  it.each([
    ["[]", "expected a ticket as a JSON object"],
    ["{}", "topic: is missing"],
    [{ ...question, topic: "joke" }, 'topic: Expected "question" | "refund" | "access", actual "joke"'],
    [{ ...question, id: "é".repeat(129) }, "id: expected at most 256 bytes of UTF-8"],
    [{ ...question, subject: undefined }, "subject: is missing"],
    [{ ...question, simulate: { workMs: -1 } }, "simulate.workMs: expected a whole number from 0 to 60000"],
    [{ ...question, simulate: { confidence: 2 } }, "simulate.confidence: expected a number from 0 to 1"],
    [{ ...refund, payments: [] }, "payments: expected at least one payment"],
    [
      '{"id":"1","org":"1","topic":"refund","subject":"1","body":"","payments":[{"reference":"1","usd":1e999}]}',
      "payments.0.usd: expected an amount of at most 1000000"
    ],
    [{ ...question, topic: "access", proof: "\u001b" }, 'proof: expected "passkey", "email" or "none"']
  ])("%j is refused", (line, problem) => {
    expect(Ticket.fromLine(linesOf([line]))).toEqual(Either.left(problem))
  })
})

const plainScreen: Screen = { columns: 120, isTerminal: false, hasColour: false }

describe("the progress bar", () => {
  const tally = { ...Tally.finish(Tally.finish(Tally.initial, "success"), "timeout"), read: 8, started: 5 }

  it("shows what is done, how it went and what is in work", () => {
    const shown = bar(tally, 2340, plainScreen)
    expect(shown).toBe("██████░░░░░░░░░░░░░░░░░░ 2/8+  1 success  1 timeout  3 in work  2.3 s")
    expect(bar({ ...tally, isReading: false }, 0, plainScreen)).toContain(" 2/8  ")
  })

  it.each([80, 40, 20, 5])("fits a terminal of %i columns", (columns) => {
    expect(width(bar(tally, 1e6, { ...plainScreen, columns }))).toBeLessThan(columns)
  })
})

const runId = (number: number) =>
  Schema.decodeSync(Run.fields.runId)(`019abc12-0000-7000-8000-${String(number).padStart(12, "0")}`)

interface CompletedFields extends Partial<ConstructorParameters<typeof CompletedRun>[0]> {
  readonly fields?: Partial<ConstructorParameters<typeof Run>[0]>
}

const completed = (number: number, { fields, ...rest }: CompletedFields = {}): CompletedRun =>
  new CompletedRun({
    run: makeRun({ runId: runId(number), rootRunId: runId(number), ...fields }),
    status: "success",
    endTime: instant(0),
    durationMs: number * 100,
    ...rest
  })

const resolved = (valueAmount: number) =>
  new Outcome.Outcome({ status: "success", valueType: "tickets_resolved", valueAmount })

/** A ticket whose first attempt got a draft and failed, and whose second got one too and went well. */
const retried = [
  completed(2, { fields: { workflow: "Draft Reply", parentRunId: runId(1) }, outcome: resolved(1) }),
  completed(1, {
    status: "failure",
    errorClass: "Overloaded",
    outcome: new Outcome.Outcome({ status: "failure", valueType: "tickets_resolved", valueAmount: 0.5 })
  }),
  completed(4, { fields: { workflow: "Draft Reply", parentRunId: runId(3) }, outcome: resolved(1) }),
  completed(3, { fields: { attempt: 2, rootRunId: runId(1), retryOfRunId: runId(1) }, outcome: resolved(2) })
]

describe("Summary", () => {
  it("counts outcome and value of final attempts only, and of what ran inside of them", () => {
    const [support, draft] = summarize(retried)
    expect(support).toMatchObject({
      workflow: "Customer Support",
      total: {
        events: 1,
        runs: 2,
        attempts: 2,
        outcomes: new Map([["success", 1]]),
        values: new Map([["tickets_resolved", 2]]),
        p50Ms: 100,
        p95Ms: 300
      }
    })
    expect(draft).toMatchObject({
      workflow: "Draft Reply",
      total: { events: 1, runs: 2, attempts: 1, values: new Map([["tickets_resolved", 1]]) }
    })
  })

  it("keeps customers apart, and sums values by type", () => {
    const [summary] = summarize([
      completed(1, { outcome: resolved(1) }),
      completed(2, { fields: { customerId: "__proto__" }, outcome: resolved(0.1) }),
      completed(3, { fields: { customerId: "__proto__", eventId: "other" }, outcome: resolved(0.2) })
    ])
    expect(summary?.customers.map(({ customerId, figures }) => [customerId, figures.events])).toEqual([
      ["__proto__", 2],
      ["bigretail", 1]
    ])
    expect(summary?.total.values.get("tickets_resolved")).toBeCloseTo(1.3)
  })

  it.each([
    [[], 0.5, 0],
    [[7], 0.95, 7],
    [[1, 2, 3, 4], 0.5, 2],
    [Array.from({ length: 100 }, (_, index) => index + 1), 0.95, 95]
  ])("the percentile of %j at %f is %f", (sorted, share, expected) => {
    expect(percentile(sorted, share)).toBe(expected)
  })
})

const totals = (usd: string, calls: number, unpriced: Partial<Record<Cost.UnpricedReason, number>> = {}) => {
  const reasons = { unknown_model: 0, no_price_for_kind: 0, no_usage: 0, ...unpriced }
  const unpricedCalls = Object.values(reasons).reduce((sum, number) => sum + number, 0)
  return new CostTotals({
    usd: BigDecimal.unsafeFromString(usd),
    inputTokens: 0,
    outputTokens: 0,
    calls,
    unpricedCalls,
    ...(unpricedCalls > 0 && { unpriced: reasons })
  })
}

/** What happened to `retried`, and what it cost; and an event of another customer that came to nothing. */
const charged = [
  ...retried.map((run, index) => new CompletedRun({ ...run, totals: totals(`0.0${index}1`, 2) })),
  completed(5, {
    status: "failure",
    fields: { customerId: "株式会社東京", eventId: "ticket-43" },
    totals: totals("0", 3, { no_usage: 1, unknown_model: 2 })
  })
]

describe("CostSummary", () => {
  it("counts all runs of an event for the workflow that it began with, retries and nested ones too", () => {
    const { customers, total, workflows } = CostSummary.summarize(charged)
    const shown = ({ usd, ...figures }: CostSummary.CostFigures) => ({ ...figures, usd: BigDecimal.format(usd) })
    const all = { events: 2, successes: 1, calls: 11, unpricedCalls: 3, usd: "0.064" }
    expect(shown(total)).toEqual(all)
    expect(workflows.map(([name, figures]) => [name, shown(figures)])).toEqual([["Customer Support", all]])
    expect(customers.map(([name, figures]) => [name, shown(figures)])).toEqual([
      ["bigretail", { events: 1, successes: 1, calls: 8, unpricedCalls: 0, usd: "0.064" }],
      ["株式会社東京", { events: 1, successes: 0, calls: 3, unpricedCalls: 3, usd: "0" }]
    ])
  })

  it("counts successes of final attempts alone", () => {
    const failedAtLast = [
      completed(1, { outcome: resolved(1) }),
      completed(2, { status: "failure", fields: { attempt: 2, retryOfRunId: runId(1) } })
    ]
    expect(CostSummary.summarize(failedAtLast).total).toMatchObject({ events: 1, successes: 0 })
  })
})

describe("Figures", () => {
  it.each([
    ["0", "0.0000"],
    ["0.5", "0.5000"],
    ["0.012345678", "0.012345678"],
    ["12", "12.0000"],
    ["1e-9", "0.000000001"]
  ])("%s USD is %s", (amount, shown) => {
    expect(Figures.usd(BigDecimal.unsafeFromString(amount))).toBe(shown)
  })

  it("rounds to as many places as are wanted", () => {
    expect(Figures.usd(BigDecimal.unsafeFromString("0.0000125"), 6)).toBe("0.000013")
  })
})

describe("Report", () => {
  const job: Report.Job = { tally: Tally.initial, elapsedMs: 1500 }

  const treeOf = (runs: ReadonlyArray<CompletedRun>, screen = plainScreen) => {
    const report = Report.render(runs, job, screen)
    return report.slice(report.indexOf("The runs of event")).split("\n")
  }

  it("says what was done", () => {
    const tally = { ...Tally.finish(Tally.initial, "partial"), read: 3, started: 2, badLines: 1 }
    expect(Report.render([], { ...job, tally, stoppedBy: "SIGINT" }, plainScreen).split("\n")).toEqual([
      "Stopped by SIGINT; 1 ticket in work canceled.",
      "1 of 3 tickets done in 1.50 s: 1 partial.",
      "1 line left out: no valid ticket."
    ])
  })

  it("aligns the columns, also of wide characters", () => {
    const runs = [...retried, completed(5, { fields: { customerId: "株式会社東京" } })]
    const rows = Report.render(runs, job, plainScreen).split("\n").slice(2, 7)
    expect(rows).toEqual([
      "Workflow         Events Runs Attempts success failure partial timeout canceled    p50    p95  Value",
      "Customer Support      1    3        2       1       ·       ·       ·        · 300 ms 500 ms  2 tickets_resolved",
      "  bigretail           1    2        2       1       ·       ·       ·        · 100 ms 300 ms  2 tickets_resolved",
      "  株式会社東京        1    1        1       ·       ·       ·       ·        · 500 ms 500 ms  ·",
      "Draft Reply           1    2        1       1       ·       ·       ·        · 200 ms 400 ms  1 tickets_resolved"
    ])
  })

  it("has a table of costs, and says what is not in it", () => {
    const report = Report.render(charged, job, plainScreen)
    expect(report.slice(report.indexOf("Cost in USD"), report.indexOf("\n\nThe runs of event")).split("\n")).toEqual([
      "Cost in USD      Events Calls Unpriced    Sum Per event Per success",
      "Customer Support      2    11        3 0.0640  0.032000    0.064000",
      "All                   2    11        3 0.0640  0.032000    0.064000",
      "  bigretail           1     8        · 0.0640  0.064000    0.064000",
      "  株式会社東京        1     3        3 0.0000  0.000000           ·",
      "",
      "Sum: exact, over all runs of an event, its retries and what ran inside of them.",
      "Per success: all of it, for each event that ended so. Shares are rounded.",
      "3 unpriced calls, not in the sums: 2 without a price for the model, 1 of unknown usage."
    ])
  })

  it("has no table of costs where nothing was called", () => {
    expect(Report.render(retried, job, plainScreen)).not.toContain("Cost")
  })

  it("shows what the runs of an event cost, each of them and together", () => {
    expect(treeOf(charged)).toEqual([
      "The runs of event ticket-42, customer bigretail, 0.0640 USD:",
      "├─ Customer Support  attempt 1  00000001  failure    100 ms  Overloaded, 0.5 tickets_resolved, 0.0110 USD",
      "│  └─ Draft Reply    attempt 1  00000002  success    200 ms  1 tickets_resolved, 0.0010 USD",
      "└─ Customer Support  attempt 2  00000003  success    300 ms  retry of 00000001, 2 tickets_resolved, 0.0310 USD",
      "   └─ Draft Reply    attempt 1  00000004  success    400 ms  1 tickets_resolved, 0.0210 USD"
    ])
    expect(treeOf([completed(1, { totals: totals("0", 1, { no_usage: 1 }) })])[1]).toMatch(/ 1 unpriced call$/)
    expect(treeOf([completed(1, { totals: totals("0.5", 2, { no_usage: 1 }) })])[1]).toMatch(
      / 0\.5000 USD and 1 unpriced call$/
    )
  })

  it("passes on what services warned of, the first of it", () => {
    const warnings = Array.from({ length: 7 }, (_, index) => `desk: warning ${index} ${"and more ".repeat(15)}\u001b`)
    const lines = Report.render([], { ...job, warnings }, plainScreen).split("\n")
    expect(lines.filter((line) => line.startsWith("desk: "))).toHaveLength(5)
    expect(lines.at(-1)).toBe("2 more warnings.")
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(120)
    expect(lines.join("")).not.toContain("\u001b")
  })

  it("puts nested runs below their attempt, and attempts beside each other", () => {
    expect(treeOf(retried)).toEqual([
      "The runs of event ticket-42, customer bigretail:",
      "├─ Customer Support  attempt 1  00000001  failure    100 ms  Overloaded, 0.5 tickets_resolved",
      "│  └─ Draft Reply    attempt 1  00000002  success    200 ms  1 tickets_resolved",
      "└─ Customer Support  attempt 2  00000003  success    300 ms  retry of 00000001, 2 tickets_resolved",
      "   └─ Draft Reply    attempt 1  00000004  success    400 ms  1 tickets_resolved"
    ])
  })

  it("says which service had a run, and shows an end that one service owes to another", () => {
    const across = (first: number, eventId: string, status: RunStatus) => [
      completed(first, { status, fields: { eventId } }),
      completed(first + 1, { status, fields: { eventId, workflow: "Draft Reply", parentRunId: runId(first) } })
    ]
    const alone = completed(20, { status: "canceled", fields: { eventId: "alone" } })
    const runs = [...retried, alone, ...across(10, "late", "timeout"), ...across(12, "aborted", "canceled")]
    const isDesk = (id: string) => runs.some(({ run }) => run.runId === id && run.parentRunId === undefined)
    const report = Report.render(
      runs,
      { ...job, serviceOf: (id) => (isDesk(id) ? "desk" : "back office") },
      plainScreen
    )
    const trees = report.slice(report.indexOf("The runs of event")).split("\n\n")
    expect(trees.slice(1)).toEqual([
      [
        "The runs of event aborted, customer bigretail:",
        "└─ Customer Support  attempt 1  00000012  canceled   1.20 s  desk",
        "   └─ Draft Reply    attempt 1  00000013  canceled   1.30 s  back office"
      ].join("\n"),
      [
        "The runs of event late, customer bigretail:",
        "└─ Customer Support  attempt 1  00000010  timeout    1.00 s  desk",
        "   └─ Draft Reply    attempt 1  00000011  timeout    1.10 s  back office"
      ].join("\n")
    ])
    expect(trees[0]).toContain("desk, Overloaded, 0.5 tickets_resolved")
  })

  it("shows the event with the most to see", () => {
    const dull = [completed(7, { fields: { eventId: "dull" } }), completed(8, { fields: { eventId: "dull" } })]
    expect(treeOf([...dull, ...retried])[0]).toBe("The runs of event ticket-42, customer bigretail:")
  })

  it("shows a run whose parent is not over, or ran elsewhere", () => {
    expect(treeOf([completed(2, { fields: { parentRunId: runId(1) } })])[1]).toMatch(/^└─ Customer Support/)
  })

  it.each([80, 100, 120])("fits %i columns", (columns) => {
    const reason = "handed to a person, with a draft and a very long explanation of why that was so"
    const outcome = new Outcome.Outcome({ ...resolved(1234.5), status: "partial", reason })
    const runs = [...charged, completed(9, { fields: { customerId: "c".repeat(100) }, outcome })]
    const report = Report.render(runs, job, { ...plainScreen, columns })
    const table = report.slice(0, report.indexOf("The runs of event")).split("\n")
    const tree = treeOf([completed(9, { outcome })], { ...plainScreen, columns })
    expect(Math.max(...[...table, ...tree].map(width))).toBeLessThanOrEqual(columns)
    expect(tree.join(" ").replaceAll(/\s+/g, " ")).toContain(reason)
  })

  it("has colour on a screen that has", () => {
    const coloured = Report.render(charged, job, { ...plainScreen, hasColour: true })
    expect(coloured).toContain("\u001b[31mfailure")
    const codes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g")
    expect(coloured.replace(codes, "")).toBe(Report.render(charged, job, plainScreen))
  })

  it("never shows a control character", () => {
    const text = FastCheck.string({ unit: "binary" })
    FastCheck.assert(
      FastCheck.property(text, text, text, (reason, valueType, errorClass) => {
        const outcome = new Outcome.Outcome({ status: "failure", valueType, valueAmount: 1, reason })
        const report = Report.render([completed(1, { status: "failure", errorClass, outcome })], job, plainScreen)
        expect(report.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u)
      })
    )
  })
})

describe("visible", () => {
  it.each([
    ["Caffè Müller 東京 👍", "Caffè Müller 東京 👍"],
    ["a\nb\tc", "a\\u000ab\\u0009c"],
    ["\u001b[31m\u009b\u007f", "\\u001b[31m\\u009b\\u007f"],
    ["\u202eabc\u2066\u2028", "\\u202eabc\\u2066\\u2028"]
  ])("%j", (text, expected) => {
    expect(visible(text)).toBe(expected)
  })
})
