import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import { Effect, Either, FastCheck, Schema } from "effect"
import * as CommandLine from "../../examples/support-desk/CommandLine.js"
import { bar } from "../../examples/support-desk/ProgressText.js"
import * as Report from "../../examples/support-desk/Report.js"
import * as Signals from "../../examples/support-desk/Signals.js"
import { percentile, statuses, summarize } from "../../examples/support-desk/Summary.js"
import * as Tally from "../../examples/support-desk/Tally.js"
import { type Screen, visible, width } from "../../examples/support-desk/Terminal.js"
import * as Ticket from "../../examples/support-desk/Ticket.js"
import { CompletedRun, Outcome, Run, type RunStatus } from "../../src/index.js"
import { instant, makeRun } from "../runs.js"

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

  const canceled = 7

  describe("with the tickets of the repository", () => {
    let job: Job
    beforeAll(async () => {
      job = new Job([])
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
      expect(tree).toMatch(/^├─ Refund .+ desk, LedgerLocked$/m)
      expect(tree).toMatch(/^│ {2}├─ Payment Lookup .+ back office/m)
    })

    it("prints the trees of an abort and of a deadline that went from one service to the other", () => {
      const [, abort, deadline] = treesOf(job.stdout)
      expect(abort).toMatch(/^└─ Customer Support .+ canceled .+ desk, withdrawn by the customer$/m)
      expect(abort).toMatch(/^ {3}└─ Draft Reply .+ canceled .+ back office, client_disconnected$/m)
      expect(deadline).toMatch(/^└─ .+ timeout .+ desk$/m)
      expect(deadline).toMatch(/^ {3}└─ .+ timeout .+ back office$/m)
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
    expect(job.stdout).toMatch(/^1 of 2 tickets done in .+: 1 success\.$/m)
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
      onRight: (command) => (command._tag === "Work" ? [command.source.name, command.trace] : command._tag)
    })

  it.each([
    [[], ['"tickets.jsonl"', false]],
    [["--trace"], ['"tickets.jsonl"', true]],
    [
      ["my.jsonl", "--trace"],
      ['"my.jsonl"', true]
    ],
    [["-"], ["standard input", false]],
    [["my.jsonl", "--help"], "Help"],
    [["--trcae"], "unknown option --trcae; usage: npm start -- [--trace] [FILE | -]"],
    [["one", "two"], "expected one source of tickets, got 2; usage: npm start -- [--trace] [FILE | -]"]
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
    const runs = [...retried, completed(9, { fields: { customerId: "c".repeat(100) }, outcome })]
    const report = Report.render(runs, job, { ...plainScreen, columns })
    const table = report.slice(0, report.indexOf("The runs of event")).split("\n")
    const tree = treeOf([completed(9, { outcome })], { ...plainScreen, columns })
    expect(Math.max(...[...table, ...tree].map(width))).toBeLessThanOrEqual(columns)
    expect(tree.join(" ").replaceAll(/\s+/g, " ")).toContain(reason)
  })

  it("has colour on a screen that has", () => {
    const coloured = Report.render(retried, job, { ...plainScreen, hasColour: true })
    expect(coloured).toContain("\u001b[31mfailure")
    const codes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g")
    expect(coloured.replace(codes, "")).toBe(Report.render(retried, job, plainScreen))
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
