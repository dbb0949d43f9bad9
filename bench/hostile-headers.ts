/**
 * Reading takes linear time: 8 KiB of the worst header there is, beside 8 KiB of an ordinary one.
 */
import { Baggage } from "../src/index.js"
import { type Comparison, repeatedCall } from "./measure.js"

const bytes = 8192

const repeated = (text: string): string => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes)

const ordinary = Array.from({ length: 64 }, (_, index) => `key${index}=caf%C3%A9%20`.padEnd(126, "v")).join(",")

const hostile: ReadonlyArray<readonly [name: string, header: string]> = [
  ["nothing but commas", repeated(",")],
  ["members without a value", repeated("a,")],
  ["malformed percent signs", repeated("a=%,")],
  ["bytes that are not UTF-8", repeated("a=%ff,")],
  ["one value of such bytes", `a=${repeated("%ff")}`.slice(0, bytes)],
  ["one member of properties", `a=1${repeated(";p")}`.slice(0, bytes)],
  ["nothing but spaces", repeated(" ")],
  ["a thousand keys", repeated(Array.from({ length: 1000 }, (_, index) => `${index.toString(36)}=1,`).join(""))]
]

export const hostileHeaders: ReadonlyArray<Comparison> = hostile.map(([name, header]) => ({
  name: `8 KiB to Baggage: ${name}`,
  ours: repeatedCall(() => Baggage.decode(header)),
  theirs: repeatedCall(() => Baggage.decode(ordinary)),
  aim: 20
}))
