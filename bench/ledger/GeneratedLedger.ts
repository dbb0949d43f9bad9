/**
 * Ledgers as a company with five workflows would have them: the same seed gives the same lines. Events are retried, also on
 * later days; runs are nested, time out, are canceled or lost; some calls have no price; some outcomes are amended.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** What a ledger is about. */
export interface GeneratedOptions {
  /** The same seed gives the same ledger. */
  readonly seed: number
  /** How many runs there are, nested ones included: so many, or a few more. */
  readonly runs: number
  /** Over how many days they started. @default 30 */
  readonly days?: number
  /** The end of the last day, in milliseconds since the epoch. @default 2026-11-26T00:00:00Z */
  readonly end?: number
  /** How many customers there are. A few of them cause most events. @default 400 */
  readonly customers?: number
}

/** Writes a ledger to a directory: a segment for each day and process. Gives how many runs it has. */
export const write = (directory: string, options: GeneratedOptions): number => {
  const segments = new Map<string, Array<string>>()
  let runs = 0
  const flush = () => {
    for (const [name, lines] of segments) {
      const path = join(directory, name)
      mkdirSync(join(path, ".."), { recursive: true })
      writeFileSync(path, `${lines.join("\n")}\n`, { flag: "a" })
    }
    segments.clear()
  }
  let waiting = 0
  for (const { line, time, writer } of lines(options)) {
    const name = `${new Date(time).toISOString().slice(0, 10)}/${writer}-1.jsonl`
    const text = JSON.stringify(line)
    if (line.type === "started") runs += 1
    const segment = segments.get(name)
    if (segment === undefined) segments.set(name, [text])
    else segment.push(text)
    waiting += 1
    if (waiting === 50_000) {
      flush()
      waiting = 0
    }
  }
  flush()
  return runs
}

/** A line of a ledger, when it was written, and by which of its processes. */
export interface GeneratedLine {
  readonly time: number
  readonly writer: string
  readonly line: { readonly v: 1; readonly type: string } & Readonly<Record<string, unknown>>
}

/** The lines of a ledger, event by event. */
export function* lines(options: GeneratedOptions): Generator<GeneratedLine> {
  const { customers = 400, days = 30, end = Date.parse("2026-11-26T00:00:00Z"), seed } = options
  const generator = new EventGenerator(randomOf(seed), end - days * day, days * day, customers)
  for (let runs = 0, number = 1; runs < options.runs; number += 1) {
    for (const line of generator.event(number)) {
      if (line.line.type === "started") runs += 1
      yield line
    }
  }
}

const second = 1000
const day = 86_400 * second

interface Workflow {
  readonly name: string
  readonly event: string
  readonly share: number
  readonly success: number
  /** The middle of the durations of its runs, in milliseconds. */
  readonly millis: number
  readonly versions: readonly [string, string]
  readonly valueType: string
  readonly team: string
  readonly deadlineMillis?: number
  readonly steps: ReadonlyArray<readonly [step: string, model: string, input: number, output: number]>
  /** A workflow that it may start inside of itself, and how often it does. */
  readonly nested?: readonly [name: string, share: number]
}

const workflows: ReadonlyArray<Workflow> = [
  {
    name: "Order Routing",
    event: "order",
    share: 0.54,
    success: 0.975,
    millis: 700,
    versions: ["1.9.2", "1.10.0"],
    valueType: "orders_routed",
    team: "logistics",
    steps: [["classify", "gpt-4o-mini", 900, 40]]
  },
  {
    name: "Customer Support",
    event: "ticket",
    share: 0.27,
    success: 0.9,
    millis: 6000,
    versions: ["2.13.1", "2.14.0"],
    valueType: "tickets_resolved",
    team: "support",
    deadlineMillis: 30_000,
    steps: [
      ["classify", "gpt-4o-mini", 800, 30],
      ["retrieve", "text-embedding-3-small", 120, 0],
      ["draft reply", "claude-sonnet-4", 5200, 420]
    ],
    nested: ["Refund Review", 0.18]
  },
  {
    name: "Invoice Matching",
    event: "invoice",
    share: 0.12,
    success: 0.93,
    millis: 3500,
    versions: ["4.0.0", "4.1.3"],
    valueType: "invoices_matched",
    team: "finance",
    steps: [
      ["extract", "gpt-4o-2024-08-06", 3100, 350],
      ["match", "gpt-4o-mini", 1500, 90]
    ]
  },
  {
    name: "Refund Review",
    event: "refund",
    share: 0.058,
    success: 0.82,
    millis: 9000,
    versions: ["1.2.0", "1.3.0"],
    valueType: "refunds_decided",
    team: "support",
    deadlineMillis: 60_000,
    steps: [
      ["rerank", "nova-rerank-2", 0, 0],
      ["verify refund", "gpt-4o-2024-08-06", 9800, 800]
    ]
  },
  {
    name: "Contract Summary",
    event: "contract",
    share: 0.012,
    success: 0.895,
    millis: 14_000,
    versions: ["0.8.0", "0.9.0"],
    valueType: "contracts_summarized",
    team: "legal",
    steps: [
      ["split", "clause-ft-7b", 22_000, 900],
      ["summarize", "claude-sonnet-4", 61_000, 2400]
    ]
  }
]

/** What a token costs, in pico-dollars. A model that is not here has no price. */
const prices: Readonly<Record<string, readonly [provider: string, input: bigint, output: bigint]>> = {
  "gpt-4o-mini": ["openai", 150_000n, 600_000n],
  "gpt-4o-2024-08-06": ["openai", 2_500_000n, 10_000_000n],
  "text-embedding-3-small": ["openai", 20_000n, 0n],
  "claude-sonnet-4": ["anthropic", 3_000_000n, 15_000_000n]
}

const tenants = ["acme", "globex", "initech"]
const errors = ["RateLimited", "ModelRefused", "ToolFailed", "InvalidAnswer"]
const names = ["bigretail", "northwind", "contoso", "tailspin", "fabrikam", "wideworld", "litware", "proseware"]

type Json = Record<string, unknown>

interface Ended {
  readonly end: number
  readonly status: string
}

class EventGenerator {
  private ids = 0

  constructor(
    private readonly random: () => number,
    private readonly from: number,
    private readonly span: number,
    private readonly customers: number
  ) {}

  *event(number: number): Generator<GeneratedLine> {
    const workflow = this.workflow()
    const start = this.start()
    const customer = Math.floor(this.customers * this.random() ** 3)
    const fields = {
      eventId: `${workflow.event}-${number}`,
      customerId: `${names[customer % names.length]}${customer < names.length ? "" : `-${customer}`}`,
      environment: this.random() < 0.95 ? "production" : "staging",
      tenantId: tenants[customer % tenants.length] as string
    }
    let at = start
    let root: string | undefined
    let before: string | undefined
    for (let attempt = 1; ; attempt += 1) {
      const runId = this.runId(at)
      root ??= runId
      const lineage = { rootRunId: root, attempt, ...(before !== undefined && { retryOfRunId: before }) }
      const ended = yield* this.run(workflow, at, { ...fields, ...lineage, runId }, 1 - 0.4 * (1 - workflow.success))
      before = runId
      const isOver = ended === undefined || ended.status === "success" || ended.status === "canceled"
      if (isOver || attempt === 3 || this.random() < 0.25) {
        if (ended !== undefined && this.random() < 0.002)
          yield this.amendment(fields, ended.end + 3 * day * this.random())
        return
      }
      // Most are tried again at once; some by a job of the next day.
      at = ended.end + (this.random() < 0.9 ? 1000 + 4000 * this.random() : day * (0.5 + this.random()))
    }
  }

  private *run(
    workflow: Workflow,
    at: number,
    fields: Json & { readonly runId: string },
    success: number
  ): Generator<GeneratedLine, Ended | undefined> {
    const start = Math.floor(at)
    const writer = `019abc12-0000-7000-8000-00000000000${Math.floor(this.random() * 4)}`
    const isNew = start > this.from + this.span / 2
    const run: Json = {
      ...fields,
      workflow: workflow.name,
      workflowVersion: workflow.versions[isNew ? 1 : 0],
      startTime: iso(start),
      ...(workflow.deadlineMillis !== undefined && { deadline: iso(start + workflow.deadlineMillis) }),
      cancelled: false
    }
    yield { time: start, writer, line: { v: 1, type: "started", run } }
    // The process is killed.
    if (this.random() < 0.0002) return undefined
    const luck = this.random()
    const status =
      luck < success
        ? "success"
        : luck < success + 0.7 * (1 - success)
          ? "failure"
          : this.random() < 0.7
            ? "timeout"
            : "canceled"
    const usages: Array<Json> = []
    let now = start + 5
    let [usd, inputTokens, outputTokens, unpriced] = [0n, 0, 0, 0]
    for (const [index, [step, model, input, output]] of workflow.steps.entries()) {
      if (status !== "success" && this.random() < 0.3) break
      const isLast = index === workflow.steps.length - 1
      const took = Math.round(
        (workflow.millis / workflow.steps.length) * (0.4 + 1.6 * this.random() ** 2) * (isLast ? 1.4 : 0.7)
      )
      now += took
      const call = this.call(
        step,
        model,
        Math.round(input * (0.5 + this.random())),
        Math.round(output * (0.5 + this.random())),
        now,
        took
      )
      usages.push(call.recorded)
      usd += call.usd
      inputTokens += call.inputTokens
      outputTokens += call.outputTokens
      if (call.isUnpriced) unpriced += 1
    }
    if (workflow.nested !== undefined && this.random() < workflow.nested[1]) {
      const inner = workflows.find(({ name }) => name === workflow.nested?.[0]) as Workflow
      const runId = this.runId(now)
      const { attempt: _attempt, retryOfRunId: _retry, ...same } = fields as Json
      const nested = { ...same, runId, rootRunId: runId, attempt: 1, parentRunId: fields.runId }
      const ended = yield* this.run(inner, now, nested, inner.success)
      now = ended?.end ?? now
    }
    const end =
      status === "timeout" && workflow.deadlineMillis !== undefined
        ? Math.max(now, start + workflow.deadlineMillis)
        : now + 10
    const outcomeStatus = status === "success" && this.random() < 0.02 ? "partial" : status
    const completed = {
      run,
      status,
      outcome: {
        status: outcomeStatus,
        ...(outcomeStatus === "success" && { valueType: workflow.valueType, valueAmount: 1, confidence: 0.9 }),
        ...(status === "canceled" && { reason: "client_disconnected" })
      },
      ...(status === "failure" && { errorClass: errors[Math.floor(errors.length * this.random() ** 2)] }),
      ...(status === "canceled" && { cancellationReason: "client_disconnected" }),
      endTime: iso(end),
      durationMs: end - start,
      usages,
      totals: {
        usd: usdText(usd),
        inputTokens,
        outputTokens,
        calls: usages.length,
        unpricedCalls: unpriced,
        ...(unpriced > 0 && { unpriced: { unknown_model: unpriced, no_price_for_kind: 0, no_usage: 0 } })
      },
      annotations: { team: workflow.team, region: this.random() < 0.6 ? "eu" : "us" }
    }
    yield { time: end, writer, line: { v: 1, type: "completed", completed } }
    return { end, status }
  }

  private call(step: string, model: string, input: number, output: number, time: number, durationMs: number) {
    const price = prices[model]
    const [provider, perInput, perOutput] = price ?? ["novaworks", 0n, 0n]
    const usage = {
      kind: "llm",
      provider,
      operation: model.includes("embedding") ? "embeddings" : "chat",
      step,
      model,
      time: iso(time),
      status: "success",
      durationMs,
      ...(input > 0 && { inputTokens: input }),
      ...(output > 0 && { outputTokens: output }),
      requests: 1
    }
    const charges = [
      { meter: "inputTokens", quantity: input, unit: "inputToken", each: perInput },
      { meter: "outputTokens", quantity: output, unit: "outputToken", each: perOutput }
    ].filter(({ each, quantity }) => quantity > 0 && each > 0n)
    const usd = charges.reduce((sum, { each, quantity }) => sum + BigInt(quantity) * each, 0n)
    const cost =
      price === undefined
        ? { _tag: "Unpriced", reason: "unknown_model", missing: [], usd: "0", charges: [] }
        : {
            _tag: "Priced",
            usd: usdText(usd),
            charges: charges.map(({ each, ...charge }) => ({
              ...charge,
              unitPrice: usdText(each),
              usd: usdText(BigInt(charge.quantity) * each),
              price: { source: "prices.json", entry: model, tier: "standard" }
            }))
          }
    return { recorded: { usage, cost }, usd, inputTokens: input, outputTokens: output, isUnpriced: price === undefined }
  }

  private amendment(
    { customerId, eventId }: { readonly customerId: string; readonly eventId: string },
    time: number
  ): GeneratedLine {
    const outcome = { status: this.random() < 0.7 ? "failure" : "success", reason: "reopened" }
    const amendment = { eventId, customerId, outcome, by: "crm-sync", at: iso(time) }
    return { time, writer: "019abc12-0000-7000-8000-000000000009", line: { v: 1, type: "amended", amendment } }
  }

  private workflow(): Workflow {
    let left = this.random()
    for (const workflow of workflows) {
      left -= workflow.share
      if (left < 0) return workflow
    }
    return workflows[0] as Workflow
  }

  /** More in the day than at night, and a little more each day. */
  private start(): number {
    const date = Math.floor((this.span / day) * this.random() ** 0.85)
    const hour = 24 * (0.5 + (this.random() + this.random() - 1) * 0.5)
    return this.from + date * day + Math.min(day - 1, Math.floor((hour / 24) * day))
  }

  /** A UUIDv7 of the time, numbered. */
  private runId(at: number): string {
    this.ids += 1
    const time = Math.floor(at).toString(16).padStart(12, "0")
    const number = this.ids.toString(16).padStart(12, "0")
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number}`
  }
}

const iso = (epochMillis: number): string => new Date(Math.floor(epochMillis)).toISOString()

const usdText = (pico: bigint): string => {
  const digits = String(pico).padStart(13, "0")
  const decimals = digits.slice(-12).replace(/0+$/, "")
  return `${digits.slice(0, -12)}${decimals === "" ? "" : `.${decimals}`}`
}

/** Numbers from 0 to 1, of a seed (mulberry32). */
const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
