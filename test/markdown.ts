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
