/**
 * The code in our pages.
 */
import { readdirSync, readFileSync } from "node:fs"

const root = new URL("..", import.meta.url)

/** A file of the project. */
export const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

/** The pages in `docs/`. */
export const pages = readdirSync(new URL("docs/", root))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`)

/** A block of code, and what it prints where a block of text follows it. */
export interface Block {
  readonly code: string
  readonly prints: string | undefined
}

/** The blocks of TypeScript on a page. */
export const programsOn = (markdown: string): ReadonlyArray<Block> =>
  Array.from(
    markdown.matchAll(/^```ts\n(.*?)^```$(?:\n+[^\n`]*prints[^\n`]*\n+^```text\n(.*?)^```$)?/gms),
    ([, code, prints]) => ({ code: code ?? "", prints })
  )

/** What each `npm install` line of a page installs: packages, with a version where the line names one. */
export const installsOn = (markdown: string): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from(markdown.replaceAll(/\\\n\s*/g, "").matchAll(/^npm install (.+)$/gm), ([, line = ""]) =>
    line.split(/\s+/).filter((word) => !word.startsWith("-"))
  )

/** The packages that programs import, without built-in modules. */
export const packagesIn = (programs: ReadonlyArray<Block>): ReadonlyArray<string> => {
  const specifiers = programs.flatMap(({ code }) => Array.from(code.matchAll(/ from "([^".:]+)"/g), ([, name]) => name))
  return [...new Set(specifiers.map((name = "") => name.split("/", name.startsWith("@") ? 2 : 1).join("/")))]
}
