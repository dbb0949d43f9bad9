/**
 * Public names by their declarations, and what their docstrings lack.
 */
import { makeProgram, type PublicName, publicNames } from "../scripts/PublicNames.js"

/** A declaration, under all its public names. */
export interface Documented {
  readonly title: string
  readonly paths: ReadonlyArray<string>
  readonly name: PublicName
  readonly examples: ReadonlyArray<{ readonly file: string; readonly code: string }>
}

/** All declarations with a public name. */
export const documentedNames = (): ReadonlyArray<Documented> => {
  const byDeclaration = new Map<string, Array<PublicName>>()
  for (const name of publicNames(makeProgram())) {
    const { declaration, isStatic, within } = name
    const title = `${declaration.file} ${isStatic ? `${within.at(-1)}.` : ""}${declaration.name}`
    byDeclaration.set(title, [...(byDeclaration.get(title) ?? []), name])
  }
  // The number keeps files apart whose names differ in the case of letters only.
  return Array.from(byDeclaration, ([title, [name, ...others]], number) => {
    if (name === undefined) throw new Error(`${title} has no public name`)
    const examples = name.docs.examples.map((code, index) => ({
      file: `${title.replace(/^src\//, "").replaceAll(/\W/g, "-")}-${number}-${index + 1}.ts`,
      code
    }))
    return { title, paths: [name, ...others].map(pathOf), name, examples }
  })
}

/** What a docstring lacks. */
export const lacking = ({ examples, name: { docs, members }, paths }: Documented): ReadonlyArray<string> => [
  ...(docs.description === "" ? ["a description"] : []),
  ...(examples.some(({ code }) => paths.some((path) => isIn(code, path)))
    ? []
    : [`an @example in ts with ${paths.join(" or ")} in it`]),
  ...(/^\d+\.\d+\.\d+$/.test(docs.since ?? "") ? [] : ["@since"]),
  ...(docs.category ? [] : ["@category"]),
  ...members.filter((member) => member.docs.description === "").map((member) => `a description of ${member.name}`)
]

/** Whether code uses a name, which no comment does, and no longer name that begins or ends with it. */
const isIn = (code: string, path: string): boolean =>
  new RegExp(`(?<![\\w$.])${path.replaceAll(/[$.]/g, "\\$&")}(?![\\w$])`).test(code.replaceAll(/\/\/.*$/gm, ""))

const pathOf = ({ name, within }: PublicName): string => [...within, name].join(".")
