/**
 * Every public name has a docstring that says what it does, shows it in a program that compiles and runs, and says since when
 * it is there.
 */
import { afterAll, describe, expect, it } from "vitest"
import { documentedNames, lacking } from "./documented.js"
import { patienceMillis, writePrograms } from "./programs.js"

const names = documentedNames()
const examples = names.flatMap(({ examples }) => examples)
const programs = writePrograms(".examples", examples)

afterAll(programs.remove)

describe("the docstring of each public name", () => {
  const lacks = new Map(names.map((name) => [name.title, lacking(name)]))

  it("is complete", () => {
    const wrong = Array.from(lacks).filter(([, lacks]) => lacks.length > 0)
    expect(Object.fromEntries(wrong)).toEqual({})
  })
})

describe("the examples in docstrings", () => {
  it("compile", { timeout: patienceMillis }, () => programs.compile())

  const entries = Array.from(new Set(names.flatMap(({ examples, name }) => examples.map(() => name.entry))))
  it.each(entries)("of %s run", { timeout: patienceMillis }, async (entry) => {
    const files = names.filter(({ name }) => name.entry === entry).flatMap(({ examples }) => examples)
    const { stderr } = await programs.run(...files.map(({ file }) => file))
    expect(stderr).toBe("")
  })
})
