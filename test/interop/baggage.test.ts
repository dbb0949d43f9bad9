/**
 * Baggage as OpenTelemetry writes and reads it in JavaScript, Java, Go and Python. How `headers.json` was made stands in the
 * README beside it.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import {
  type BaggageEntry,
  baggageEntryMetadataFromString,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT
} from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { Effect, FastCheck, Option, Schema } from "effect"
import { Baggage, BotanuConfig, Propagation, type Run, RunContext } from "../../src/index.js"
import { Key } from "../../src/wire/Wire.js"
import { anyRun, fieldText, instant, makeRun, otherRunId } from "../runs.js"

type Text = Pick<Run, "workflow" | "eventId" | "customerId">

interface Peer {
  readonly language: string
  readonly package: string
  readonly version: string
  readonly how: string
}

interface Written extends Peer {
  readonly header: string
  /** The same, where the customer has the properties `ttl=60` and `secret`. */
  readonly withProperties?: string
  /** What is not read as it was meant. */
  readonly readDifferently: {
    readonly byDefault: Partial<Text>
    readonly plusAsSpace: Partial<Text>
    readonly plusIsPlus: Partial<Text>
  }
}

const recorded: {
  readonly run: Text
  readonly written: ReadonlyArray<Written>
  readonly sent: {
    readonly header: string
    readonly readBy: ReadonlyArray<Peer & { readonly entries: Record<string, string> }>
  }
} = JSON.parse(readFileSync(new URL("headers.json", import.meta.url), "utf8"))

/** The run of all headers, as it is received. */
const received = (fields?: Partial<Text>) =>
  makeRun({ ...recorded.run, environment: "unknown", startTime: instant(0), ...fields })

const titleOf = ({ language, version }: Peer) => `OpenTelemetry ${language} ${version}`

const member = (header: string, key: string) => header.split(",").find((text) => text.startsWith(`${key}=`))

/** Reads a header as the edges do and as the Schemas do, and holds both against what is expected. */
const expectRun = (header: string, expected: Run, options?: Baggage.ReadOptions) =>
  Effect.gen(function* () {
    const { baggage, dropped } = Baggage.decode(header, options)
    expect(dropped.count).toBe(0)
    expect(yield* Schema.decode(RunContext.FromBaggage)(baggage)).toEqual(expected)
    expect(yield* Propagation.extract({ baggage: header }, options)).toEqual(Option.some(expected))
    if (options === undefined) expect(yield* Schema.decode(RunContext.FromHeader)(header)).toEqual(expected)
  })

describe("what OpenTelemetry writes is read", () => {
  for (const peer of recorded.written) {
    const { header, readDifferently, withProperties } = peer
    const differs = (fields: Partial<Text>) =>
      Object.keys(fields).length === 0 ? "the same run" : `another ${Object.keys(fields).join(", ")}`

    it.effect(`${titleOf(peer)}: ${differs(readDifferently.byDefault)}`, () =>
      expectRun(header, received(readDifferently.byDefault))
    )

    it.effect(`${titleOf(peer)}, with plusAsSpace: ${differs(readDifferently.plusAsSpace)}`, () =>
      expectRun(header, received(readDifferently.plusAsSpace), { plusAsSpace: true })
    )

    it.effect(`${titleOf(peer)}, with plusAsSpace: false: ${differs(readDifferently.plusIsPlus)}`, () =>
      expectRun(header, received(readDifferently.plusIsPlus), { plusAsSpace: false })
    )

    if (withProperties !== undefined) {
      it.effect(`${titleOf(peer)}: the same with properties, which go on as they came`, () =>
        Effect.gen(function* () {
          yield* expectRun(withProperties, received(readDifferently.byDefault))
          const forwarded = Baggage.encode(Baggage.decode(withProperties).baggage)
          const propertiesIn = (text: string) => member(text, Key.customerId)?.split(";").slice(1)
          expect(propertiesIn(withProperties)).not.toEqual([])
          expect(propertiesIn(forwarded)).toEqual(propertiesIn(withProperties))
        })
      )
    }
  }

  const inAnyOrder = FastCheck.constantFrom(...recorded.written).chain(({ header, readDifferently }) =>
    FastCheck.record({
      members: FastCheck.shuffledSubarray(header.split(","), { minLength: 4 }),
      fields: FastCheck.constant(readDifferently.byDefault)
    })
  )

  it.effect.prop("in any order of its members", [inAnyOrder], ([{ fields, members }]) =>
    expectRun(members.join(","), received(fields))
  )
})

const texts: {
  readonly texts: ReadonlyArray<string>
  readonly written: ReadonlyArray<Peer & { readonly headers: ReadonlyArray<string> }>
} = JSON.parse(readFileSync(new URL("texts.json", import.meta.url), "utf8"))

describe("16 texts as event and as customer, beside a workflow with a space", () => {
  const runOf = (text: string) => received({ workflow: "Customer Support", eventId: text, customerId: text })

  const headerWith = (encode: (value: string) => string, run: Run) =>
    Baggage.entries(run.toBaggage("lean"))
      .map(([key, value]) => `${key}=${encode(value)}`)
      .join(",")

  // From the source of go.opentelemetry.io/otel/baggage 1.31.0: all bytes but baggage-octets, and the percent sign.
  const encodeAsGo = (value: string) =>
    Array.from(new TextEncoder().encode(value), (byte) => {
      const character = String.fromCharCode(byte)
      return /[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
    }).join("")

  const writeAsJavaScript = (run: Run) => {
    const carrier: Record<string, string> = {}
    const entries = Baggage.entries(run.toBaggage("lean")).map(([key, value]) => [key, { value }] as const)
    const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(Object.fromEntries(entries)))
    new W3CBaggagePropagator().inject(context, carrier, defaultTextMapSetter)
    return carrier["baggage"] ?? ""
  }

  it("are written by the rule of Go as Go itself wrote the run that was recorded", () => {
    const [go] = recorded.written.filter(({ language, version }) => language === "Go" && version === "1.31.0")
    const sorted = (header: string | undefined) => header?.split(",").sort()
    expect(sorted(headerWith(encodeAsGo, received()))).toEqual(sorted(go?.header))
  })

  const writers: ReadonlyArray<readonly [name: string, write: (run: Run, index: number) => string]> = [
    ...texts.written.map((peer) => [titleOf(peer), (_: Run, index: number) => peer.headers[index] ?? ""] as const),
    ["OpenTelemetry JavaScript, as it is installed", writeAsJavaScript],
    ["Botanu for TypeScript", (run) => headerWith(encodeURIComponent, run)],
    ["OpenTelemetry Go 1.31.0", (run) => headerWith(encodeAsGo, run)],
    ["this library", (run) => Baggage.encode(run.toBaggage("lean"))]
  ]

  for (const [name, write] of writers) {
    it.effect(`are read by default as ${name} meant them`, () =>
      Effect.forEach(texts.texts, (text, index) => expectRun(write(runOf(text), index), runOf(text)))
    )
  }

  const encodeAsPython = (value: string) =>
    encodeURIComponent(value)
      .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll("%20", "+")
  const encodeAsJava = (value: string) =>
    encodeURIComponent(value).replace(/%(24|26|40)/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16))
    )
  const rules: ReadonlyArray<readonly [language: string, encode: (value: string) => string]> = [
    ["Python", encodeAsPython],
    ["Java", encodeAsJava],
    ["Go", encodeAsGo],
    ["JavaScript", encodeURIComponent]
  ]

  it.each(rules.slice(0, 2))("are written by the rule of %s as it wrote them itself", (language, encode) => {
    const [peer] = texts.written.filter((written) => written.language === language)
    const sorted = (header: string | undefined) => header?.split(",").sort()
    for (const [index, text] of texts.texts.entries()) {
      expect(sorted(headerWith(encode, runOf(text)))).toEqual(sorted(peer?.headers[index]))
    }
  })

  it.effect.each(rules)(
    "came in full by the rule of %s, and go on in full, also where the mode is lean",
    ([, encode]) =>
      Effect.forEach(texts.texts, (text) =>
        Effect.gen(function* () {
          const run = makeRun({
            ...runOf(text),
            environment: text,
            tenantId: text,
            parentRunId: otherRunId,
            rootRunId: otherRunId,
            attempt: 3,
            retryOfRunId: otherRunId
          })
          const entries = [
            ...Baggage.entries(run.toBaggage("full")),
            [Key.step, text],
            ["botanu.region", text]
          ] as const
          const header = entries.map(([key, value]) => `${key}=${encode(value)}`).join(",")
          const incoming = Option.getOrThrow(yield* Propagation.extract({ baggage: header }))
          const sent = yield* injectFor(incoming, "lean")
          expect(Baggage.entries(Baggage.decode(sent["baggage"] ?? "").baggage)).toEqual(entries)
        })
      )
  )

  it.effect("in one header of two lines, of a writer in Python and of one in Go", () =>
    Effect.gen(function* () {
      const lines = ["botanu.workflow=Customer+Support,botanu.event_id=a+b", `botanu.run_id=${runOf("x").runId}`]
      const go = `botanu.customer_id=a+b,tier=gold%20plus`
      const run = yield* Propagation.extract({ baggage: [...lines, go] })
      expect(Option.map(run, ({ customerId, eventId, workflow }) => [workflow, eventId, customerId])).toEqual(
        Option.some(["Customer Support", "a b", "a+b"])
      )
    })
  )

  it.effect("that no other text in the header has a space beside: Go's plus cannot be told from Python's space", () =>
    Effect.gen(function* () {
      const run = received({ workflow: "Billing", eventId: "a+b", customerId: "c" })
      const header = headerWith(encodeAsGo, run)
      yield* expectRun(header, received({ ...run, eventId: "a b" }))
      yield* expectRun(header, run, { plusAsSpace: false })
    })
  )
})

const injectFor = (run: Run, mode: BotanuConfig.PropagationMode) =>
  Propagation.inject.pipe(
    Effect.provide(RunContext.layer(run)),
    Effect.provide(BotanuConfig.layerOf({ environment: "production", propagationMode: mode }))
  )

const leanEntries = Object.fromEntries(Baggage.entries(received().toBaggage("lean")))

describe("what is sent is read by OpenTelemetry", () => {
  it.effect("is the header that was recorded", () =>
    Effect.gen(function* () {
      expect(yield* injectFor(received(), "lean")).toEqual({ baggage: recorded.sent.header })
    })
  )

  for (const peer of recorded.sent.readBy) {
    it(`${titleOf(peer)}: identically`, () => {
      expect(peer.entries).toEqual(leanEntries)
    })
  }
})

describe("OpenTelemetry JavaScript, as it is installed", () => {
  const propagator = new W3CBaggagePropagator()

  const write = (entries: Record<string, BaggageEntry>) => {
    const carrier: Record<string, string> = {}
    const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(entries))
    propagator.inject(context, carrier, defaultTextMapSetter)
    return carrier["baggage"] ?? ""
  }

  const read = (headers: Propagation.OutgoingHeaders) =>
    propagation
      .getBaggage(propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter))
      ?.getAllEntries()
      .map(([key, { value }]) => [key, value] as const)

  const entriesOf = (run: Run, mode: BotanuConfig.PropagationMode): Record<string, BaggageEntry> =>
    Object.fromEntries(Baggage.entries(run.toBaggage(mode)).map(([key, value]) => [key, { value }]))

  it("writes what was recorded", () => {
    const entries = entriesOf(received(), "lean")
    const customer = { value: recorded.run.customerId, metadata: baggageEntryMetadataFromString("ttl=60;secret") }
    const [javaScript] = recorded.written.filter(({ language }) => language === "JavaScript")
    expect(write(entries)).toBe(javaScript?.header)
    expect(write({ ...entries, [Key.customerId]: customer })).toBe(javaScript?.withProperties)
  })

  it.effect.prop("writes any run so that it is read identically, with and without plusAsSpace", [anyRun], ([run]) =>
    Effect.gen(function* () {
      const header = write(entriesOf(run, "full"))
      yield* expectRun(header, run)
      yield* expectRun(header, run, { plusAsSpace: true })
    })
  )

  const anyMode = FastCheck.constantFrom("lean" as const, "full" as const)

  it.effect.prop(
    "reads identically what is sent of any run, with the foreign baggage that came with it",
    [anyRun, fieldText, anyMode],
    ([run, tier, mode]) =>
      Effect.gen(function* () {
        const header = write({ ...entriesOf(run, "full"), tier: { value: tier } })
        const resumed = Option.getOrThrow(yield* Propagation.extract({ baggage: header }))
        const lean = Baggage.entries(run.toBaggage("lean"))
        // It came in full, so it goes on in full in either mode.
        const further = Baggage.entries(run.toBaggage("full")).slice(lean.length)
        // A message carries neither a deadline nor a cancellation.
        const lineage = further.filter(([key]) => key !== Key.deadline && key !== Key.cancelled)
        expect(read(yield* injectFor(resumed, mode))).toEqual([...lean, ["tier", tier], ...lineage])
      })
  )
})
