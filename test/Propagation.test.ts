import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, FastCheck, Fiber, Layer, Option, Schema, TestClock } from "effect"
import { Baggage, Botanu, BotanuConfig, Propagation, Run, RunContext } from "../src/index.js"
import { logging, observed, onlyRun } from "./observed.js"
import { anyRun, ids, instant, leanHeader, makeRun, otherRunId, runId } from "./runs.js"

const mode = (propagationMode: BotanuConfig.PropagationMode) =>
  BotanuConfig.layerOf({ environment: "production", propagationMode })

const senderTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

const injectFor = (run: Run) => Effect.provide(Propagation.inject, RunContext.layer(run))

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  return Effect.map(Effect.provide(effect, logging(lines)), (value) => ({ value, lines }))
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
        baggage: leanHeader.replace(runId, completed.run.runId),
        traceparent: `00-${traceId}-${spanId}-01`
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("sends all that is set in full mode", () =>
    Effect.gen(function* () {
      const run = makeRun({ tenantId: "acme", deadline: instant(5_000) })
      const headers = yield* injectFor(run)
      expect(headers).toEqual({ baggage: `${leanHeader},botanu.environment=production,botanu.tenant_id=acme` })
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

  it.effect("hands off: says nothing of a deadline, nor that the run is being stopped", () =>
    Effect.gen(function* () {
      const sent: Array<string | undefined> = []
      const finalizer = Effect.map(Propagation.inject, ({ baggage }) => {
        sent.push(baggage)
      })
      const work = Effect.flatMap(Effect.context<RunContext>(), (context) =>
        Effect.ensuring(Effect.never, Effect.provide(finalizer, context))
      )
      const fiber = yield* Effect.fork(work.pipe(Botanu.workflow("W", { ...ids, deadline: "1 minute" })))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      for (const run of [
        makeRun({ deadline: instant(0) }),
        makeRun({ cancelled: true }),
        makeRun({ deadline: instant(1), cancelled: true, attempt: 2, retryOfRunId: otherRunId })
      ]) {
        sent.push((yield* injectFor(run))["baggage"])
      }
      expect(sent).toHaveLength(4)
      for (const baggage of sent) expect(baggage).not.toMatch(/deadline|cancelled/)
      expect(sent[3]).toBe(
        `${leanHeader},botanu.environment=production,botanu.attempt=2,botanu.retry_of_run_id=${otherRunId}`
      )
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("sends lean where the mode cannot be read", () =>
    Effect.map(injectFor(makeRun()), ({ baggage }) => expect(baggage).toBe(leanHeader))
  )
})

describe("Propagation.injectWith({ deadline: true }), for a call that is awaited", () => {
  const callFor = (run: Run) => Effect.provide(Propagation.injectWith({ deadline: true }), RunContext.layer(run))

  it.effect("sends the deadline", () =>
    Effect.gen(function* () {
      const { baggage } = yield* callFor(makeRun({ tenantId: "acme", deadline: instant(5_000) }))
      expect(baggage).toBe(`${leanHeader},botanu.environment=production,botanu.tenant_id=acme,botanu.deadline=5000`)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("says cancelled of a run that was interrupted, also by a daemon when it is over", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const sent = yield* Deferred.make<string | undefined>()
      const send = Effect.flatMap(Propagation.injectWith({ deadline: true }), ({ baggage }) =>
        Deferred.succeed(sent, baggage)
      )
      const daemon = Effect.forkDaemon(Effect.zipRight(latch.await, send))
      const fiber = yield* Effect.fork(Botanu.workflow(Effect.zipRight(daemon, Effect.never), "W", ids))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* latch.open
      expect(yield* Deferred.await(sent)).toMatch(/,botanu\.cancelled=true$/)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("says cancelled while the run is being stopped, and of one that came in cancelled", () =>
    Effect.gen(function* () {
      const sent: Array<string | undefined> = []
      const finalizer = Effect.map(Propagation.injectWith({ deadline: true }), ({ baggage }) => {
        sent.push(baggage)
      })
      const work = Effect.flatMap(Effect.context<RunContext>(), (context) =>
        Effect.ensuring(Effect.never, Effect.provide(finalizer, context))
      )
      for (const stop of ["interrupt", "deadline", "cancel"]) {
        const fiber = yield* Effect.fork(work.pipe(Botanu.workflow("W", { ...ids, deadline: "1 minute" })))
        yield* Effect.yieldNow()
        if (stop === "interrupt") yield* Fiber.interrupt(fiber)
        else if (stop === "deadline") yield* TestClock.adjust("1 minute")
        else for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "operator")
        yield* Fiber.await(fiber)
      }
      sent.push((yield* callFor(makeRun({ cancelled: true })))["baggage"])
      expect(sent).toHaveLength(4)
      for (const baggage of sent) expect(baggage).toMatch(/,botanu\.cancelled=true$/)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("does not say so of work past its deadline that nobody stops: it may still end well", () =>
    Effect.gen(function* () {
      const { baggage } = yield* callFor(makeRun({ deadline: instant(0) }))
      expect(baggage).toMatch(/,botanu\.deadline=0$/)
    }).pipe(Effect.provide(mode("full")))
  )
})

describe("Propagation.injectWith({ mode })", () => {
  const modeFor = (run: Run, mode: BotanuConfig.PropagationMode) =>
    Effect.provide(Propagation.injectWith({ mode }), RunContext.layer(run))

  for (const setting of ["lean", "full"] as const) {
    it.effect(`is the mode of one message, where the setting is ${setting}`, () =>
      Effect.gen(function* () {
        const run = makeRun({ attempt: 2 })
        expect(yield* modeFor(run, "lean")).toEqual({ baggage: leanHeader })
        expect(yield* modeFor(run, "full")).toEqual({
          baggage: `${leanHeader},botanu.environment=production,botanu.attempt=2`
        })
        const full = `${leanHeader},tier=gold,botanu.environment=test,botanu.future=1`
        const received = Option.getOrThrow(yield* Propagation.extract({ baggage: full }))
        expect(yield* modeFor(received, "full")).toEqual({ baggage: full })
        expect(yield* modeFor(received, "lean")).toEqual({ baggage: `${leanHeader},tier=gold` })
      }).pipe(Effect.provide(mode(setting)))
    )
  }
})

describe("Propagation.injectWith", () => {
  const foreign = "sentry-trace_id=771a;ttl=1,tenant=x%20y"
  const received = (header: string) =>
    Effect.map(Propagation.extract({ baggage: header, traceparent: senderTrace }), Option.getOrThrow)
  const within = (run: Run, maxBytes?: number) =>
    Effect.provide(Propagation.injectWith({ maxBytes }), RunContext.layer(run))

  it.effect("sends what inject sends where there is room, also where no budget is given", () =>
    Effect.gen(function* () {
      const run = yield* received(`${leanHeader},${foreign},botanu.tenant_id=acme`)
      const whole = yield* injectFor(run)
      for (const maxBytes of [undefined, whole["baggage"]?.length, 8192, 1e9, Number.POSITIVE_INFINITY]) {
        expect(yield* within(run, maxBytes)).toEqual(whole)
      }
      expect(yield* Effect.provide(Propagation.injectWith({}), RunContext.layer(run))).toEqual(whole)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("leaves out whole members, the identifying keys never", () =>
    Effect.gen(function* () {
      const run = yield* received(`${leanHeader},${foreign},botanu.environment=production,botanu.tenant_id=acme`)
      const [first, second] = foreign.split(",")
      const room: ReadonlyArray<readonly [extra: string, left: string]> = [
        ["", ""],
        ["x", ""],
        [`,${first}`, `,${first}`],
        [`,${first}xx`, `,${first}`],
        // What does not fit is passed over for what does.
        [`,${second}`, `,${second}`],
        [`,${foreign},botanu.environment=productio`, `,${foreign},botanu.tenant_id=acme`],
        [`,${foreign},botanu.environment=production`, `,${foreign},botanu.environment=production`]
      ]
      for (const [extra, left] of room) {
        expect((yield* within(run, leanHeader.length + extra.length))["baggage"]).toBe(`${leanHeader}${left}`)
      }
    }).pipe(Effect.provide(mode("full")))
  )

  for (const maxBytes of [leanHeader.length - 1, 1, 0, 0.5, -1, Number.NEGATIVE_INFINITY, Number.NaN]) {
    it.effect(`sends no baggage, and logs that, where there is room for ${maxBytes} bytes; the trace it sends`, () =>
      Effect.gen(function* () {
        const run = yield* received(leanHeader)
        const { lines, value } = yield* logged(within(run, maxBytes))
        expect(value).toEqual({ traceparent: senderTrace })
        expect(lines).toEqual([
          `outgoing baggage: run ${runId} does not fit into ${maxBytes} bytes, so it was not sent`
        ])
      })
    )
  }

  it.effect("warns once a second", () =>
    Effect.gen(function* () {
      const many = Effect.replicateEffect(within(makeRun(), 1), 1000)
      const { lines } = yield* logged(Effect.zipRight(many, Effect.zipRight(TestClock.adjust("1 second"), many)))
      expect(lines).toHaveLength(2)
      expect(lines[1]).toMatch(/\(999 more like it were not logged\)$/)
    })
  )

  const anyForeign = FastCheck.array(FastCheck.tuple(FastCheck.stringMatching(/^[a-z]{1,8}$/), FastCheck.string()))
  it.effect.prop(
    "stays within its budget, and sends a part of what inject sends, the run in it",
    [anyRun, anyForeign, FastCheck.oneof(FastCheck.integer({ min: -10, max: 9000 }), FastCheck.double())],
    ([run, entries, maxBytes]) =>
      Effect.gen(function* () {
        const others = Baggage.encode(Either.getOrThrow(Baggage.fromEntries(entries)))
        const incoming = yield* received([Schema.encodeSync(RunContext.FromHeader)(run), others].join())
        const whole = (yield* injectFor(incoming))["baggage"]?.split(",")
        const { value } = yield* logged(within(incoming, maxBytes))
        const sent = value["baggage"]
        const identifying = whole?.slice(0, 4).join() ?? ""
        expect(value["traceparent"]).toBe(senderTrace)
        expect(sent !== undefined).toBe(identifying.length <= maxBytes)
        if (sent === undefined) return
        expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(maxBytes)
        expect(sent.startsWith(identifying)).toBe(true)
        const members = sent.split(",")
        expect(whole?.filter((member) => members.includes(member))).toEqual(members)
      }).pipe(Effect.provide(mode("full")))
  )
})

describe("Propagation.extract", () => {
  it.effect.prop("receives what was sent, in full mode", [anyRun], ([run]) =>
    Effect.gen(function* () {
      const call = Effect.provide(Propagation.injectWith({ deadline: true }), RunContext.layer(run))
      expect(yield* Effect.flatMap(call, Propagation.extract)).toEqual(Option.some(run))
      const { deadline: _, ...handedOff } = { ...run, cancelled: false }
      expect(yield* Effect.flatMap(injectFor(run), Propagation.extract)).toEqual(Option.some(new Run(handedOff)))
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("has none where there is no header, or none that speaks of a run; that is no problem", () =>
    Effect.gen(function* () {
      for (const headers of [
        undefined,
        {},
        { baggage: "" },
        { baggage: "tenant=x" },
        { baggage: undefined },
        { other: leanHeader }
      ]) {
        const { lines, value } = yield* logged(Propagation.extract(headers))
        expect(value).toEqual(Option.none())
        expect(lines).toEqual([])
      }
    })
  )

  it.effect("takes header names in any case, and several lines as one list", () =>
    Effect.gen(function* () {
      const [first, ...rest] = leanHeader.split(",")
      const run = yield* Propagation.extract({ Baggage: [first ?? "", rest.join(",")] })
      expect(Option.map(run, ({ runId }) => runId)).toEqual(Option.some(runId))
    })
  )

  it.effect("goes on without a bad optional key, and names it in a warning", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(
        Propagation.extract({ baggage: `${leanHeader},botanu.deadline=nan,botanu.attempt=2,bad member` })
      )
      expect(Option.map(value, ({ attempt, deadline }) => [attempt, deadline])).toEqual(Option.some([2, undefined]))
      expect(lines).toEqual([
        'incoming baggage: 1 dropped (member 7: no_equals_sign); botanu.deadline: expected whole milliseconds since the epoch, got "nan"'
      ])
    })
  )

  it.effect("sends a run that was provided by itself", () =>
    Effect.gen(function* () {
      const headers = yield* Propagation.inject.pipe(Effect.provideService(RunContext, makeRun()))
      expect(headers["baggage"]).toBe(leanHeader)
    })
  )

  it.effect("names the first members that it dropped, and how many there are in all", () =>
    Effect.gen(function* () {
      const bad = Array.from({ length: 20 }, (_, index) => `bad ${index}`)
      const { lines } = yield* logged(Propagation.extract({ baggage: `${leanHeader},${bad.join(",")}` }))
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/^incoming baggage: 20 dropped \(member 5: no_equals_sign, .*, …\)$/)
    })
  )

  it.effect("has none without a required key, and names it in a warning", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(Propagation.extract({ baggage: leanHeader.replace("bigretail", "") }))
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

  it.effect.prop("never fails, whatever it is given", [FastCheck.anything({ withTypedArray: true })], ([anything]) =>
    Effect.gen(function* () {
      yield* logged(Propagation.extract(anything as Propagation.IncomingHeaders))
      yield* logged(Propagation.extract({ baggage: [anything, leanHeader], traceparent: anything }))
      yield* logged(Propagation.extract(new Map([["baggage", anything]])))
    })
  )

  it.effect("takes values and names as brokers' clients give them", () =>
    Effect.gen(function* () {
      const carriers: ReadonlyArray<Propagation.IncomingHeaders> = [
        { baggage: Buffer.from(leanHeader), traceparent: Buffer.from(senderTrace) },
        { Baggage: [Buffer.from(leanHeader)], TraceParent: [new TextEncoder().encode(senderTrace)] },
        {
          baggage: leanHeader.split(",").map((member) => Buffer.from(member)),
          TRACEPARENT: senderTrace,
          "x-death": [{ count: 1 }]
        },
        new Map([
          ["baggage", leanHeader],
          ["traceparent", senderTrace]
        ])
      ]
      for (const carrier of carriers) {
        const run = Option.getOrThrow(yield* Propagation.extract(carrier))
        expect(run).toMatchObject({ runId, workflow: "Customer Support", customerId: "bigretail" })
        expect((yield* injectFor(run))["traceparent"]).toBe(senderTrace)
      }
    })
  )

  it.effect("reads a plus as a space, unless asked not to", () =>
    Effect.gen(function* () {
      const header = { baggage: leanHeader.replace("%20", "+") }
      const workflow = (options?: Baggage.ReadOptions) =>
        Effect.map(
          Propagation.extract(header, options),
          Option.map(({ workflow }) => workflow)
        )
      expect(yield* workflow()).toEqual(Option.some("Customer Support"))
      expect(yield* workflow({ plusAsSpace: false })).toEqual(Option.some("Customer+Support"))
    })
  )
})

describe("the sender's span", () => {
  const received = Effect.map(Propagation.extract({ baggage: leanHeader, traceparent: senderTrace }), Option.getOrThrow)

  it.effect("is the parent where a run is joined and no span is open", () =>
    Effect.gen(function* () {
      const span = yield* Effect.makeSpan("work").pipe(Effect.provide(RunContext.layer(yield* received)))
      expect(Option.map(span.parent, ({ _tag, spanId }) => [_tag, spanId])).toEqual(
        Option.some(["ExternalSpan", "00f067aa0ba902b7"])
      )
      expect(span.traceId).toBe("4bf92f3577b34da6a3ce929d0e0e4736")
    })
  )

  it.effect("is not where one is open", () =>
    Effect.gen(function* () {
      const run = yield* received
      const { outer, span } = yield* Effect.makeSpan("work").pipe(
        Effect.provide(RunContext.layer(run)),
        Effect.zipWith(Effect.currentSpan, (span, outer) => ({ span, outer })),
        Effect.withSpan("outer")
      )
      expect(Option.map(span.parent, ({ spanId }) => spanId)).toEqual(Option.some(outer.spanId))
    })
  )

  it.effect("is not where one is open when what the layer gives is used", () =>
    Effect.gen(function* () {
      const context = yield* Effect.withSpan(Layer.build(RunContext.layer(yield* received)), "start")
      const { outer, span } = yield* Effect.makeSpan("work").pipe(
        Effect.provide(context),
        Effect.zipWith(Effect.currentSpan, (span, outer) => ({ span, outer })),
        Effect.withSpan("outer")
      )
      expect(Option.map(span.parent, ({ spanId }) => spanId)).toEqual(Option.some(outer.spanId))
    }).pipe(Effect.scoped)
  )

  it.effect("is none where there is no valid header, or no run", () =>
    Effect.gen(function* () {
      for (const traceparent of [undefined, "", senderTrace.toUpperCase(), 7]) {
        const run = Option.getOrThrow(yield* Propagation.extract({ baggage: leanHeader, traceparent }))
        expect(Object.keys(yield* injectFor(run))).toEqual(["baggage"])
      }
      expect(yield* Propagation.extract({ traceparent: senderTrace })).toEqual(Option.none())
    })
  )

  it.effect("is remembered by the run that was received, and no other", () =>
    Effect.gen(function* () {
      const one = yield* received
      const other = Option.getOrThrow(yield* Propagation.extract({ baggage: leanHeader }))
      expect((yield* injectFor(one))["traceparent"]).toBe(senderTrace)
      expect(yield* injectFor(other)).toEqual({ baggage: leanHeader })
      expect(yield* injectFor(new Run(one))).toEqual({ baggage: leanHeader })
    })
  )
})

describe("foreign baggage", () => {
  const foreign = "sentry-trace_id=771a;ttl=1,tenant=x%20y"

  it.effect("that came in with a run goes out again, after the lean keys", () =>
    Effect.gen(function* () {
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${foreign},${leanHeader}` }))
      const joined = yield* injectFor(run)
      expect(joined["baggage"]).toBe(`${leanHeader},${foreign},botanu.environment=unknown`)
    }).pipe(Effect.provide(mode("full")))
  )

  it.effect("goes out of child runs, nested and retried ones too", () =>
    Effect.gen(function* () {
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${foreign},${leanHeader}` }))
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
      const run = Option.getOrThrow(yield* Propagation.extract({ baggage: `${many},${leanHeader}` }))
      const { baggage } = yield* injectFor(new Run(run))
      expect(baggage).toBe(leanHeader)
      const joined = yield* injectFor(run)
      expect(joined["baggage"]?.startsWith(leanHeader)).toBe(true)
      expect(joined["baggage"]?.split(",")).toHaveLength(64)
    })
  )
})

describe("a run that came in with more than its identifying keys", () => {
  const further = "botanu.environment=staging,botanu.tenant_id=acme,botanu.attempt=2"
  const unknown = "botanu.future=x%20y;ttl=1"
  const received = (more: string) =>
    Effect.map(Propagation.extract({ baggage: `${leanHeader}${more}` }), Option.getOrThrow)

  it.effect("goes on with all of them in lean mode, also with those that this version does not know", () =>
    Effect.gen(function* () {
      const whole = `${leanHeader},tier=gold,${further},${unknown}`
      expect(yield* injectFor(yield* received(`,${unknown},${further},tier=gold`))).toEqual({ baggage: whole })
    })
  )

  it.effect("is sent by the runs inside of it with what they have of them", () =>
    Effect.gen(function* () {
      const run = yield* received(`,${further},${unknown}`)
      const ids = { eventId: run.eventId, customerId: run.customerId }
      const { baggage } = yield* Propagation.inject.pipe(
        Botanu.workflow("Inner", { ...ids, environment: "test", tenantId: "other" }),
        Botanu.workflow("Outer", ids),
        Effect.provide(RunContext.layer(run))
      )
      const members = baggage?.split(",").slice(4)
      expect(members?.filter((member) => !member.startsWith("botanu.parent_run_id="))).toEqual([
        "botanu.environment=test",
        "botanu.tenant_id=other",
        unknown
      ])
      expect(members).toHaveLength(4)
    })
  )

  it.effect("passes an unknown member on alone where that is all that came", () =>
    Effect.gen(function* () {
      expect(yield* injectFor(yield* received(`,${unknown}`))).toEqual({ baggage: `${leanHeader},${unknown}` })
    })
  )

  it.effect("is not what a run is that came in with four keys: that goes on with four", () =>
    Effect.gen(function* () {
      const run = yield* received(",tier=gold")
      expect(yield* injectFor(run)).toEqual({ baggage: `${leanHeader},tier=gold` })
    })
  )

  it.effect("goes on in full to the next attempt at it", () =>
    Effect.gen(function* () {
      const run = yield* received(`,${further}`)
      const { baggage } = yield* Propagation.inject.pipe(
        Botanu.workflow(run.workflow, { eventId: run.eventId, customerId: run.customerId, retryOf: run })
      )
      expect(baggage).toContain(`botanu.attempt=3,botanu.retry_of_run_id=${runId}`)
    })
  )

  const anyUnknown = FastCheck.array(
    FastCheck.tuple(FastCheck.stringMatching(/^botanu\.zz[a-z]{1,8}$/), FastCheck.string({ maxLength: 40 })),
    { maxLength: 5 }
  )
  it.effect.prop("loses nothing on one hop", [anyRun, anyUnknown], ([run, entries]) =>
    Effect.gen(function* () {
      const others = Baggage.encode(Either.getOrThrow(Baggage.fromEntries(entries)))
      const header = [Schema.encodeSync(RunContext.FromHeader)(run), others].filter(Boolean).join()
      const { value } = yield* logged(Propagation.extract({ baggage: header }))
      const call = Propagation.injectWith({ deadline: true })
      const sent = (yield* Effect.provide(call, RunContext.layer(Option.getOrThrow(value))))["baggage"] ?? ""
      const entriesOf = (text: string) => Baggage.entries(Baggage.decode(text).baggage)
      expect(entriesOf(sent)).toEqual(expect.arrayContaining([...entriesOf(header)]))
    })
  )
})
