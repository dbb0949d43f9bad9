/**
 * The runs of one event as a tree over time: attempts, the runs and calls inside of them, and the waits between.
 */
import { BigDecimal } from "effect"
import type { RecordedUsage } from "../cost/CostTotals.js"
import { type BusinessEvent, type CostSum, costOf } from "./BusinessEvent.js"
import * as Figures from "./Figures.js"
import * as RunRecord from "./RunRecord.js"
import { pad, truncate, visible, width } from "./TerminalText.js"

/**
 * A run in the tree. `own` is what it cost by itself; `nested` is what the runs inside of it cost.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const nodes = BusinessEvent.fromRecords(records).flatMap((event) => RunTree.fromEvent(event))
 *   const eventOf = (node: RunTree.RunNode) => node.record.run.eventId
 *   yield* Effect.log(nodes.map((node) => (node._tag === "Run" ? eventOf(node) : "")))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface RunNode {
  /** Distinguishes a run from calls and waits. */
  readonly _tag: "Run"
  /** The run. */
  readonly record: RunRecord.RunRecord
  /** What its own calls cost. */
  readonly own: CostSum
  /** What the runs inside it cost, at any depth. */
  readonly nested: CostSum
  /** Calls and runs, by start. */
  readonly children: ReadonlyArray<Node>
}

/**
 * A call that was recorded to a run. Times are milliseconds since the epoch.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const nodes = BusinessEvent.fromRecords(records).flatMap((event) => RunTree.fromEvent(event))
 *   const isCall = (node: RunTree.Node): node is RunTree.CallNode => node._tag === "Call"
 *   yield* Effect.log(nodes.flatMap((node) => (node._tag === "Run" ? node.children.filter(isCall) : [])))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface CallNode {
  /** Distinguishes a call from runs and waits. */
  readonly _tag: "Call"
  /** What the call consumed and cost. */
  readonly recorded: RecordedUsage
  /** `undefined` where only the end of the call is known. */
  readonly start: number | undefined
  /** When it ended, in ms since the epoch. */
  readonly end: number
}

/**
 * The time between one attempt's end and the start of the next. Times are milliseconds since the epoch.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const nodes = BusinessEvent.fromRecords(records).flatMap((event) => RunTree.fromEvent(event))
 *   const lasting = ({ end, start }: RunTree.WaitNode) => end - start
 *   yield* Effect.log(nodes.map((node) => (node._tag === "Wait" ? lasting(node) : 0)))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface WaitNode {
  /** Distinguishes a wait from runs and calls. */
  readonly _tag: "Wait"
  /** When it began, in ms since the epoch. */
  readonly start: number
  /** When it ended, in ms since the epoch. */
  readonly end: number
}

/**
 * A part of a tree.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const nodes = BusinessEvent.fromRecords(records).flatMap((event) => RunTree.fromEvent(event))
 *   const tagOf = (node: RunTree.Node) => node._tag
 *   yield* Effect.log(nodes.map(tagOf))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type Node = RunNode | CallNode | WaitNode

/**
 * The trees of an event: its outermost runs by start, with the waits between attempts of one chain.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   yield* Effect.log(BusinessEvent.fromRecords(records).map((event) => RunTree.fromEvent(event).length))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const fromEvent = (event: BusinessEvent): ReadonlyArray<RunNode | WaitNode> => {
  const children = new Map<string, Array<RunRecord.RunRecord>>()
  for (const record of event.runs) {
    const { parentRunId } = record.run
    if (parentRunId === undefined) continue
    const siblings = children.get(parentRunId)
    if (siblings === undefined) children.set(parentRunId, [record])
    else siblings.push(record)
  }
  const seen = new Set<string>()
  const nodeOf = (record: RunRecord.RunRecord): RunNode => {
    seen.add(record.run.runId)
    const inside = (children.get(record.run.runId) ?? []).filter(({ run }) => !seen.has(run.runId)).map(nodeOf)
    const calls = (record.completed?.usages ?? []).map(callOf)
    return {
      _tag: "Run",
      record,
      own: costOf([record]),
      nested: costOf(inside.flatMap(recordsIn)),
      children: [...calls, ...inside].sort((one, other) => startOf(one) - startOf(other))
    }
  }
  return event.chains.flatMap(({ attempts }) =>
    attempts.flatMap((attempt, index): ReadonlyArray<RunNode | WaitNode> => {
      const before = attempts[index - 1]?.completed?.endTime.epochMillis
      const start = attempt.run.startTime.epochMillis
      const node = nodeOf(attempt)
      return before !== undefined && start > before ? [{ _tag: "Wait", start: before, end: start }, node] : [node]
    })
  )
}

/**
 * How a tree is drawn.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const plain: RunTree.Options = { columns: 80, isUtf8: false }
 *   yield* Effect.log(BusinessEvent.fromRecords(records).flatMap((event) => RunTree.lines(event, plain)))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options {
  /**
   * How many columns there are.
   * @default 100
   */
  readonly columns?: number
  /**
   * Whether the terminal shows characters beyond ASCII.
   * @default true
   */
  readonly isUtf8?: boolean
  /** What an event of the same workflow costs: the median, which the cost is compared with. */
  readonly medianUsd?: BigDecimal.BigDecimal | undefined
  /** Colours a text by the status that it is about. */
  readonly paint?: (status: RunRecord.ReportStatus, text: string) => string
}

/**
 * The event as lines of text: what came of it, what it cost, and its tree. Ids and reasons are shown as text; nothing in them
 * acts on the terminal.
 *
 * @example
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, RunTree } from "botanu-effect/report"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *   const { runs } = yield* RunExporter.Memory
 *   for (const event of BusinessEvent.fromRecords((yield* runs).map(RunRecord.fromCompleted))) {
 *     yield* Console.log(RunTree.lines(event).join("\n"))
 *   }
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * @since 0.2.0
 * @category formatting
 */
export const lines = (event: BusinessEvent, options: Options = {}): ReadonlyArray<string> => {
  const { columns = 100, isUtf8 = true, medianUsd, paint = (_, text) => text } = options
  return [...headOf(event, medianUsd, paint), "", ...tableOf(event, columns, isUtf8 ? utf8 : ascii, paint)]
}

const recordsIn = ({ children, record }: RunNode): ReadonlyArray<RunRecord.RunRecord> => [
  record,
  ...children.flatMap((child) => (child._tag === "Run" ? recordsIn(child) : []))
]

const callOf = (recorded: RecordedUsage): CallNode => {
  const end = recorded.usage.time.epochMillis
  const { durationMs } = recorded.usage
  return { _tag: "Call", recorded, start: durationMs === undefined ? undefined : end - durationMs, end }
}

const startOf = (node: Node): number =>
  node._tag === "Run" ? node.record.run.startTime.epochMillis : (node.start ?? node.end)

type Paint = NonNullable<Options["paint"]>

const headOf = (
  event: BusinessEvent,
  medianUsd: BigDecimal.BigDecimal | undefined,
  paint: Paint
): ReadonlyArray<string> => {
  const { run } = event.chains[0].attempts[0]
  const version = run.workflowVersion === undefined ? "" : ` ${run.workflowVersion}`
  const named = [event.eventId, event.customerId, `${run.workflow}${version}`, run.tenantId, run.environment]
  const names = named.filter((name) => name !== undefined).map(visible)
  return [
    [...names, `${new Date(event.startTime.epochMillis).toISOString().replace("T", " ").replace("Z", "")} UTC`].join(
      "   "
    ),
    ...outcomesOf(event, paint),
    `Cost      ${costText(event.cost)}${shareBeforeFinal(event)}${timesMedian(event.cost, medianUsd)}`
  ]
}

const outcomesOf = (event: BusinessEvent, paint: Paint): ReadonlyArray<string> => {
  const amended = event.amendments.map(({ at, by, outcome }) =>
    outcomeLine(outcome.status, `amended ${minute(at.epochMillis)} by ${visible(by)}`, detailOf(outcome), paint)
  )
  const { final, status } = event.chains[event.chains.length - 1] as BusinessEvent["chains"][0]
  const outcome = final.completed?.outcome
  const recorded =
    final.completed === undefined || status === undefined
      ? outcomeLine(status, "no outcome is recorded", "", paint)
      : outcomeLine(
          status,
          `recorded ${minute(final.completed.endTime.epochMillis)} by attempt ${final.run.attempt}`,
          outcome === undefined ? "" : detailOf(outcome),
          paint
        )
  return [...amended.reverse(), recorded].map((line, index) => `${index === 0 ? "Outcome   " : "          "}${line}`)
}

const outcomeLine = (
  status: RunRecord.ReportStatus | undefined,
  what: string,
  detail: string,
  paint: Paint
): string => {
  const word = pad(status ?? "none", "success".length)
  return `${status === undefined ? word : paint(status, word)}   ${what}${detail === "" ? "" : `: ${detail}`}`
}

const detailOf = (outcome: NonNullable<BusinessEvent["outcome"]>): string => {
  const { confidence, reason, valueAmount, valueType } = outcome
  const value = valueAmount === undefined ? undefined : `${valueType ?? "value"} ${Figures.count(valueAmount)}`
  return [value, confidence === undefined ? undefined : `confidence ${confidence}`, reason]
    .filter((part) => part !== undefined)
    .map(visible)
    .join(", ")
}

const minute = (epochMillis: number): string => new Date(epochMillis).toISOString().slice(0, 16).replace("T", " ")

const unpricedText = ({ unpricedCalls }: CostSum): string => (unpricedCalls === 0 ? "" : ` +${unpricedCalls}?`)

const costText = (cost: CostSum): string => {
  const isUnknown = cost.unpricedCalls > 0 && BigDecimal.isZero(cost.usd)
  return isUnknown ? `no price${unpricedText(cost)}` : `${Figures.usd(cost.usd)} USD${unpricedText(cost)}`
}

const shareBeforeFinal = ({ attempts, cost, costBeforeFinal }: BusinessEvent): string => {
  if (attempts < 2 || BigDecimal.isZero(cost.usd)) return ""
  const share = Number(BigDecimal.format(BigDecimal.unsafeDivide(costBeforeFinal.usd, cost.usd)))
  return `   ${Math.round(share * 100)}% before the final attempt`
}

const timesMedian = ({ usd }: CostSum, median: BigDecimal.BigDecimal | undefined): string => {
  if (median === undefined || BigDecimal.isZero(median) || BigDecimal.isZero(usd)) return ""
  const times = Number(BigDecimal.format(BigDecimal.unsafeDivide(usd, median)))
  return `   ${times >= 10 ? Figures.count(Math.round(times)) : times.toFixed(1)}x the median of its workflow`
}

interface Glyphs {
  readonly deadline: string
  readonly run: string
  readonly call: string
  readonly wait: string
  readonly branch: string
  readonly last: string
  readonly through: string
}

const utf8: Glyphs = { deadline: "┊", run: "▒", call: "█", wait: "·", branch: "├─ ", last: "└─ ", through: "│  " }
const ascii: Glyphs = { deadline: "!", run: "-", call: "#", wait: ".", branch: "|- ", last: "`- ", through: "|  " }

interface Row {
  readonly label: string
  readonly glyph: string
  readonly start: number | undefined
  /** `undefined` for a run that has not ended. */
  readonly end: number | undefined
  readonly own: CostSum | undefined
  readonly note: string
  readonly status: RunRecord.ReportStatus | undefined
  /** When the deadline struck that ended this, or the run that it is in. */
  readonly deadline: number | undefined
}

const rowsOf = (event: BusinessEvent, glyphs: Glyphs): ReadonlyArray<Row> => {
  const isOneChain = event.chains.length === 1
  const rows: Array<Row> = []
  const add = (node: Node, stem: string, below: string, isOutermost: boolean, outer: number | undefined): void => {
    if (node._tag === "Wait") {
      const empty = { own: undefined, note: "", status: undefined, deadline: undefined }
      rows.push({ ...node, ...empty, label: "wait", glyph: glyphs.wait })
      return
    }
    if (node._tag === "Call") {
      rows.push({
        ...callRow(node, stem, glyphs),
        deadline: outer !== undefined && node.end >= outer ? outer : undefined
      })
      return
    }
    const { completed, run } = node.record
    const end = completed?.endTime.epochMillis
    const deadline =
      completed?.status === "timeout"
        ? run.deadline?.epochMillis
        : outer !== undefined && (end === undefined || end >= outer)
          ? outer
          : undefined
    const attempt = run.attempt > 1 || isOutermost ? `attempt ${run.attempt}` : ""
    const label =
      isOutermost && isOneChain ? `Attempt ${run.attempt}` : [run.workflow, attempt].filter(Boolean).join(", ")
    rows.push({
      label: stem + visible(label),
      glyph: glyphs.run,
      start: run.startTime.epochMillis,
      end,
      deadline,
      own: node.own,
      note: runNote(node.record),
      status: RunRecord.statusOf(node.record)
    })
    node.children.forEach((child, index) => {
      const isLast = index === node.children.length - 1
      add(
        child,
        below + (isLast ? glyphs.last : glyphs.branch),
        below + (isLast ? "   " : glyphs.through),
        false,
        deadline
      )
    })
  }
  for (const node of fromEvent(event)) add(node, "", "", true, undefined)
  return rows
}

const runNote = (record: RunRecord.RunRecord): string => {
  const { completed } = record
  const status = RunRecord.statusOf(record)
  if (completed === undefined) return status === "lost" ? "lost, its process is gone" : "running"
  if (status === "failure") return visible(["failure", completed.errorClass].filter(Boolean).join(" "))
  if (status === "timeout") return "timeout, deadline"
  if (status === "canceled") return visible(["canceled", completed.cancellationReason].filter(Boolean).join(", "))
  return status
}

const callRow = ({ end, recorded, start }: CallNode, stem: string, glyphs: Glyphs): Omit<Row, "deadline"> => {
  const { cost, usage } = recorded
  const what = usage.step ?? usage.operation
  const whom = usage.responseModel ?? usage.model ?? usage.provider
  const kept = recorded.usage.requests === 0 ? "" : ", usage kept"
  const note =
    usage.status === "success"
      ? ""
      : usage.status === "interrupted"
        ? `aborted${kept}`
        : `${visible(usage.errorType ?? "failure")}${kept}`
  return {
    label: `${stem}${visible(what)}   ${visible(whom)}`,
    glyph: glyphs.call,
    start,
    end,
    own: { usd: cost.usd, calls: 1, unpricedCalls: cost._tag === "Unpriced" ? 1 : 0 },
    note,
    status: undefined
  }
}

const tableOf = (event: BusinessEvent, columns: number, glyphs: Glyphs, paint: Paint): ReadonlyArray<string> => {
  const rows = rowsOf(event, glyphs)
  const times = rows.flatMap(({ end, start }) => [start, end]).filter((time) => time !== undefined)
  const [from, until] = [Math.min(...times), Math.max(...times)]
  const places = Math.max(4, Figures.usdPlaces(rows.flatMap(({ own }) => (own === undefined ? [] : [own.usd]))))
  const costs = rows.map(({ own }) => ownText(own, places))
  const costWidth = Math.max("Own, USD".length, ...costs.map(([known]) => known.length))
  const unknownWidth = Math.max(0, ...costs.map(([, unknown]) => unknown.length))
  const noteWidth = Math.max(0, ...rows.map(({ note }) => width(note)))
  const fixedWidth = 2 + "Took, s".length + 2 + costWidth + (unknownWidth === 0 ? 0 : 1 + unknownWidth) + 2 + noteWidth
  const labels = Math.min(Math.max(...rows.map(({ label }) => width(label)), "Run, step, call".length), 38)
  const room = columns - labels - fixedWidth - 2
  // Bars go first where there is no room.
  const bar = room < leastBar ? 0 : Math.min(room, mostBar)
  const line = (label: string, bars: string, took: string, known: string, unknown: string, note: string): string =>
    [
      pad(truncate(label, labels), labels),
      ...(bar === 0 ? [] : [pad(bars, bar)]),
      pad(took, "Took, s".length, "right"),
      pad(known, costWidth, "right") + (unknownWidth === 0 ? "" : ` ${pad(unknown, unknownWidth)}`),
      note
    ]
      .join("  ")
      .trimEnd()
  const scale = `0 s${pad(`${Figures.count(Math.round((until - from) / 100) / 10)} s`, Math.max(0, bar - 3), "right")}`
  const body = rows.map((row, index) => {
    const [known, unknown] = costs[index] as readonly [string, string]
    const took = row.start === undefined || row.end === undefined ? "" : ((row.end - row.start) / 1000).toFixed(2)
    const note = row.status === undefined ? row.note : paint(row.status, row.note)
    return line(row.label, barOf(row, from, until, bar, glyphs), took, known, unknown, note)
  })
  return [
    line("Run, step, call", scale, "Took, s", "Own, USD", "", ""),
    ...body,
    ...(bar === 0 ? ["bars left out: the terminal is too narrow"] : [])
  ]
}

const leastBar = 8
const mostBar = 32

const ownText = (own: CostSum | undefined, places: number): readonly [known: string, unknown: string] => {
  if (own === undefined || own.calls === 0) return ["", ""]
  const unknown = own.unpricedCalls === 0 ? "" : `+${own.unpricedCalls}?`
  if (own.unpricedCalls > 0 && BigDecimal.isZero(own.usd)) return ["no price", own.calls === 1 ? "" : unknown]
  return [Figures.fixed(own.usd, places), unknown]
}

const barOf = (
  { deadline, end, glyph, start }: Row,
  from: number,
  until: number,
  columns: number,
  glyphs: Glyphs
): string => {
  if (columns === 0 || (start === undefined && end === undefined)) return ""
  const span = Math.max(1, until - from)
  const at = (time: number) => Math.min(columns - 1, Math.floor(((time - from) / span) * columns))
  const first = at(start ?? (end as number))
  const last = Math.max(first, Math.min(columns - 1, Math.ceil((((end ?? until) - from) / span) * columns) - 1))
  const bar = " ".repeat(first) + glyph.repeat(last - first + 1)
  if (deadline === undefined || deadline < from) return bar
  // The column in which the deadline struck, which ended what is in it.
  const struck = at(Math.min(deadline, until))
  return `${pad(bar, struck).slice(0, struck)}${glyphs.deadline}${bar.slice(struck + 1)}`
}
