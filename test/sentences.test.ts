/**
 * Our pages are in short sentences.
 */
import { expect, it } from "vitest"
import { pages, read } from "./markdown.js"

/** The sentences of a page, without its code, tables and headings. What stands as code counts as one word. */
const sentencesOn = (markdown: string): ReadonlyArray<string> =>
  markdown
    .replaceAll(/^```.*?^```$/gms, "")
    .replaceAll(/^(?:\||#|\[[^\]]+\]: ).*$/gm, "")
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/`[^`]*`/g, "X")
    .replaceAll(/<[^>]+>/g, "")
    .replaceAll(/^\s*(?:[-*]|\d+\.)\s+/gm, "\n\n")
    .split(/\n\s*\n/)
    .flatMap((paragraph) => paragraph.replaceAll(/\s+/g, " ").split(/(?<=[.!?:]) (?=[A-Z*])/))
    .filter((sentence) => /\w/.test(sentence))

const wordsIn = (sentence: string): number => sentence.split(" ").filter((word) => /\w/.test(word)).length

it.each(["README.md", "CONTRIBUTING.md", "SECURITY.md", ...pages])(
  "a sentence of %s has under 16 words, in the mean",
  (page) => {
    const sentences = sentencesOn(read(page))
    const words = sentences.reduce((sum, sentence) => sum + wordsIn(sentence), 0)
    expect(words / sentences.length).toBeLessThan(16)
  }
)

it("sentences end at a stop that a capital follows, at a paragraph and at an item", () => {
  const page =
    "# Head\n\nOne `a b` two. Three\nfour: [Five](x.md).\n\n- Six\n- Seven\n\n```ts\ncode. Code\n```\n\n| a | b |\n"
  expect(sentencesOn(page).map(wordsIn)).toEqual([3, 2, 1, 1, 1])
})
