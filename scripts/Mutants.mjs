/**
 * The mutants of files, by Stryker's instrumenter: each file becomes one text that has all of its mutants in it, and a number in a global
 * decides which of them is active. What is evaluated once, as a module is loaded, has no active mutant yet.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { textHash } from "./MutationResults.mjs"

const silent = {
  isDebugEnabled: () => false,
  debug: () => {},
  info: () => {},
  warn: console.warn
}

/** The package is installed in `folder`. */
export const instrument = async (folder, files) => {
  const path = createRequire(join(folder, "package.json")).resolve("@stryker-mutator/instrumenter")
  const { Instrumenter } = await import(pathToFileURL(path).href)
  const inputs = files.map((name) => ({ name, content: readFileSync(name, "utf8"), mutate: true }))
  const options = { plugins: null, excludedMutations: [], ignorers: [] }
  const { files: texts, mutants } = await new Instrumenter(silent).instrument(inputs, options)
  return { texts, mutants: mutants.map(described) }
}

/** The key names a mutant: where it is in this text of the file, and what it puts there. The location counts from 1. */
const described = ({ fileName, id, location: { start, end }, replacement }) => {
  const text = textHash(fileName)
  const from1 = ({ line, column }) => ({ line: line + 1, column: column + 1 })
  return {
    id,
    key: [text, start.line, start.column, end.line, end.column, replacement].join(),
    result: { text, fileName, location: { start: from1(start), end: from1(end) }, replacement }
  }
}
