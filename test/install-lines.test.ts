/**
 * The `npm install` lines of our pages: they name the versions that are tested here, and all that the page's programs import.
 */
import { describe, expect, it } from "vitest"
import command from "../command/package.json" with { type: "json" }
import manifest from "../package.json" with { type: "json" }
import { installsOn, packagesIn, pages, programsOn, read } from "./markdown.js"

const ownPackages = [manifest.name, command.name]
const tested: Readonly<Record<string, string>> = manifest.devDependencies

const nameAndVersion = (spec: string): readonly [name: string, version: string] => {
  const at = spec.lastIndexOf("@")
  return at <= 0 ? [spec, ""] : [spec.slice(0, at), spec.slice(at + 1)]
}

const withPrograms = ["README.md", ...pages].filter((page) => programsOn(read(page)).length > 0)

describe.each(withPrograms)("%s", (page) => {
  const [first = [], ...others] = installsOn(read(page))

  it("installs Effect 3 with this package", () => {
    expect(first.slice(0, 2)).toEqual([manifest.name, "effect@3"])
  })

  it("installs the versions that are tested", () => {
    const isOpenTelemetry3 = (line: ReadonlyArray<string>) => line.includes("@opentelemetry/core@3")
    const specs = [first, ...others.filter((line) => !isOpenTelemetry3(line))].flat()
    for (const spec of specs.filter((spec) => !ownPackages.includes(spec))) {
      const [name, version] = nameAndVersion(spec)
      expect(`${tested[name]}.`, spec).toSatisfy((installed: string) => installed.startsWith(`${version}.`))
      expect(version, spec).not.toBe("")
    }
  })

  it("installs what its programs import", () => {
    expect([first, ...others].flat().map((spec) => nameAndVersion(spec)[0])).toEqual(
      expect.arrayContaining([...packagesIn(programsOn(read(page)))])
    )
  })
})
