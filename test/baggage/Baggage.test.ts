import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Either, Equal, FastCheck, Hash, Option, Schema } from "effect"
import { Writer } from "../../src/baggage/BaggageHeader.js"
import { Baggage } from "../../src/index.js"

interface DecodeCase {
  readonly name: string
  readonly header: string
  readonly headers?: ReadonlyArray<string>
  readonly expect: { readonly entries: Record<string, string> }
  readonly properties?: Record<string, ReadonlyArray<readonly [string, string | null]>>
  readonly never?: {
    readonly keys?: ReadonlyArray<string>
    readonly value_equals?: Record<string, ReadonlyArray<string>>
    readonly control_chars?: boolean
  }
}

interface EncodeCase {
  readonly name: string
  readonly entries: ReadonlyArray<readonly [string, string]>
  readonly canonical?: string
  readonly decodes_to: Record<string, string>
  readonly must_not_appear?: ReadonlyArray<string>
  readonly may_throw?: boolean
}

const cases = <A>(name: string): ReadonlyArray<A> =>
  JSON.parse(readFileSync(new URL(`../cases/${name}.json`, import.meta.url), "utf8"))

/** Own entries by `JSON.parse`, in which `__proto__` is a key like any other. */
const sorted = (entries: Iterable<readonly [string, string]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1))

/** A lone surrogate as U+FFFD, as UTF-8 writes it. */
const wellFormed = (text: string): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text))

const unsafeFromEntries = (entries: Iterable<readonly [string, string | Baggage.Member]>) =>
  Either.getOrThrow(Baggage.fromEntries(entries))

/** What the default reads otherwise than the W3C's grammar, in which a plus is a plus. */
const readByDefault: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "botanu-lean-from-python-otel": { "botanu.workflow": "Customer Support" }
}

describe("Baggage.decode, conformance", () => {
  for (const test of cases<DecodeCase>("baggage-decode")) {
    const inputs: ReadonlyArray<readonly [string, string | ReadonlyArray<string>]> =
      test.headers === undefined
        ? [[test.name, test.header]]
        : [
            [test.name, test.header],
            [`${test.name}, as lines`, test.headers]
          ]
    for (const [name, input] of inputs) {
      it(name, () => {
        const { baggage } = Baggage.decode(input, { plusAsSpace: false })
        const entries = Baggage.entries(baggage)
        expect(sorted(entries)).toEqual(sorted(Object.entries(test.expect.entries)))
        expect(sorted(Baggage.entries(Baggage.decode(input).baggage))).toEqual(
          sorted(Object.entries({ ...test.expect.entries, ...readByDefault[test.name] }))
        )
        for (const [key, properties] of Object.entries(test.properties ?? {})) {
          expect(baggage.members.get(key)?.properties.map(({ key, value }) => [key, Option.getOrNull(value)])).toEqual(
            properties
          )
        }
        for (const key of test.never?.keys ?? []) expect(baggage.members.has(key)).toBe(false)
        for (const [key, values] of Object.entries(test.never?.value_equals ?? {})) {
          expect(values).not.toContain(Option.getOrUndefined(Baggage.get(baggage, key)))
        }
        if (test.never?.control_chars) for (const [, value] of entries) expect(value).not.toMatch(/\p{Cc}/u)
        expect(Object.prototype).not.toHaveProperty("polluted")
      })
    }
  }
})

describe("Baggage.encode, conformance", () => {
  for (const test of cases<EncodeCase>("baggage-encode")) {
    it(test.name, () => {
      const all = Baggage.fromEntries(test.entries)
      expect(Either.isLeft(all)).toBe(test.may_throw === true)
      const usable = test.entries.filter(([key]) => Either.isRight(Baggage.fromEntries([[key, ""]])))
      const header = Baggage.encode(unsafeFromEntries(usable))
      if (test.canonical !== undefined) expect(header).toBe(test.canonical)
      expect(sorted(Baggage.entries(Baggage.decode(header).baggage))).toEqual(sorted(Object.entries(test.decodes_to)))
      for (const text of test.must_not_appear ?? []) expect(header).not.toContain(text)
      expect(header.length).toBeLessThanOrEqual(8192)
    })
  }
})

const key = FastCheck.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/)
const unicode = FastCheck.string({ unit: "binary", maxLength: 60 })
const anyUtf16 = FastCheck.array(FastCheck.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) =>
  String.fromCharCode(...units)
)
const entries = FastCheck.uniqueArray(FastCheck.tuple(key, unicode), { selector: ([key]) => key, maxLength: 20 })
const property = FastCheck.record({ key, value: FastCheck.option(unicode).map(Option.fromNullable) })
const members = FastCheck.uniqueArray(
  FastCheck.tuple(key, FastCheck.record({ value: unicode, properties: FastCheck.array(property, { maxLength: 3 }) })),
  { selector: ([key]) => key, maxLength: 8 }
)
/** Text in which the delimiters and the malformed are frequent. */
const hostile = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom(
      ",",
      ";",
      "=",
      "%",
      "%zz",
      "%F0%9F",
      "%e2%82%ac",
      "%00",
      " ",
      "\t",
      '"',
      "\\",
      "a",
      "k=v",
      "\u0000",
      "\u007f",
      "é",
      "__proto__"
    ),
    FastCheck.string({ unit: "binary", maxLength: 3 })
  ),
  { maxLength: 200 }
).map((parts) => parts.join(""))

describe("Baggage", () => {
  it.prop("comes back as it was sent, for any Unicode text", [members], ([members]) => {
    const baggage = unsafeFromEntries(members)
    const { baggage: received, dropped } = Baggage.decode(Baggage.encode(baggage))
    expect(dropped.count).toBe(0)
    expect(Equal.equals(received, baggage)).toBe(true)
    expect(Hash.hash(received)).toBe(Hash.hash(baggage))
    expect([...received.members]).toEqual([...baggage.members])
  })

  it.prop("sends a lone surrogate as U+FFFD", [anyUtf16], ([text]) => {
    const received = Baggage.decode(Baggage.encode(unsafeFromEntries([["k", text]]))).baggage
    expect(Baggage.get(received, "k")).toEqual(Option.some(wellFormed(text)))
  })

  it.prop("sends only what every reader takes for itself", [unicode], ([text]) => {
    const header = Baggage.encode(unsafeFromEntries([["k", text]]))
    expect(header).toMatch(/^k=(?:[\x21\x23\x24\x26-\x2a\x2d-\x3a\x3c-\x5b\x5d-\x7e]|%[0-9A-F]{2})*$/)
    expect(decodeURIComponent(header.slice(2))).toBe(wellFormed(text))
  })

  it.prop("reads anything without throwing, and within its limits", [hostile], ([text]) => {
    for (const options of [undefined, { plusAsSpace: true }]) {
      const { baggage, dropped } = Baggage.decode(text, options)
      expect(baggage.members.size).toBeLessThanOrEqual(64)
      expect(dropped.first.length).toBeLessThanOrEqual(5)
      expect(dropped.first.length).toBeLessThanOrEqual(dropped.count)
      for (const [key] of baggage.members) expect(Either.isRight(Baggage.fromEntries([[key, ""]]))).toBe(true)
      const again = Baggage.decode(Baggage.encode(baggage))
      expect(Equal.equals(again.baggage, baggage)).toBe(true)
    }
  })

  it.prop(
    "reads percent-encoded bytes as a UTF-8 decoder does",
    [
      FastCheck.array(
        FastCheck.constantFrom(
          0x41,
          0x80,
          0x9f,
          0xa0,
          0xbf,
          0xc0,
          0xc3,
          0xe0,
          0xe2,
          0xed,
          0xf0,
          0xf1,
          0xf4,
          0xf5,
          0xff
        ),
        { maxLength: 8 }
      )
    ],
    ([bytes]) => {
      const raw = bytes.map((byte) => `%${byte.toString(16)}`).join("")
      const value = Baggage.get(Baggage.decode(`k=${raw}`).baggage, "k")
      expect(value).toEqual(Option.some(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes))))
    }
  )

  it.prop(
    "never sends more than 64 members or 8192 bytes, and whole members only",
    [
      FastCheck.uniqueArray(FastCheck.tuple(key, FastCheck.string({ unit: "binary", maxLength: 700 })), {
        selector: ([key]) => key,
        maxLength: 90,
        size: "max"
      })
    ],
    ([entries]) => {
      const header = Baggage.encode(unsafeFromEntries(entries))
      expect(new TextEncoder().encode(header).length).toBeLessThanOrEqual(8192)
      const { baggage, dropped } = Baggage.decode(header)
      expect(dropped.count).toBe(0)
      expect(baggage.members.size).toBeLessThanOrEqual(64)
      const sent = new Map(entries)
      for (const [key, value] of Baggage.entries(baggage)) expect(value).toBe(wellFormed(sent.get(key) ?? ""))
    },
    { fastCheck: { numRuns: 50 } }
  )

  it("keeps what fits when a member does not", () => {
    const baggage = unsafeFromEntries([
      ["a", "1"],
      ["big", "x".repeat(9000)],
      ["b", "2"]
    ])
    expect(Baggage.encode(baggage)).toBe("a=1,b=2")
  })

  it("takes 64 members of 65, and 8192 bytes of more", () => {
    const many = Array.from({ length: 65 }, (_, index) => `k${index}=v`).join(",")
    const { baggage, dropped } = Baggage.decode(many)
    expect(baggage.members.size).toBe(64)
    expect(dropped).toEqual({ count: 1, first: [{ member: 65, reason: "too_many_members" }] })
    const long = Baggage.decode(["a=1", `b=${"x".repeat(8190)}`, "c=3"])
    expect(Baggage.entries(long.baggage)).toEqual([["a", "1"]])
    expect(long.dropped).toEqual({ count: 1, first: [{ member: 2, reason: "too_many_bytes" }] })
    const full = Baggage.decode([`b=${"x".repeat(8190)}`, "c=3"])
    expect(Array.from(full.baggage.members.keys())).toEqual(["b"])
    expect(full.dropped).toEqual({ count: 1, first: [{ member: 2, reason: "too_many_bytes" }] })
  })

  it("has nothing, and has dropped nothing, of no lines and of empty members", () => {
    for (const header of [[], "", ",", " ,\t,", ["", ""]]) {
      const { baggage, dropped } = Baggage.decode(header)
      expect([baggage.members.size, dropped.count]).toEqual([0, 0])
    }
    expect(Baggage.decode("a=1,,b=2, ,").dropped.count).toBe(0)
  })

  it("says what it dropped by position, at most five times, without quoting it", () => {
    const { dropped } = Baggage.decode("novalue,k ey=1,a=\u0007,b=1;p q,c=1;p=\\,d=ok,x,y,z")
    expect(dropped).toEqual({
      count: 8,
      first: [
        { member: 1, reason: "no_equals_sign" },
        { member: 2, reason: "key_not_a_token" },
        { member: 3, reason: "value_not_baggage_octets" },
        { member: 4, reason: "property_key_not_a_token" },
        { member: 5, reason: "property_value_not_baggage_octets" }
      ]
    })
  })

  it("passes empty properties over", () => {
    const { baggage, dropped } = Baggage.decode("a=1;;p; ;q=2;\t")
    expect(Baggage.encode(baggage)).toBe("a=1;p;q=2")
    expect(dropped.count).toBe(0)
  })

  it("reads a plus as a plus, and as a space where asked to", () => {
    const value = (options?: Baggage.ReadOptions) =>
      Baggage.get(Baggage.decode("w=Customer+Support", options).baggage, "w")
    expect(value()).toEqual(Option.some("Customer+Support"))
    expect(value({ plusAsSpace: false })).toEqual(Option.some("Customer+Support"))
    expect(value({ plusAsSpace: true })).toEqual(Option.some("Customer Support"))
  })

  it("reads a plus in a property as a plus, and as a space where asked to", () => {
    const properties = (options?: Baggage.ReadOptions) =>
      Baggage.decode("w=1;p=x+y", options).baggage.members.get("w")?.properties
    const p = (value: string) => [{ key: "p", value: Option.some(value) }]
    expect(properties()).toEqual(p("x+y"))
    expect(properties({ plusAsSpace: false })).toEqual(p("x+y"))
    expect(properties({ plusAsSpace: true })).toEqual(p("x y"))
  })

  it("reads a plus in a member of a run as a space, unless its line shows that its writer encodes spaces", () => {
    const lines = (header: string | ReadonlyArray<string>, options?: Baggage.ReadOptions) =>
      Baggage.entries(Baggage.decode(header, options).baggage).map(([key, value]) => `${key}=${value}`)
    expect(lines("botanu.w=a+b%2Bc;p=x+y,k=a+b")).toEqual(["botanu.w=a b+c", "k=a+b"])
    expect(lines("botanu.w=a+b,k=a%20b")).toEqual(["botanu.w=a+b", "k=a b"])
    expect(lines("botanu.w=a+b,k=%2520")).toEqual(["botanu.w=a b", "k=%20"])
    expect(lines(["", "botanu.v=a+b", "botanu.w=a+b,k=%20", "", "botanu.x=a+b"])).toEqual([
      "botanu.v=a b",
      "botanu.w=a+b",
      "k= ",
      "botanu.x=a b"
    ])
    expect(lines("botanu.w=a+b", { plusAsSpace: "auto" })).toEqual(["botanu.w=a b"])
    expect(lines("botanu.w=a+b", { plusAsSpace: false })).toEqual(["botanu.w=a+b"])
    expect(lines("botanu.w=a+b,k=%20+", { plusAsSpace: true })).toEqual(["botanu.w=a b", "k=  "])
    expect(lines(`botanu.w=a+b,k=${"x".repeat(8192)}%20`)).toEqual(["botanu.w=a b"])
    const { baggage } = Baggage.decode("botanu.w=a;p=x+y")
    expect(Baggage.encode(baggage)).toBe("botanu.w=a;p=x%2By")
  })

  it("is known from anything else", () => {
    expect(Baggage.isBaggage(Baggage.decode("a=1").baggage)).toBe(true)
    for (const other of [1, "a=1", null, undefined, {}, [], () => {}]) expect(Baggage.isBaggage(other)).toBe(false)
    expect(Baggage.TypeId in Baggage.empty).toBe(true)
    expect(Schema.is(Baggage.BaggageFromSelf)(Baggage.empty)).toBe(true)
    expect(Schema.is(Baggage.BaggageFromSelf)({ members: new Map() })).toBe(false)
  })

  it("is empty text when there is nothing to send", () => {
    expect(Baggage.encode(Baggage.empty)).toBe("")
  })

  it("refuses a key that is not a token, and says which", () => {
    const refused = Baggage.fromEntries([["a b", "1"]])
    expect(Either.isLeft(refused) && refused.left).toBeInstanceOf(Baggage.InvalidBaggageKey)
    expect(Either.isLeft(refused) && refused.left._tag).toBe("InvalidBaggageKey")
    expect(Either.isLeft(refused) && refused.left.message).toContain('baggage key "a b": expected an RFC 7230 token')
  })

  it.prop("has a value for the keys that it holds, and for no other", [entries], ([entries]) => {
    const baggage = unsafeFromEntries(entries)
    expect(Baggage.entries(baggage)).toEqual(entries)
    for (const [key, value] of entries) expect(Baggage.get(baggage, key)).toEqual(Option.some(value))
    expect(Baggage.get(baggage, "not a token")).toEqual(Option.none())
  })

  it("is equal to the same members in the same order only", () => {
    const one = unsafeFromEntries([
      ["a", "1"],
      ["b", "2"]
    ])
    expect(
      Equal.equals(
        one,
        unsafeFromEntries([
          ["a", "1"],
          ["b", "2"]
        ])
      )
    ).toBe(true)
    expect(
      Equal.equals(
        one,
        unsafeFromEntries([
          ["b", "2"],
          ["a", "1"]
        ])
      )
    ).toBe(false)
    expect(
      Equal.equals(
        one,
        unsafeFromEntries([
          ["a", "1"],
          ["b", "3"]
        ])
      )
    ).toBe(false)
    expect(Equal.equals(one, unsafeFromEntries([["a", "1"]]))).toBe(false)
    expect(Hash.hash(unsafeFromEntries([["a", "1"]]))).not.toBe(Hash.hash(unsafeFromEntries([["a", "2"]])))
    expect(one[Equal.symbol](Option.none() as never)).toBe(false)
    const withProperty = (value: Option.Option<string>) =>
      unsafeFromEntries([["a", { value: "1", properties: [{ key: "p", value }] }]])
    expect(Equal.equals(withProperty(Option.some("x")), withProperty(Option.some("x")))).toBe(true)
    expect(Equal.equals(withProperty(Option.some("x")), withProperty(Option.none()))).toBe(false)
    expect(JSON.stringify(one)).toContain('"_id":"Baggage"')
  })

  it("is compared by each part, also where hashes are the same", () => {
    const properties = (...keys: ReadonlyArray<string>) => keys.map((key) => ({ key, value: Option.none() }))
    const members = [
      unsafeFromEntries([["a", "1"]]),
      unsafeFromEntries([["a", "2"]]),
      unsafeFromEntries([["b", "1"]]),
      unsafeFromEntries([
        ["a", "1"],
        ["b", "2"]
      ]),
      unsafeFromEntries([["a", { value: "1", properties: properties("p") }]]),
      unsafeFromEntries([["a", { value: "2", properties: properties("p") }]]),
      unsafeFromEntries([["a", { value: "1", properties: properties("q") }]]),
      unsafeFromEntries([["a", { value: "1", properties: properties("p", "q") }]])
    ]
    for (const [index, one] of members.entries()) {
      expect(members.map((other) => one[Equal.symbol](other))).toEqual(members.map((_, other) => other === index))
    }
  })

  it("is a Schema from header text and back", () => {
    const baggage = Schema.decodeSync(Baggage.FromHeader)("a=1;p, b=caf%C3%A9")
    expect(Schema.encodeSync(Baggage.FromHeader)(baggage)).toBe("a=1;p,b=caf%C3%A9")
    expect(Either.isLeft(Schema.decodeUnknownEither(Baggage.FromHeader)(1))).toBe(true)
  })

  it("looks at no more than 512 members, so that junk costs no time", () => {
    const { baggage, dropped } = Baggage.decode(`${"x,".repeat(511)}in=1,out=2`)
    expect(Baggage.entries(baggage)).toEqual([["in", "1"]])
    expect(dropped.count).toBe(512)
    expect(Baggage.decode("a=1,".repeat(512)).dropped.count).toBe(0)
    expect(Baggage.decode("a=1,".repeat(513)).dropped).toEqual({
      count: 1,
      first: [{ member: 513, reason: "too_many_members" }]
    })
  })

  it("is written with each character beyond ASCII as UTF-8, from the first on", () => {
    expect(Baggage.encode(unsafeFromEntries([["a", "\u007f\u0080\u0081x\u0080"]]))).toBe("a=%7F%C2%80%C2%81x%C2%80")
  })
})

describe("a writer of members", () => {
  it("says whether a member fitted", () => {
    const writer = new Writer(9)
    expect([writer.add("a", "1"), writer.add("b", "12345"), writer.add("b", "123")]).toEqual([true, false, true])
    expect(writer.text).toBe("a=1,b=123")
    const full = new Writer()
    expect(Array.from({ length: 65 }, (_, index) => full.add(`k${index}`, "")).indexOf(false)).toBe(64)
  })
})
