/**
 * The record of a run as plain JSON.
 */
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Clock, Effect, FastCheck, Schema, type Tracer } from "effect"
import { CostTotals, none, RecordedUsage } from "../../src/cost/CostTotals.js"
import { Botanu, CompletedRun, Cost, Data, Llm, Outcome, RunExporter, Usage } from "../../src/index.js"
import { completedRuns, endedSpans, observed, onlyRun } from "../observed.js"
import { anyRun, ids, instant, makeRun } from "../runs.js"
import { usd } from "../usages.js"

const encode = Schema.encodeSync(CompletedRun)
const decode = Schema.decodeUnknownSync(CompletedRun)

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** From 128 decimal places to 64 digits before the point. */
const amount = FastCheck.tuple(
  FastCheck.bigInt({ min: 0n, max: 10n ** 64n }),
  FastCheck.integer({ min: 0, max: 128 })
).map(([value, scale]) => usd(`${value}e-${scale}`))

const anyCost: FastCheck.Arbitrary<Cost.Cost> = FastCheck.oneof(
  amount.map((usd) => new Cost.Priced({ usd })),
  amount.map((usd) => new Cost.Unpriced({ reason: "no_price_for_kind", missing: ["images"], usd }))
)

const completed = FastCheck.record({
  run: anyRun,
  durationMs: FastCheck.double({ min: 0, max: 1e9, noNaN: true }).map((millis) => millis + 0),
  usages: FastCheck.array(
    FastCheck.record({ usage: Arbitrary.make(Usage.Usage), cost: anyCost }).map((fields) => new RecordedUsage(fields)),
    { maxLength: 3 }
  ),
  total: amount
}).map(
  ({ total, ...fields }) =>
    new CompletedRun({
      ...fields,
      status: "success",
      outcome: new Outcome.Outcome({ status: "success", valueAmount: 1, metadata: { channel: "email" } }),
      endTime: instant(1_770_000_000_500),
      totals: new CostTotals({ ...none, usd: total }),
      annotations: { team: "support", costCenter: 4711, vip: true }
    })
)

describe("a completed run as JSON", () => {
  it.prop("is what its Schema encodes, and is read back as what it was", [completed], ([run]) => {
    expect(plain(run)).toEqual(plain(encode(run)))
    expect(plain(decode(plain(run)))).toEqual(plain(run))
  })

  it.prop("has amounts as decimal text without an exponent", [amount], ([usd]) => {
    const { totals } = plain(
      new CompletedRun({
        run: makeRun(),
        status: "success",
        endTime: instant(0),
        durationMs: 1,
        totals: new CostTotals({ ...none, usd })
      })
    ) as { totals: { usd: string } }
    expect(totals.usd).toBe(Cost.format(usd))
    expect(totals.usd).toMatch(/^\d+(\.\d+)?$/)
  })

  it.effect("holds what calls cost", () =>
    Effect.gen(function* () {
      yield* Usage.report({ inputTokens: 31, usd: "0.0000001" }).pipe(
        Llm.track({ provider: "openai", model: "quill-2" }),
        Effect.zipRight(Data.trackDatabase(Effect.void, { system: "pg", operation: "SELECT", collection: "tickets" })),
        Botanu.workflow("Customer Support", ids)
      )
      const { completed } = yield* onlyRun
      expect(plain(completed)).toMatchObject({
        run: { workflow: "Customer Support", eventId: "ticket-42", startTime: "1970-01-01T00:00:00.000Z" },
        status: "success",
        outcome: { status: "success" },
        endTime: "1970-01-01T00:00:00.000Z",
        usages: [
          { usage: { inputTokens: 31, usd: "0.0000001" }, cost: { _tag: "Priced", usd: "0.0000001" } },
          { usage: { collection: "tickets" }, cost: { _tag: "Unpriced", reason: "no_price_for_kind", usd: "0" } }
        ],
        totals: { usd: "0.0000001", inputTokens: 31, calls: 2, unpricedCalls: 1 }
      })
      expect(plain(decode(plain(completed)))).toEqual(plain(completed))
    }).pipe(Effect.provide(observed))
  )
})

describe("an amount in a record", () => {
  const decodeTotals = Schema.decodeUnknownEither(CostTotals)
  const withUsd = (usd: unknown) => decodeTotals({ ...(Schema.encodeSync(CostTotals)(none) as object), usd })._tag

  it("is read where it is a decimal", () => {
    expect(["0", "0.0125", "1e-7", "12"].map(withUsd)).toEqual(Array(4).fill("Right"))
  })
  it("is refused where it is none, or one that no memory holds", () => {
    expect(["x", "1e99999999", "9".repeat(300), 1, null].map(withUsd)).toEqual(Array(5).fill("Left"))
  })
})

it.effect("a completed run names the trace of its span", () =>
  Effect.gen(function* () {
    yield* Botanu.workflow(Effect.void, "Customer Support", ids)
    const [span] = yield* endedSpans
    const [completed] = yield* completedRuns
    expect(completed?.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(completed?.traceId).toBe(span?.spanContext().traceId)
  }).pipe(Effect.provide(observed))
)

it.effect("a completed run that was not traced names none", () =>
  Effect.gen(function* () {
    yield* Botanu.workflow(Effect.void, "Customer Support", ids).pipe(Effect.withTracerEnabled(false))
    expect((yield* completedRuns).map(({ traceId }) => traceId)).toEqual([undefined])
  }).pipe(Effect.provide(observed))
)

it.effect.each(["z".repeat(32), "0af7651916cd43dd"])("a completed run does not name a trace by %s", (traceId) =>
  Effect.gen(function* () {
    const tracer = yield* Effect.tracer
    const named: Tracer.Tracer = { ...tracer, span: (...args) => Object.assign(tracer.span(...args), { traceId }) }
    yield* Effect.withTracer(Botanu.workflow(Effect.void, "Customer Support", ids), named)
    expect((yield* completedRuns).map(({ traceId }) => traceId)).toEqual([undefined])
  }).pipe(Effect.provide(observed))
)

it.effect("a completed run has no field of which nothing is known", () =>
  Effect.gen(function* () {
    yield* Effect.withTracerEnabled(Botanu.workflow(Effect.void, "W", { ...ids, autoOutcome: false }), false)
    expect((yield* completedRuns).map((completed) => Object.keys(completed).sort())).toEqual([
      ["durationMs", "endTime", "run", "status", "totals", "usages"]
    ])
  }).pipe(Effect.provide(observed))
)

it.effect("the duration of a run has the parts of a millisecond that its clock has", () =>
  Effect.gen(function* () {
    let nanos = 1_500_000n
    const clock: Clock.Clock = {
      ...Clock.make(),
      unsafeCurrentTimeMillis: () => Number(nanos / 1_000_000n),
      unsafeCurrentTimeNanos: () => nanos
    }
    const work = Effect.sync(() => {
      nanos += 1_750_000n
    })
    yield* Effect.withClock(Botanu.workflow(work, "W", ids), clock)
    expect((yield* completedRuns).map(({ durationMs }) => durationMs)).toEqual([1.75])
  }).pipe(Effect.provide(RunExporter.layerMemory))
)

it.effect("the span of a run without calls and without a cancellation has nothing of these", () =>
  Effect.gen(function* () {
    yield* Botanu.workflow(Effect.void, "W", ids)
    const { span } = yield* onlyRun
    const ofRun = Object.keys(span.attributes).filter((key) => key.startsWith("botanu.run."))
    expect(ofRun.sort()).toEqual(["botanu.run.duration_ms", "botanu.run.start_time"])
  }).pipe(Effect.provide(observed))
)
