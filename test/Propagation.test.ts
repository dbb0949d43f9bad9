import { describe, expect, it } from "@effect/vitest"
import { defaultTextMapGetter, defaultTextMapSetter, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { Effect, Either, FastCheck, Fiber, Logger, Option, Schema } from "effect"
import { Baggage, Botanu, BotanuConfig, Propagation, Run, RunContext } from "../src/index.js"
import { observed, onlyRun } from "./observed.js"
import { anyRun, instant, makeRun, runId } from "./runs.js"

const mode = (propagationMode: BotanuConfig.PropagationMode) =>
  BotanuConfig.layerOf({ environment: "production", propagationMode })

const lean = `botanu.run_id=${runId},botanu.workflow=Customer%20Support,botanu.event_id=ticket-42,botanu.customer_id=bigretail`

const injectFor = (run: Run) => Effect.provide(Propagation.inject, RunContext.layer(run))

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => lines.push(String(message)))
  return Effect.map(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), (value) => ({ value, lines }))
}

describe("Propagation.inject", () => {
  it.effect("sends exactly the four lean keys by default, and the trace", () =>
    Effect.gen(function* () {
      const headers = yield* Propagation.inject.pipe(
        Botanu.workflow("Customer Support", {
          eventId: "ticket-42",
          customerId: "bigretail",
          tenantId: "acme",
          deadline: "1 second"
        })
      )
      const { completed, span } = yield* onlyRun
      const { spanId, traceId } = span.spanContext()
      expect(headers).toEqual({
        baggage: lean.replace(runId, completed.run.runId),
        traceparent: `00-${traceId}-${spanId}-01`
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("sends all that is set in full mode", () =>
    Effect.gen(function* () {
      const run = makeRun({ tenantId: "acme", deadline: instant(5_000) })
      const headers = yield* injectFor(run)
      expect(headers).toEqual({
        baggage: `${lean},botanu.environment=production,botanu.tenant_id=acme,botanu.deadline=5000`
      })
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("sends the trace of the innermost span", () =>
    Effect.gen(function* () {
      const { headers, span } = yield* Effect.zipWith(Propagation.inject, Effect.currentSpan, (headers, span) => ({
        headers,
        span
      })).pipe(Effect.withSpan("inner"), Effect.provide(RunContext.layer(makeRun())))
      expect(headers["traceparent"]).toBe(`00-${span.traceId}-${span.spanId}-01`)
    })
  )

  it.effect("says cancelled while the run is being cancelled, interrupted or past its deadline", () =>
    Effect.gen(function* () {
      const sent: Array<string | undefined> = []
      const finalizer = Effect.map(Propagation.inject, ({ baggage }) => {
        sent.push(baggage)
      })
      const work = Effect.flatMap(Effect.context<RunContext>(), (context) =>
        Effect.ensuring(Effect.never, Effect.provide(finalizer, context))
      )
      const fiber = yield* Effect.fork(work.pipe(Botanu.workflow("W", { eventId: "e", customerId: "c" })))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* injectFor(makeRun({ deadline: instant(0) })).pipe(Effect.map(({ baggage }) => sent.push(baggage)))
      yield* injectFor(makeRun({ cancelled: true })).pipe(Effect.map(({ baggage }) => sent.push(baggage)))
      expect(sent).toHaveLength(3)
      for (const baggage of sent) expect(baggage).toMatch(/,botanu\.cancelled=true$/)
      const running = yield* injectFor(makeRun({ deadline: instant(1) }))
      expect(running["baggage"]).not.toContain("cancelled")
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("sends lean where the mode cannot be read", () =>
    Effect.map(injectFor(makeRun()), ({ baggage }) => expect(baggage).toBe(lean))
  )
})

describe("Propagation.extract", () => {
  it.effect.prop("receives what was sent, in full mode", [anyRun], ([run]) =>
    Effect.gen(function* () {
      const received = yield* Effect.flatMap(injectFor(run), (headers) => Propagation.extract(headers))
      const sent = run.isPastDeadline(instant(0)) ? new Run({ ...run, cancelled: true }) : run
      expect(received).toEqual(Option.some(sent))
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("has none where there is no header, or none that speaks of a run; that is no problem", () =>
    Effect.gen(function* () {
      for (const headers of [{}, { baggage: "" }, { baggage: "tenant=x" }, { baggage: undefined }, { other: lean }]) {
        const { lines, value } = yield* logged(Propagation.extract(headers))
        expect(value).toEqual(Option.none())
        expect(lines).toEqual([])
      }
    })
  )

  it.effect("takes header names in any case, and several lines as one list", () =>
    Effect.gen(function* () {
      const [first, ...rest] = lean.split(",")
      const run = yield* Propagation.extract({ Baggage: [first ?? "", rest.join(",")] })
      expect(Option.map(run, ({ runId }) => runId)).toEqual(Option.some(runId))
    })
  )

  it.effect("goes on without a bad optional key, and names it in a warning", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(
        Propagation.extract({ baggage: `${lean},botanu.deadline=nan,botanu.attempt=2,bad member` })
      )
      expect(Option.map(value, ({ attempt, deadline }) => [attempt, deadline])).toEqual(Option.some([2, undefined]))
      expect(lines).toEqual([
        'incoming baggage: 1 dropped (member 7: no_equals_sign); botanu.deadline: expected whole milliseconds since the epoch, got "nan"'
      ])
    })
  )

  it.effect("has none without a required key, and names it in a warning", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(Propagation.extract({ baggage: lean.replace("bigretail", "") }))
      expect(value).toEqual(Option.none())
      expect(lines).toEqual(['incoming baggage: botanu.customer_id: expected non-empty text, got ""'])
    })
  )

  it.effect("warns in few words and without control characters, however hostile the header", () =>
    Effect.gen(function* () {
      const hostile = `botanu.run_id=%0d%0aSet-Cookie%1b[31m${"x".repeat(4000)},${"junk,".repeat(900)}`
      const { lines, value } = yield* logged(Propagation.extract({ baggage: hostile }))
      expect(value).toEqual(Option.none())
      expect(lines).toHaveLength(1)
      expect(lines[0]?.length).toBeLessThan(600)
      expect(lines[0]).not.toMatch(/\p{Cc}/u)
    })
  )

  const anyHeader = FastCheck.oneof(
    FastCheck.string({ unit: "binary" }),
    FastCheck.array(FastCheck.string({ unit: "binary" })),
    FastCheck.constant(undefined)
  )
  it.effect.prop(
    "never fails",
    [FastCheck.dictionary(FastCheck.constantFrom("baggage", "BAGGAGE", "__proto__", "x"), anyHeader)],
    ([headers]) => Effect.asVoid(logged(Propagation.extract(headers)))
  )

  it.effect("reads a plus as a space where asked to", () =>
    Effect.gen(function* () {
      const header = { baggage: lean.replace("%20", "+") }
      const workflow = (options?: Baggage.ReadOptions) =>
        Effect.map(
          Propagation.extract(header, options),
          Option.map(({ workflow }) => workflow)
        )
      expect(yield* workflow()).toEqual(Option.some("Customer+Support"))
      expect(yield* workflow({ plusAsSpace: true })).toEqual(Option.some("Customer Support"))
    })
  )
})

describe("foreign baggage", () => {
  const foreign = "sentry-trace_id=771a;ttl=1,tenant=x%20y"

  it.effect("that came in with a run goes out again, after the lean keys", () =>
    Effect.gen(function* () {
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${foreign},${lean},botanu.future=1` }))
      const joined = yield* injectFor(run)
      expect(joined["baggage"]).toBe(`${lean},${foreign},botanu.environment=unknown`)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("goes out of child runs, nested and retried ones too", () =>
    Effect.gen(function* () {
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${foreign},${lean}` }))
      const ids = { eventId: run.eventId, customerId: run.customerId }
      const nested = Propagation.inject.pipe(Botanu.workflow("Inner", ids), Botanu.workflow("Outer", ids))
      const { baggage } = yield* Effect.provide(nested, RunContext.layer(run))
      expect(baggage).toContain(`botanu.workflow=Inner`)
      expect(baggage?.endsWith(`,${foreign}`)).toBe(true)
      const redelivered = yield* Propagation.inject.pipe(Botanu.workflow("W", { ...ids, retryOf: run }))
      expect(redelivered["baggage"]?.endsWith(`,${foreign}`)).toBe(true)
    })
  )

  it.effect("is left out before a lean key is", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 60 }, (_, index) => `k${index}=v`).join(",")
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${many},${lean}` }))
      const { baggage } = yield* injectFor(new Run(run))
      expect(baggage).toBe(lean)
      const joined = yield* injectFor(run)
      expect(joined["baggage"]?.startsWith(lean)).toBe(true)
      expect(joined["baggage"]?.split(",")).toHaveLength(64)
    })
  )
})

describe("with OpenTelemetry's own propagator", () => {
  const propagator = new W3CBaggagePropagator()

  it.prop("what is sent is read back identically", [anyRun], ([run]) => {
    const header = Schema.encodeSync(RunContext.FromHeader)(run)
    const context = propagator.extract(ROOT_CONTEXT, { baggage: header }, defaultTextMapGetter)
    const theirs = propagation
      .getBaggage(context)
      ?.getAllEntries()
      .map(([key, { value }]) => [key, value])
    expect(theirs).toEqual(Baggage.entries(run.toBaggage("full")))
  })

  it.effect.prop("what it sends is received identically", [anyRun], ([run]) =>
    Effect.gen(function* () {
      const entries = Baggage.entries(run.toBaggage("full")).map(([key, value]) => [key, { value }])
      const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(Object.fromEntries(entries)))
      const carrier: Record<string, string> = {}
      propagator.inject(context, carrier, defaultTextMapSetter)
      const received = yield* Propagation.extract(carrier)
      expect(Either.fromOption(received, () => carrier)).toEqual(Either.right(run))
    })
  )
})
