/**
 * The tables of the reference page have what the sources have, and nothing else.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { Attribute, CallAttribute, Event, Header, Key } from "../src/wire/Wire.js"
import { read } from "./markdown.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const page = read("docs/reference.md")

/** The names in the first column of the tables under a heading. */
const listed = (heading: string) => {
  const [, section = ""] = page.split(`\n## ${heading}\n`)
  const [own = ""] = section.split("\n## ")
  return Array.from(own.matchAll(/^\| `([^`]+)` \|/gm), ([, name]) => name).sort()
}

/** Sources in a folder, without their doc comments. */
const sourcesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(root, folder, file), "utf8").replaceAll(/\/\*\*.*?\*\//gs, ""))
    .join("\n")

const library = sourcesIn("src")
const command = sourcesIn("command/src")

const found = (text: string, pattern: RegExp) =>
  Array.from(new Set(Array.from(text.matchAll(pattern), ([, name]) => name)))

describe("the reference lists", () => {
  it.each([
    ["Wire keys", [...Object.values(Key), ...Object.values(Header)]],
    ["Attributes of a run span", Object.values(Attribute)],
    ["Attributes of a call", Object.values(CallAttribute)],
    ["Events", Object.values(Event)],
    ["Errors", found(library, /export class (\w+) extends (?:Schema|Data)\.TaggedError/g)],
    ["Variables", found(library + command, /"((?:BOTANU|DEPLOYMENT)_[A-Z_]+)"/g)]
  ] as const)("%s", (heading, names) => {
    expect(listed(heading)).toEqual([...names].sort())
  })
})
