/**
 * Links on our pages lead somewhere: to a file of the project and to a heading in it. Links to other sites are not followed.
 */
import { existsSync } from "node:fs"
import { posix } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import manifest from "../package.json" with { type: "json" }
import { pages, read } from "./markdown.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const repository = manifest.homepage.replace("#readme", "")
const inRepository = new RegExp(`^${repository}/(?:blob|tree)/main/`)

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "")

/** Where the links of a page lead. */
const linksOn = (markdown: string): ReadonlyArray<string> =>
  Array.from(withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm), ([, inline, reference]) =>
    String(inline ?? reference)
  )

/** The anchors of a page, as GitHub makes them from its headings. */
const anchorsOn = (markdown: string): ReadonlyArray<string> =>
  Array.from(markdown.replaceAll(/^```.*?^```$/gms, "").matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-")
  )

/** What is wrong with a link on a page; nothing where it leads somewhere. */
const problemOf = (page: string, link: string): string | undefined => {
  const isOurs = inRepository.test(link)
  if (/^https?:/.test(link) && !isOurs) return URL.canParse(link) ? undefined : "is no URL"
  const [path = "", anchor] = link.replace(inRepository, "").split("#")
  const file = isOurs ? path : path === "" ? page : posix.join(posix.dirname(page), path)
  if (!existsSync(posix.join(root, file))) return `${file} is not there`
  if (anchor === undefined) return undefined
  return anchorsOn(read(file)).includes(anchor) ? undefined : `${file} has no heading #${anchor}`
}

describe("the links", () => {
  it.each([
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "bench/README.md",
    "test/MUTATION.md",
    ...pages
  ])("of %s lead somewhere", (page) => {
    const problems = linksOn(read(page)).map((link) => [link, problemOf(page, link)])
    expect(problems.filter(([, problem]) => problem !== undefined)).toEqual([])
  })

  it("of the README work on the page of a registry, which has this page only", () => {
    const links = linksOn(read("README.md"))
    expect(links.length).toBeGreaterThan(10)
    expect(links.filter((link) => !link.startsWith("https://"))).toEqual([])
  })
})

describe("a link is reported", () => {
  it("that leads to no file, here or in the repository", () => {
    expect(problemOf("docs/runs.md", "cots.md")).toBe("docs/cots.md is not there")
    expect(problemOf("README.md", `${repository}/blob/main/docs/cots.md`)).toBe("docs/cots.md is not there")
  })

  it("that leads to no heading", () => {
    expect(problemOf("docs/runs.md", "#outcomes-of-dreams")).toBe("docs/runs.md has no heading #outcomes-of-dreams")
    expect(problemOf("docs/runs.md", "#outcome")).toBeUndefined()
  })

  it("inline and by reference, but not in code", () => {
    expect(linksOn("[a](x.md) and `[b](y.md)`\n\n[c]: z.md\n\n```md\n[d](w.md)\n```\n")).toEqual(["x.md", "z.md"])
  })
})
