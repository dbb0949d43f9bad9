import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Logger, Option, Schema, TestClock } from "effect"
import { lines } from "../../src/baggage/Carrier.js"
import { Propagation, RunContext } from "../../src/index.js"
import { anyRun, leanHeader } from "../runs.js"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const extract = (headers: unknown) =>
  Propagation.extract(headers as Propagation.IncomingHeaders).pipe(
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.map(Option.getOrUndefined)
  )

describe("a header of a shape that is not known", () => {
  it.effect("is no run, and is logged once; one that is not there is no problem", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => {
        lines.push(String(message))
      })
      const extracted = Effect.forEach(
        [{ baggage: 7 }, { baggage: { text: "a=1" } }, { baggage: null }, { baggage: undefined }, { baggage: [] }],
        (headers) => Propagation.extract(headers)
      )
      const twice = Effect.zipLeft(extracted, Effect.zipRight(TestClock.adjust("1 hour"), extracted))
      const runs = yield* Effect.provide(twice, Logger.replace(Logger.defaultLogger, logger))
      expect(runs.every(Option.isNone)).toBe(true)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("incoming baggage: the header is of a shape that cannot be read")
    })
  )
})

describe("headers of a shape that is not known", () => {
  const baggage = Buffer.from(leanHeader)

  it.effect.each([
    ["a list of records, as clients of librdkafka have them", [{ "content-type": "text/plain" }, { baggage }]],
    ["a list of keys and values", [{ key: "baggage", value: baggage }]],
    ["a map whose names are bytes", new Map([[Buffer.from("baggage"), baggage]])],
    ["names and values in turns, in bytes", [Buffer.from("baggage"), baggage]],
    ["text", JSON.stringify({ baggage: leanHeader })],
    ["bytes", baggage]
  ])("are no run, and are logged once: %s", ([, headers]) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => {
        lines.push(String(message))
      })
      const extracted = Propagation.extract(headers as Propagation.IncomingHeaders)
      const twice = Effect.zip(extracted, Effect.zipRight(TestClock.adjust("1 hour"), extracted))
      const runs = yield* Effect.provide(twice, Logger.replace(Logger.defaultLogger, logger))
      expect(runs.every(Option.isNone)).toBe(true)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("incoming baggage: the headers are of a shape that cannot be read")
    })
  )

  it.effect.each([
    ["nothing", undefined],
    ["null", null],
    ["no headers", []],
    ["headers without a run", { "content-type": "text/plain" }],
    ["pairs without a run", [["content-type", "text/plain"]]],
    ["names and values without a run", ["content-type", "text/plain"]],
    ["a run, and something else", [7, ["baggage", leanHeader], { baggage }]]
  ])("are not what is not there, or is read: %s", ([, headers]) =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ message }) => {
        lines.push(message)
      })
      const extracted = Propagation.extract(headers as Propagation.IncomingHeaders)
      yield* Effect.provide(extracted, Logger.replace(Logger.defaultLogger, logger))
      expect(lines).toEqual([])
    })
  )
})

describe("a part of a header that cannot be read", () => {
  it.each([
    ["text", "a=1", 0],
    ["lines", ["a=1", Buffer.from("b=2")], 0],
    ["no lines", [], 0],
    ["nothing", undefined, 0],
    ["nothing beside a line", [undefined, null, "a=1"], 0],
    ["a number", 7, 1],
    ["a function", () => "a=1", 1],
    ["a line and a number", ["a=1", 7], 1],
    ["bytes that are no base64", { dataType: "Binary", binaryValue: "a=1" }, 1],
    ["lines in lines", [["a=1"]], 1]
  ])("is reported once for each value that holds it: %s", (_, baggage, times) => {
    let reported = 0
    const found = lines({ baggage }, "baggage", () => {
      reported += 1
    })
    expect(reported).toBe(times)
    if (Array.isArray(baggage) && (baggage as ReadonlyArray<unknown>).includes("a=1")) expect(found).toContain("a=1")
    expect(found.every((line) => typeof line === "string")).toBe(true)
  })
})

describe("the lines of a header", () => {
  const one = ["a=1"]
  const shapes: ReadonlyArray<readonly [shape: string, headers: unknown, lines: ReadonlyArray<string>]> = [
    ["text", { baggage: "a=1" }, one],
    ["a Buffer", { baggage: Buffer.from("a=1") }, one],
    ["a Uint8Array", { baggage: bytes("a=1") }, one],
    ["a part of a larger buffer", { baggage: bytes("xxa=1xx").subarray(2, 5) }, one],
    ["several lines of text", { baggage: ["a=1", "b=2"] }, ["a=1", "b=2"]],
    ["several lines of bytes", { baggage: [Buffer.from("a=1"), bytes("b=2")] }, ["a=1", "b=2"]],
    ["text and bytes", { baggage: ["a=1", Buffer.from("b=2")] }, ["a=1", "b=2"]],
    ["a Map", new Map([["Baggage", "a=1"]]), one],
    ["the Headers of fetch", new Headers({ Baggage: "a=1" }), one],
    ["URLSearchParams, which are entries too", new URLSearchParams({ baggage: "a=1" }), one],
    [
      "entries",
      [
        ["x", "y"],
        ["BAGGAGE", "a=1"]
      ],
      one
    ],
    [
      "entries of one name",
      [
        ["baggage", "a=1"],
        ["baggage", ["b=2"]]
      ],
      ["a=1", "b=2"]
    ],
    [
      "entries that come one by one",
      {
        *[Symbol.iterator]() {
          yield ["baggage", "a=1"]
        }
      },
      one
    ],
    ["a record without a prototype", Object.assign(Object.create(null), { baggage: "a=1" }), one],
    ["another letter case", { BagGage: "a=1" }, one],
    ["several spellings at once", { BAGGAGE: "a=1", other: "x", baggage: ["b=2"] }, ["a=1", "b=2"]],
    ["an empty line", { baggage: "" }, [""]],
    ["no bytes", { baggage: new Uint8Array() }, [""]],
    ["bytes with a byte order mark", { baggage: Buffer.from("\ufeffa=1") }, ["\ufeffa=1"]],
    ["a Buffer that went through JSON", JSON.parse(JSON.stringify({ baggage: Buffer.from("a=1") })), one],
    ["rawHeaders of Node", ["Host", "baggage", "Baggage", "a=1", "baggage", "b=2"], ["a=1", "b=2"]],
    ["an attribute of an SQS message", { baggage: { DataType: "String", StringValue: "a=1" } }, one],
    ["an attribute of an SQS event", { baggage: { dataType: "String", stringValue: "a=1" } }, one],
    ["bytes of an SQS message", { baggage: { DataType: "Binary", BinaryValue: bytes("a=1") } }, one],
    ["an attribute of an SNS event", { baggage: { Type: "String", Value: "a=1" } }, one],
    ["bytes of an SQS event, in base64", { baggage: { dataType: "Binary", binaryValue: btoa("a=1") } }, one],
    ["bytes of an SNS event, in base64", { baggage: { Type: "Binary", Value: btoa("a=1") } }, one],
    [
      "bytes of an SQS message that went through JSON",
      JSON.parse(JSON.stringify({ baggage: { DataType: "Binary", BinaryValue: Buffer.from("a=1") } })),
      one
    ],
    ["a name that begins alike", { baggages: "a=1", baggag: "b=2" }, []]
  ]

  for (const [shape, headers, expected] of shapes) {
    it(`are taken from ${shape}`, () => {
      expect(lines(headers as Propagation.IncomingHeaders, "baggage")).toEqual(expected)
    })
  }

  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const unreadable = {
    get baggage(): string {
      throw new Error("read too late")
    }
  }
  const endsEarly = {
    *[Symbol.iterator]() {
      yield ["baggage", "a=1"]
      throw new Error("connection lost")
    }
  }
  const junk: ReadonlyArray<readonly [what: string, headers: unknown, lines?: ReadonlyArray<string>]> = [
    ["undefined", undefined],
    ["null", null],
    ["a number", 7],
    ["text", "baggage=a=1"],
    ["a symbol", Symbol("baggage")],
    ["a function", () => "a=1"],
    ["bytes", Buffer.from("baggage: a=1")],
    ["a list of anything", [null, undefined, 7, {}, { baggage: "a=1" }, [], ["baggage"], [["baggage", "a=1"]]]],
    [
      "names that are no text",
      [
        [7, "a=1"],
        [Symbol("baggage"), "a=1"],
        [Buffer.from("baggage"), "a=1"],
        [Array.from("baggage"), "a=1"],
        ["baggage", "b=2"]
      ],
      ["b=2"]
    ],
    ["a function that has the header", Object.assign(() => "a=1", { baggage: "a=1" })],
    ["another name of the same length", { expires: "a=1" }],
    [
      "what looks like a Buffer in JSON",
      { baggage: [{ type: "Other", data: [0x61] }, { type: "Buffer", data: 7 }, "b=2"] },
      ["b=2"]
    ],
    [
      "values that are no text",
      [7, 7n, true, null, undefined, {}, () => "a=1", Symbol("x")].map((it) => ["baggage", it])
    ],
    ["values that hold the header deeper", { baggage: { value: "a=1" } }],
    ["junk beside a line", { baggage: [7, null, "a=1", ["b=2"], { c: 3 }, Symbol("d")] }, ["a=1"]],
    ["a record of a symbol", { [Symbol("baggage")]: "a=1" }],
    ["a prototype that has the header", Object.create({ baggage: "a=1" })],
    ["an object that cannot be looked at", revoked.proxy],
    ["a header that cannot be read", unreadable],
    ["entries that end early", endsEarly, ["a=1"]],
    ["a value that cannot be looked at", { baggage: ["a=1", revoked.proxy] }, ["a=1"]]
  ]

  for (const [what, headers, expected = []] of junk) {
    it(`${expected.length === 0 ? "are none" : "are those that can be read"} of ${what}`, () => {
      expect(lines(headers as Propagation.IncomingHeaders, "baggage")).toEqual(expected)
    })
  }

  it("of a key __proto__ are not those of the record", () => {
    const headers = JSON.parse('{"__proto__": {"baggage": "a=1"}, "constructor": "x"}') as Record<string, unknown>
    expect(lines(headers, "baggage")).toEqual([])
    expect(lines({ ...headers, baggage: "b=2" }, "baggage")).toEqual(["b=2"])
    expect(Object.prototype).not.toHaveProperty("baggage")
  })

  it("of bytes that are not UTF-8 have U+FFFD in their place, and lose nothing else", () => {
    expect(lines({ baggage: Buffer.from([0x61, 0x3d, 0xff, 0xc3, 0x2c, 0x62, 0x3d, 0x32]) }, "baggage")).toEqual([
      "a=\ufffd\ufffd,b=2"
    ])
  })

  it("of many bytes are longer than may be read, and not much", () => {
    for (const character of ["a", "é", "€", "😀", "\uffff"]) {
      const [line = ""] = lines({ baggage: Buffer.from(character.repeat(50_000)) }, "baggage")
      expect(line.length).toBeGreaterThan(8192)
      expect(line.length).toBeLessThan(25_000)
    }
    const [broken = ""] = lines({ baggage: new Uint8Array(50_000).fill(0xff) }, "baggage")
    expect(broken.length).toBeGreaterThan(8192)
  })
})

describe("a run", () => {
  const headerOf = Schema.encodeSync(RunContext.FromHeader)
  type Shape = (lines: ReadonlyArray<string>) => unknown
  const spelling = FastCheck.constantFrom("baggage", "Baggage", "BAGGAGE", "bAggAgE")
  const encoding = FastCheck.constantFrom<(line: string) => unknown>(
    (line) => line,
    (line) => Buffer.from(line),
    (line) => bytes(line)
  )
  const shape: FastCheck.Arbitrary<Shape> = FastCheck.tuple(spelling, encoding).chain(([name, encode]) =>
    FastCheck.constantFrom<Shape>(
      (lines) => ({ [name]: lines.map(encode) }),
      (lines) => ({ [name]: encode(lines.join(",")) }),
      (lines) => new Map([[name, lines.map(encode)]]),
      (lines) => lines.map((line) => [name, encode(line)]),
      (lines) => [["x", null], [name, lines.map(encode)], 7],
      ([first, ...rest]) => ({ baggage: first, BAGGAGE: rest.map(encode) })
    )
  )
  const header = FastCheck.oneof(
    anyRun.map((run) => headerOf(run).split(",")),
    FastCheck.array(
      FastCheck.oneof(
        FastCheck.string({ unit: "binary" }),
        FastCheck.constantFrom(
          ...leanHeader.split(","),
          "x=%zz",
          "botanu.attempt=two",
          "é".repeat(5000),
          "k=v".repeat(2000)
        )
      ),
      { minLength: 1 }
    )
  )

  it.effect("of too many bytes is not read from a member that was cut", () =>
    Effect.gen(function* () {
      const [id, workflow, event, customer] = leanHeader.split(",")
      for (const room of [-1, 0, 1, customer?.length ?? 0, 40]) {
        const before = `${id},${workflow},${event},x=${"é".repeat(1000)}`
        const padded = `${before}${"x".repeat(8192 - room - before.length)},${customer},y=${"é".repeat(10_000)}`
        expect(yield* extract({ baggage: Buffer.from(padded) })).toEqual(yield* extract({ baggage: padded }))
      }
    })
  )

  it.effect.prop("is the same, whatever carries it", [header, shape], ([header, shape]) =>
    Effect.gen(function* () {
      expect(yield* extract(shape(header))).toEqual(yield* extract({ baggage: header.join(",") }))
    })
  )
})
