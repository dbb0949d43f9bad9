/**
 * Every public name has a docstring that says what it does, shows it in a program that compiles and runs, and says since when
 * it is there.
 */
import { afterAll, describe, expect, it } from "vitest"
import { makeProgram, type PublicName, publicNames } from "../scripts/PublicNames.js"
import incomplete from "./incomplete-docstrings.json" with { type: "json" }
import { patienceMillis, writePrograms } from "./programs.js"

/** A declaration, under all its public names. */
interface Documented {
  readonly title: string
  readonly paths: ReadonlyArray<string>
  readonly name: PublicName
  readonly examples: ReadonlyArray<{ readonly file: string; readonly code: string }>
}

const pathOf = ({ name, within }: PublicName): string => [...within, name].join(".")

const documentedNames = (): ReadonlyArray<Documented> => {
  const byDeclaration = new Map<string, Array<PublicName>>()
  for (const name of publicNames(makeProgram())) {
    const { declaration, isStatic, within } = name
    const title = `${declaration.file} ${isStatic ? `${within.at(-1)}.` : ""}${declaration.name}`
    byDeclaration.set(title, [...(byDeclaration.get(title) ?? []), name])
  }
  return Array.from(byDeclaration, ([title, [name, ...others]]) => {
    if (name === undefined) throw new Error(`${title} has no public name`)
    const examples = name.docs.examples.map((code, index) => ({
      file: `${title.replace(/^src\//, "").replaceAll(/\W/g, "-")}-${index + 1}.ts`,
      code
    }))
    return { title, paths: [name, ...others].map(pathOf), name, examples }
  })
}

/** What a docstring lacks. */
const lacking = ({ examples, name: { docs, members }, paths }: Documented): ReadonlyArray<string> => [
  ...(docs.description === "" ? ["a description"] : []),
  ...(examples.some(({ code }) => paths.some((path) => code.includes(path)))
    ? []
    : [`an @example in ts with ${paths.join(" or ")} in it`]),
  ...(/^\d+\.\d+\.\d+$/.test(docs.since ?? "") ? [] : ["@since"]),
  ...(docs.category ? [] : ["@category"]),
  ...members.filter((member) => member.docs.description === "").map((member) => `a description of ${member.name}`)
]

const names = documentedNames()
const examples = names.flatMap(({ examples }) => examples)
const programs = writePrograms(".examples", examples)

afterAll(programs.remove)

describe("the docstring of", () => {
  it.each(names.filter(({ title }) => !incomplete.includes(title)))("$title is complete", (name) => {
    expect(lacking(name)).toEqual([])
  })

  it("each other name still lacks something, or its name is to be taken off the list", () => {
    expect(
      incomplete.filter((title) => !names.some((name) => name.title === title && lacking(name).length > 0))
    ).toEqual([])
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
