/**
 * However a header or a price file is made, the time that it takes to read grows no faster than its size.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Carrier from "../../src/baggage/Carrier.js"
import { withoutRun, withRun } from "../../src/baggage/RunMembers.js"
import * as TraceParent from "../../src/baggage/TraceParent.js"
import { fromText } from "../../src/cost/LiteLlmPrices.js"
import { Baggage } from "../../src/index.js"
import { maxHeaderBytes } from "../../src/wire/Wire.js"
import { runId } from "../runs.js"

const ids = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`

/** What headers are made of, over and over. */
const parts: Readonly<Record<string, string>> = {
  commas: ",",
  semicolons: ";",
  "equals signs": "=",
  spaces: " ",
  tabs: "\t",
  "spaces in a member": "a = b ; c = d , ",
  "percent signs": "%",
  "percent-encoded bytes that are not UTF-8": "%ff",
  "the begin of a sequence of bytes": "%f0%9f%98",
  "letters of a sequence of bytes": "%e0%a0%80",
  plusses: "+",
  zeros: "0",
  hyphens: "-",
  underscores: "_",
  "properties without a value": "a=1;p;",
  "our prefix, encoded": "%62otanu.",
  "members that are ours": "botanu.a=1,",
  "ids of a trace": `${ids},`,
  "nearly the ids of a trace": `${ids}0,`,
  "ids of a trace, without an end": ids
}

const readPrices = (file: object) => fromText(JSON.stringify(file), { name: "prices.json" })

interface Reader {
  readonly read: (text: string) => unknown
  /** The longest text that it looks at. */
  readonly maxBytes: number
}

const unbounded = 256 * 1024

const readers: Readonly<Record<string, Reader>> = {
  "Baggage.decode of text": { read: (text) => Baggage.decode(text), maxBytes: maxHeaderBytes },
  "Baggage.decode of a value": { read: (text) => Baggage.decode(`a=${text}`), maxBytes: maxHeaderBytes },
  "Baggage.decode of lines": { read: (text) => Baggage.decode(text.split(",")), maxBytes: maxHeaderBytes },
  "Carrier.lines": {
    read: (text) => Carrier.lines({ baggage: [text, Buffer.from(text)], [text]: text }, "baggage"),
    maxBytes: unbounded
  },
  "TraceParent.toSpan": { read: (text) => TraceParent.toSpan([text]), maxBytes: unbounded },
  "RequestBaggage.withoutRun": { read: withoutRun, maxBytes: unbounded },
  "the name of a model in a price file": { read: (text) => readPrices({ [text]: {} }), maxBytes: unbounded },
  "a provider in a price file": { read: (text) => readPrices({ m: { litellm_provider: text } }), maxBytes: unbounded },
  "a provider of models in a price file": {
    read: (text) => readPrices({ m: { litellm_provider: `${text}models` } }),
    maxBytes: unbounded
  },
  "a key in a price file": { read: (text) => readPrices({ m: { [`${text}_cost`]: 1 } }), maxBytes: unbounded },
  "an amount in a price file": {
    read: (text) => readPrices({ m: { input_cost_per_token: text } }),
    maxBytes: unbounded
  },
  "lists in lists as an amount in a price file": {
    read: (text) => {
      const depth = text.length / 128
      const lists = `${'["a",'.repeat(depth)}${JSON.stringify(text)}${"]".repeat(depth)}`
      return fromText(`{ "m": { "input_cost_per_token": ${lists} } }`, { name: "prices.json" })
    },
    maxBytes: unbounded
  },
  "RequestBaggage.withRun": { read: (text) => withRun(`botanu.run_id=${runId}`, text), maxBytes: unbounded }
}

const factor = 32
// Linear time is this factor, quadratic time its square.
const bound = factor * 6

/** The least time that a call takes, in ms; of several in a row, so that it can be measured. */
const timeOf = (read: (text: string) => unknown, text: string): number => {
  let calls = 1
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; ) {
    const begun = performance.now()
    for (let call = 0; call < calls; call += 1) read(text)
    const elapsed = performance.now() - begun
    if (elapsed < 0.5 && calls < 4096) calls *= 2
    else {
      least = Math.min(least, elapsed / calls)
      round += 1
    }
  }
  return least
}

/** How much longer it takes to read a longer text. Whatever else the machine does makes either look slow: the least counts. */
const leastRatio = (read: (text: string) => unknown, short: string, long: string): number => {
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 10 && least >= bound; attempt += 1) {
    least = Math.min(least, timeOf(read, long) / timeOf(read, short))
  }
  return least
}

describe.each(Object.entries(readers))("%s", (_, { maxBytes, read }) => {
  it.each(Object.entries(parts))("takes linear time for %s", (_, part) => {
    const text = part.repeat(maxBytes / factor / part.length)
    expect(leastRatio(read, text, text.repeat(factor))).toBeLessThan(bound)
  })
})
