/**
 * The rooms of `src/`: which is above which, and what each may import. A new room or public module gets a place in `floors`.
 */
import { posix } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { circlesIn, type Import, importsIn, importsOf, loadedWith } from "./imports.js"
import { integrations } from "./integrations.js"

/**
 * From the ground up: rooms, and modules at the top of `src/`. A file imports from floors below its own, and from its own room;
 * rooms of one floor do not know each other.
 */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["wire", "fiber"],
  ["schema"],
  ["baggage"],
  ["run"],
  ["cost"],
  ["lifecycle"],
  ["RunContext"],
  ["tracking", "Outcome", "BusinessContext", "Resume", "Propagation", "PriceBook", "report"],
  ["Detached", "Step", "WorkflowOptions"],
  ["WorkflowFunction"],
  ["Workflow", "Usage"],
  ["Delivery", "Llm", "Data", "ai", "opentelemetry", "edge"],
  ["index"],
  ["platform", "rpc", "ledger", "workflow", "cluster"],
  ["sql"]
]

/** The one integration that is made of another: a database that is gone leaves its records to a directory. */
const madeOf: Record<string, ReadonlyArray<string>> = { sql: ["ledger"] }

/** What runs without Effect, so that programs on any version of it can share it: a room, or a file. */
const withoutEffect: ReadonlyArray<string> = [
  "wire",
  "ai/ProviderProtocol.ts",
  "ai/ResponseUsage.ts",
  "ai/SseParser.ts",
  "ai/UnknownJson.ts",
  "cost/Charge.ts",
  "cost/LiteLlmKey.ts",
  "cost/Meter.ts",
  "cost/Provider.ts",
  "cost/ServiceTier.ts"
]

/** The room of a file; a file at the top of `src/` is one by itself. */
const roomOf = (file: string): string => {
  const [room = file] = file.split("/")
  return posix.basename(room, ".ts")
}

const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room))

const arrow = ({ from, to }: Import): string => `${from} -> ${to}`

/** Imports that go up, or to a neighbour on the same floor. */
const upward = (imports: ReadonlyArray<Import>): ReadonlyArray<string> =>
  imports
    .filter(({ from, isFile, to }) => isFile && roomOf(from) !== roomOf(to))
    .filter(({ from, to }) => floorOf(roomOf(to)) >= floorOf(roomOf(from)))
    .map(arrow)

/** Imports of a package that the room of the file has no use for. */
const foreign = (imports: ReadonlyArray<Import>): ReadonlyArray<string> =>
  imports
    .filter(({ isFile }) => !isFile)
    .filter(({ from, to }) => !["effect", "uuidv7", ...(integrations[roomOf(from)] ?? [])].includes(to))
    .map(arrow)

/** Imports of an integration from outside of it. */
const intrusions = (imports: ReadonlyArray<Import>): ReadonlyArray<string> =>
  imports
    .filter(({ from, isFile, to }) => isFile && roomOf(from) !== roomOf(to) && roomOf(to) in integrations)
    .filter(({ from, to }) => !madeOf[roomOf(from)]?.includes(roomOf(to)))
    .map(arrow)

const circles = (imports: ReadonlyArray<Import>): ReadonlyArray<string> => {
  const ofFiles = imports.filter(({ isFile }) => isFile).map(({ from, to }) => [from, to] as const)
  const ofRooms = ofFiles.map(([from, to]) => [roomOf(from), roomOf(to)] as const).filter(([from, to]) => from !== to)
  return [...circlesIn(ofFiles), ...circlesIn(ofRooms)].map((circle) => circle.join(" -> "))
}

describe("the rooms of src/", () => {
  const imports = importsIn(fileURLToPath(new URL("../src", import.meta.url)))
  const files = Array.from(new Set(imports.flatMap(({ from, isFile, to }) => (isFile ? [from, to] : [from])))).sort()

  it("each have a floor", () => {
    expect(new Set(files.map(roomOf))).toEqual(new Set(floors.flat()))
  })

  it("import from below only", () => expect(upward(imports)).toEqual([]))

  it("have no circle among them or among their files", () => expect(circles(imports)).toEqual([]))

  it("import no package but effect and uuidv7, unless they integrate it", () => expect(foreign(imports)).toEqual([]))

  it("import no integration", () => expect(intrusions(imports)).toEqual([]))

  it("import every package that they are said to integrate", () => {
    for (const [room, packages] of Object.entries(integrations)) {
      const imported = new Set(
        imports.filter(({ from, isFile }) => !isFile && roomOf(from) === room).map(({ to }) => to)
      )
      imported.delete("effect")
      expect([room, Array.from(imported).sort()]).toEqual([room, packages])
    }
  })

  it.each(withoutEffect)("run %s without Effect", (path) => {
    const promised = files.filter((file) => file === path || file.startsWith(`${path}/`))
    expect(promised).not.toEqual([])
    for (const file of promised) {
      const packages = Array.from(loadedWith(file, imports)).filter((loaded) => !files.includes(loaded))
      expect([file, packages]).toEqual([file, []])
    }
  })
})

describe("what looks at imports finds", () => {
  const project = (sources: Record<string, string>) =>
    Object.entries(sources).flatMap(([file, text]) => importsOf(file, text))

  it("an import that goes up, in any form", () => {
    const imports = project({
      "wire/A.ts": `import type { Run } from "../run/Run.js"
        export * from "../schema/S.js"
        type B = import("../cost/C.js").C
        const c = import("../baggage/D.js")`,
      "run/Run.ts": `import "../wire/A.js"`
    })
    expect(upward(imports)).toEqual([
      "wire/A.ts -> run/Run.ts",
      "wire/A.ts -> schema/S.ts",
      "wire/A.ts -> cost/C.ts",
      "wire/A.ts -> baggage/D.ts"
    ])
  })

  it("a neighbour on the same floor", () => {
    expect(upward(project({ "Llm.ts": `import { x } from "./Data.js"` }))).toEqual(["Llm.ts -> Data.ts"])
  })

  it("a circle of files in one room, and one of rooms whose files are in none", () => {
    const inOneRoom = project({
      "run/A.ts": `import "./B.js"`,
      "run/B.ts": `import "./C.js"`,
      "run/C.ts": `import "./B.js"`
    })
    expect(circles(inOneRoom)).toEqual(["run/B.ts -> run/C.ts"])
    const ofRooms = project({ "run/A.ts": `import "../cost/B.js"`, "cost/C.ts": `import "../run/D.js"` })
    expect(circles(ofRooms)).toEqual(["run -> cost"])
  })

  it("an integration in the core, and its packages", () => {
    const imports = project({
      "run/A.ts": `import { HttpClient } from "@effect/platform/HttpClient"; import "../ai/B.js"`
    })
    expect(foreign(imports)).toEqual(["run/A.ts -> @effect/platform"])
    expect(intrusions(imports)).toEqual(["run/A.ts -> ai/B.ts"])
  })

  it("what a file loads through others, but not what only types need", () => {
    const imports = project({
      "a.ts": `import "./b.js"; import type { T } from "./c.js"`,
      "b.ts": `import { Effect } from "effect"`,
      "c.ts": `import "uuidv7"`
    })
    expect(Array.from(loadedWith("a.ts", imports))).toEqual(["a.ts", "b.ts", "effect"])
  })
})
