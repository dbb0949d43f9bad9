import { FileSystem, Error as PlatformError } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Botanu, CompletedRun, Usage } from "../../src/index.js"
import { RunExporterFile } from "../../src/platform/index.js"
import * as LineFile from "../../src/platform/LineFile.js"
import { logging } from "../observed.js"
import { spend } from "../usages.js"

const run = (eventId: string) =>
  spend("0.0035").pipe(Botanu.workflow("Support", { eventId, customerId: "bigretail" }), Effect.orDie)

const inDirectory = <A, E>(
  test: (directory: string, files: FileSystem.FileSystem) => Effect.Effect<A, E, FileSystem.FileSystem>
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    return yield* test(yield* files.makeTempDirectoryScoped(), files)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const decode = Schema.decodeUnknownSync(Schema.parseJson(CompletedRun))

const linesOf = (files: FileSystem.FileSystem, path: string) =>
  Effect.map(files.readFileString(path), (text) => {
    expect(text.endsWith("\n")).toBe(true)
    return text.slice(0, -1).split("\n")
  })

const eventsOf = (files: FileSystem.FileSystem, path: string) =>
  Effect.map(linesOf(files, path), (lines) => lines.map((line) => decode(line).run.eventId))

describe("a file of JSON lines", () => {
  it.live("holds each run that completed, when the layer is released", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* Effect.zipRight(run("a"), run("b")).pipe(Effect.provide(RunExporterFile.jsonLines(path)))
        const [first] = yield* linesOf(files, path)
        const completed = decode(first)
        expect(completed.usages.map(({ usage }) => usage)).toEqual([expect.any(Usage.Usage)])
        expect(JSON.parse(first ?? "")).toMatchObject({ run: { workflow: "Support" }, totals: { usd: "0.0035" } })
        expect(yield* eventsOf(files, path)).toEqual(["a", "b"])
      })
    )
  )

  it.live("is continued by the next process", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* Effect.provide(run("a"), RunExporterFile.jsonLines(path))
        yield* Effect.provide(run("b"), RunExporterFile.jsonLines(path))
        expect(yield* eventsOf(files, path)).toEqual(["a", "b"])
      })
    )
  )

  it.live("that ends within a line keeps the next line whole", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* files.writeFileString(path, `{"run":`)
        yield* Effect.provide(run("b"), RunExporterFile.jsonLines(path))
        const [torn, next] = yield* linesOf(files, path)
        expect([torn, decode(next).run.eventId]).toEqual([`{"run":`, "b"])
      })
    )
  )

  it.live("holds runs that complete at once, each in a line", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        const names = Array.from({ length: 50 }, (_, index) => `event ${index}`)
        yield* Effect.forEach(names, run, { concurrency: "unbounded" }).pipe(
          Effect.provide(RunExporterFile.jsonLines(path))
        )
        expect((yield* eventsOf(files, path)).toSorted()).toEqual(names.toSorted())
      })
    )
  )
})

describe("a file that has grown to its size", () => {
  const events = ["a", "b", "c", "d"]
  const work = Effect.forEach(events, run, { discard: true })

  it.live("is put aside, and no run is lost", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* Effect.provide(work, RunExporterFile.jsonLines(path, { maxBytes: 1 }))
        expect((yield* files.readDirectory(directory)).toSorted()).toEqual([
          "runs.jsonl",
          "runs.jsonl.1",
          "runs.jsonl.2",
          "runs.jsonl.3"
        ])
        const paths = [`${path}.1`, `${path}.2`, `${path}.3`, path]
        expect((yield* Effect.forEach(paths, (some) => eventsOf(files, some))).flat()).toEqual(events)
      })
    )
  )

  it.live("does not grow beyond it", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* Effect.provide(run("a"), RunExporterFile.jsonLines(path))
        const { size } = yield* files.stat(path)
        // Lines are not of one length: their durations are not.
        const maxBytes = Math.ceil(2.5 * Number(size))
        yield* Effect.provide(run("b"), RunExporterFile.jsonLines(path, { maxBytes }))
        yield* Effect.provide(run("c"), RunExporterFile.jsonLines(path, { maxBytes }))
        expect([yield* eventsOf(files, `${path}.1`), yield* eventsOf(files, path)]).toEqual([["a", "b"], ["c"]])
      })
    )
  )

  it.live("may have exactly so many bytes", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/lines`
        yield* Effect.scoped(
          Effect.flatMap(LineFile.open(path, { maxBytes: 6 }), ({ append }) =>
            Effect.forEach(["ab", "cd", "e"], append, { discard: true })
          )
        )
        expect(yield* files.readFileString(`${path}.1`)).toBe("ab\ncd\n")
        expect(yield* files.readFileString(path)).toBe("e\n")
      })
    )
  )

  it.live("is kept as long as it is one of the last", () =>
    inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        yield* files.writeFileString(`${path}.notes`, "mine")
        yield* Effect.provide(work, RunExporterFile.jsonLines(path, { maxBytes: 1, maxFiles: 1 }))
        expect((yield* files.readDirectory(directory)).toSorted()).toEqual([
          "runs.jsonl",
          "runs.jsonl.3",
          "runs.jsonl.notes"
        ])
      })
    )
  )
})

describe("what goes wrong", () => {
  it.live("fails where the layer is built, if the file cannot be opened", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(RunExporterFile.jsonLines(`${directory}/none/runs.jsonl`)))
        expect(error).toMatchObject({ _tag: "SystemError", reason: "NotFound" })
      }).pipe(Effect.scoped)
    )
  )

  for (const [options, message] of [
    [{ maxBytes: 0 }, "maxBytes: expected a whole number of bytes above zero, got 0"],
    [{ maxBytes: 1.5 }, "maxBytes: expected a whole number of bytes above zero, got 1.5"],
    [{ maxFiles: -1 }, "maxFiles: expected a whole number, zero or more, got -1"]
  ] as const) {
    it.live(`is refused with the name of the option: ${JSON.stringify(options)}`, () =>
      inDirectory((directory) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Layer.build(RunExporterFile.jsonLines(`${directory}/a`, options)))
          expect([error._tag, error.message]).toEqual(["BadArgument", expect.stringContaining(message)])
        }).pipe(Effect.scoped)
      )
    )
  }

  it.live("is logged while runs go on, and the next line is whole", () => {
    const lines: Array<string> = []
    return inDirectory((directory, files) =>
      Effect.gen(function* () {
        const path = `${directory}/runs.jsonl`
        let writes = 0
        // The disk takes a part of the first line.
        const open: FileSystem.FileSystem["open"] = (...args) =>
          Effect.map(files.open(...args), (file) =>
            Object.create(file, {
              writeAll: {
                value: (bytes: Uint8Array) =>
                  ++writes === 1
                    ? Effect.zipRight(file.writeAll(bytes.subarray(0, 7)), Effect.fail(diskFull))
                    : file.writeAll(bytes)
              }
            })
          )
        yield* Effect.zipRight(run("a"), run("b")).pipe(
          Effect.provide(RunExporterFile.jsonLines(path)),
          Effect.provideService(FileSystem.FileSystem, { ...files, open }),
          Effect.provide(logging(lines))
        )
        expect(lines).toEqual([
          expect.stringContaining("failed on run"),
          expect.stringContaining("1 record lost in all")
        ])
        const [torn, next] = yield* linesOf(files, path)
        expect([torn?.length, decode(next).run.eventId]).toEqual([7, "b"])
      })
    )
  })
})

const diskFull = new PlatformError.SystemError({
  reason: "Unknown",
  module: "FileSystem",
  method: "writeAll",
  description: "no space left on device"
})
