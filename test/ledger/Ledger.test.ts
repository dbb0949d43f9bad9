import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { FileSystem, Path } from "@effect/platform"
import { SystemError } from "@effect/platform/Error"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, TestClock } from "effect"
import { Botanu, Cost, Outcome } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { BusinessEvent, RunRecord } from "../../src/report/index.js"
import { logging } from "../observed.js"
import { ids } from "../runs.js"
import { spend } from "../usages.js"

const inTemporary = <A, E, R>(use: (directory: string) => Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.flatMap(FileSystem.FileSystem, (files) =>
      Effect.flatMap(files.makeTempDirectoryScoped({ prefix: "botanu-ledger-" }), use)
    )
  ).pipe(Effect.provide(NodeContext.layer))

const stored = readFileSync(new URL("lines-v1.jsonl", import.meta.url), "utf8").split("\n")

const run = Botanu.workflow("Customer Support", ids)

const statusesIn = ({ records }: Ledger.Contents) => records.map(RunRecord.statusOf)

/** A file system whose files have the members that a test says, and the others as they are. */
const withFiles = (memberOf: (file: FileSystem.File, key: PropertyKey) => unknown) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (files) => ({
      ...files,
      open: (path: string, options?: FileSystem.OpenFileOptions) =>
        Effect.map(
          files.open(path, options),
          (file) => new Proxy(file, { get: (_, key) => memberOf(file, key) ?? Reflect.get(file, key, file) })
        )
    }))
  ).pipe(Layer.provideMerge(NodeContext.layer))

/** A file system whose writes are what a test says. */
const withWrites = (
  write: (
    bytes: Uint8Array,
    go: Effect.Effect<void, unknown>,
    begin: (bytes: number) => Effect.Effect<void, unknown>
  ) => Effect.Effect<void, unknown>
) =>
  withFiles((file, key) =>
    key === "writeAll"
      ? (bytes: Uint8Array) => write(bytes, file.writeAll(bytes), (count) => file.writeAll(bytes.subarray(0, count)))
      : undefined
  )

const diskFull = new SystemError({
  reason: "Unknown",
  module: "FileSystem",
  method: "write",
  description: "ENOSPC: no space left on device"
})

describe("a ledger", () => {
  it.scopedLive("keeps every run, with its cost, its outcome and its calls", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        yield* Effect.zipRight(spend("0.25"), Outcome.emit("partial", { reason: "half of it" })).pipe(
          run,
          Effect.provide(Ledger.layer({ directory }))
        )
        const contents = yield* Ledger.read(directory)
        expect(contents).toMatchObject({ lost: 0, problems: [], amendments: [] })
        const segments = yield* Ledger.segments(directory)
        expect(segments).toHaveLength(1)
        expect(yield* Ledger.files(directory)).toEqual({ segments, compacted: [] })
        const [event] = BusinessEvent.fromRecords(contents.records)
        expect(event?.status).toBe("partial")
        expect(event?.outcome?.reason).toBe("half of it")
        expect(event && Cost.format(event.cost.usd)).toBe("0.25")
        expect(event?.runs[0]?.completed?.usages.map(({ usage }) => usage.provider)).toEqual(["fleet"])
      })
    )
  )

  it.scopedLive("has no path that a text of the program is part of", () =>
    inTemporary((top) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const hostile = ["../../escaped", "/tmp/botanu-escaped", "..\\..", "..", "a/../../b"]
        const directory = `${top}/team/ledger`
        yield* Effect.forEach(hostile, (text) =>
          Effect.zipRight(
            spend("0.01"),
            Effect.flatMap(Ledger.Ledger, (ledger) =>
              ledger.amendOutcome(text, { status: "failure", reason: text }, { by: text })
            )
          ).pipe(Botanu.workflow(text, { eventId: text, customerId: text, tenantId: text }))
        ).pipe(Effect.provide(Ledger.layer({ directory })))
        const contents = yield* Ledger.read(directory)
        expect(contents.records.map(({ run }) => run.eventId).sort()).toEqual(hostile.toSorted())
        expect(contents.amendments).toHaveLength(hostile.length)
        const written = yield* files.readDirectory(top, { recursive: true })
        expect(written.filter((name) => name.endsWith(".jsonl"))).toHaveLength(1)
        for (const name of written) {
          expect(name).toMatch(/^team(\/ledger(\/\d{4}-\d{2}-\d{2}(\/[0-9a-f-]{36}-\d+\.jsonl)?)?)?$/)
        }
      })
    )
  )

  it.scopedLive("knows a run that has started and not completed", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const started = yield* Deferred.make<void>()
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Ledger.layer({ directory }), scope)
        const fiber = yield* Effect.fork(
          run(Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(gate))).pipe(
            Effect.provide(Ledger.layer({ directory }))
          )
        )
        yield* Deferred.await(started)
        yield* Effect.sleep("300 millis")
        expect(statusesIn(yield* Ledger.read(directory))).toEqual(["running"])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(fiber)
        expect(statusesIn(yield* Ledger.read(directory))).toEqual(["success"])
        yield* Scope.close(scope, Exit.void)
        expect(context).toBeDefined()
      })
    )
  )

  it.scopedLive("writes a file of its own for each writer, and a new one by size", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        const write = Effect.gen(function* () {
          const ledger = yield* Ledger.Ledger
          yield* run(Effect.void)
          yield* ledger.flush
          yield* run(Effect.void)
        }).pipe(Effect.provide(Ledger.layer({ directory, maxSegmentBytes: 100 })))
        yield* Effect.all([write, write], { concurrency: 2 })
        const files = yield* FileSystem.FileSystem
        const names = yield* files.readDirectory(directory, { recursive: true })
        expect(names.filter((name) => name.endsWith(".jsonl"))).toHaveLength(4)
        expect(statusesIn(yield* Ledger.read(directory))).toHaveLength(4)
      })
    )
  )

  it.scopedLive("keeps an amended outcome beside the recorded one", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        yield* Effect.gen(function* () {
          yield* run(Effect.void)
          const ledger = yield* Ledger.Ledger
          yield* ledger.amendOutcome("ticket-42", { status: "failure", reason: "reopened" }, { by: "crm-sync" })
          const refused = yield* Effect.flip(ledger.amendOutcome("", { status: "success" }, { by: "crm-sync" }))
          expect(refused.message).toBe(`eventId: expected non-empty text, got ""`)
          const bad = yield* Effect.flip(
            ledger.amendOutcome("ticket-42", { status: "success", confidence: 2 }, { by: "crm-sync" })
          )
          expect(bad.field).toBe("confidence")
        }).pipe(Effect.provide(Ledger.layer({ directory })))
        const { amendments, records } = yield* Ledger.read(directory)
        const [event] = BusinessEvent.fromRecords(records, amendments)
        expect([event?.status, event?.chains[0].status]).toEqual(["failure", "success"])
        expect(event?.amendments.map(({ by }) => by)).toEqual(["crm-sync"])
      })
    )
  )
})

describe("a run without an end", () => {
  const started = stored[0] ?? ""
  const headOf = (process: object) => JSON.stringify({ v: 1, type: "writer", process, at: "2026-11-26T10:00:00.000Z" })

  /** What a reader says of a run that a writer began, of which this is known. */
  const statusOf = (process: object, silentMillis: number, writer = "writer") =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const file = path.join(directory, "2026-11-26", `${writer}-1.jsonl`)
        yield* files.makeDirectory(path.dirname(file), { recursive: true })
        yield* files.writeFileString(file, `${headOf(process)}\n${started}\n`)
        const seen = new Date(Date.now() - silentMillis)
        yield* files.utimes(file, seen, seen)
        const [segment] = yield* Ledger.segments(directory)
        const statuses = statusesIn(yield* Ledger.read(directory))
        expect(segment).toMatchObject({ path: file, day: "2026-11-26", writer })
        expect(segment?.isAbandoned).toBe(statuses[0] === "lost")
        return statuses
      })
    )

  /** The process in which the tests run, as a writer notes it. */
  const here = inTemporary((directory) =>
    Effect.gen(function* () {
      yield* run(Effect.void).pipe(Effect.provide(Ledger.layer({ directory })))
      const [segment] = yield* Ledger.segments(directory)
      const files = yield* FileSystem.FileSystem
      const [head = ""] = (yield* files.readFileString(segment?.path ?? "")).split("\n")
      return (JSON.parse(head) as { readonly process: { readonly host: string; readonly pid: number } }).process
    })
  )

  it.live("is running while its process was seen in the last minute, on another machine too", () =>
    Effect.gen(function* () {
      expect(yield* statusOf({ host: "elsewhere", pid: 1 }, 1000)).toEqual(["running"])
      expect(yield* statusOf({}, 1000)).toEqual(["running"])
      expect(yield* statusOf({ ...(yield* here), pid: process.ppid }, 1000)).toEqual(["running"])
    })
  )

  it.live("is lost when nothing was seen of its process for more than a minute", () =>
    Effect.gen(function* () {
      expect(yield* statusOf({ host: "elsewhere", pid: 1 }, 61_000)).toEqual(["lost"])
      expect(yield* statusOf({ ...(yield* here), pid: process.ppid }, 61_000)).toEqual(["lost"])
    })
  )

  it.live("is lost at once where its process is on this machine no more", () =>
    Effect.gen(function* () {
      const child = spawnSync(process.execPath, ["-e", "0"])
      const process_ = yield* here
      expect(yield* statusOf({ ...process_, pid: child.pid }, 1000)).toEqual(["lost"])
      // Started again, in a container, under the number that it had.
      expect(yield* statusOf({ ...process_, pid: process.pid }, 1000)).toEqual(["lost"])
      // The numbers of another container are not known here.
      expect(yield* statusOf({ ...process_, pid: child.pid, pidSpace: "pid:[1]" }, 1000)).toEqual(["running"])
    })
  )

  it.scoped("is not lost while its process has nothing to write", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.now())
      const shown = yield* Queue.unbounded<void>()
      const disk = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (files) => ({
          ...files,
          utimes: (path: string, accessed: number | Date, modified: number | Date) =>
            Effect.zipRight(files.utimes(path, accessed, modified), Queue.offer(shown, undefined))
        }))
      ).pipe(Layer.provideMerge(NodeContext.layer))
      yield* inTemporary((directory) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger.Ledger
          const started = yield* Deferred.make<void>()
          const fiber = yield* Effect.fork(run(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)))
          yield* Deferred.await(started)
          yield* ledger.flush
          for (let seconds = 0; seconds <= 120; seconds += 10) {
            yield* TestClock.adjust("10 seconds")
            yield* Queue.take(shown)
            expect(statusesIn(yield* Ledger.read(directory))).toEqual(["running"])
          }
          yield* Fiber.interrupt(fiber)
        }).pipe(Effect.provide(Ledger.layer({ directory, flushMillis: 600_000 }).pipe(Layer.provide(disk))))
      )
    })
  )
})

it.scoped(
  "a writer that could not show for long that it is there begins a new file: others may have taken over its last one",
  () => {
    const disk = Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (files) => ({ ...files, utimes: () => Effect.fail(diskFull) }))
    ).pipe(Layer.provideMerge(NodeContext.layer))
    return inTemporary((directory) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger.Ledger
        const segmentsAfter = (time: "20 seconds" | "31 seconds") =>
          Effect.gen(function* () {
            yield* TestClock.adjust(time)
            yield* run(Effect.void)
            yield* ledger.flush
            return (yield* Ledger.segments(directory)).length
          })
        yield* run(Effect.void)
        yield* ledger.flush
        expect([yield* segmentsAfter("20 seconds"), yield* segmentsAfter("31 seconds")]).toEqual([1, 2])
      }).pipe(Effect.provide(Ledger.layer({ directory, flushMillis: 600_000 }).pipe(Layer.provide(disk))))
    )
  }
)

describe("a batch", () => {
  it.scoped("is written 200 ms after its first record at the latest, though nobody flushes", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.now())
      const written = yield* Queue.unbounded<void>()
      const disk = withWrites((_, go) => Effect.zipRight(go, Queue.offer(written, undefined)))
      yield* inTemporary((directory) =>
        Effect.gen(function* () {
          yield* run(Effect.void)
          yield* TestClock.adjust("199 millis")
          expect(yield* Queue.size(written)).toBe(0)
          yield* TestClock.adjust("1 millis")
          yield* Queue.take(written)
          expect(statusesIn(yield* Ledger.read(directory))).toEqual(["success"])
        }).pipe(Effect.provide(Ledger.layer({ directory }).pipe(Layer.provide(disk))))
      )
    })
  )

  const operationsOf = (durability: "system" | "disk" | undefined, sync: Effect.Effect<void, SystemError>) =>
    Effect.gen(function* () {
      const operations: Array<string> = []
      const disk = withFiles((file, key) => {
        if (key === "writeAll" || key === "sync") operations.push(key)
        return key === "sync" ? Effect.zipRight(sync, file.sync) : undefined
      })
      const flushed = yield* inTemporary((directory) =>
        Effect.gen(function* () {
          const ledger = yield* Ledger.Ledger
          yield* run(Effect.void)
          return yield* Effect.exit(ledger.flush)
        }).pipe(Effect.provide(Ledger.layer({ directory, durability, flushMillis: 600_000 }).pipe(Layer.provide(disk))))
      )
      return { operations, isFlushed: Exit.isSuccess(flushed) }
    })

  it.scoped("is brought to the disk with durability disk, before it counts as flushed", () =>
    Effect.gen(function* () {
      const { isFlushed, operations } = yield* operationsOf("disk", Effect.void)
      expect(isFlushed).toBe(true)
      expect(operations.at(-1)).toBe("sync")
      expect(operations.filter((name) => name === "sync")).toHaveLength(1)
      expect((yield* operationsOf("disk", Effect.fail(diskFull))).isFlushed).toBe(false)
    })
  )

  it.scoped("is left to the system otherwise", () =>
    Effect.gen(function* () {
      for (const durability of ["system", undefined] as const) {
        const { isFlushed, operations } = yield* operationsOf(durability, Effect.fail(diskFull))
        expect(isFlushed).toBe(true)
        expect(operations).toContain("writeAll")
        expect(operations).not.toContain("sync")
      }
    })
  )
})

describe("a reader", () => {
  it.scopedLive("skips and counts lines that were cut, that are invalid, or of a later version", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        yield* run(Effect.void).pipe(Effect.provide(Ledger.layer({ directory })))
        const files = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const folder = path.join(directory, "2026-11-26")
        yield* files.makeDirectory(folder, { recursive: true })
        const lines = ['{"v":2,"type":"novel"}', '{"v":1,"type":"completed"}', "[]", "", '{"v":1,"type":"comp']
        yield* files.writeFileString(path.join(folder, "other-1.jsonl"), lines.join("\n"))
        yield* files.writeFileString(path.join(directory, "notes.txt"), "not a segment")
        const { problems, records } = yield* Ledger.read(directory)
        expect(records).toHaveLength(1)
        expect(problems.map(({ line, problem }) => [line, problem])).toEqual([
          [1, "newer_version"],
          [2, "invalid"],
          [3, "invalid"],
          [5, "cut"]
        ])
      })
    )
  )

  it.scopedLive("finds nothing where there is no directory", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        expect(yield* Ledger.read(`${directory}/missing`)).toMatchObject({ records: [], problems: [] })
      })
    )
  )
})

describe("a disk that is full", () => {
  it.scopedLive("harms neither the program nor what was recorded, and is reported", () => {
    const lines: Array<string> = []
    let isFull = true
    const disk = withWrites((_, go) => Effect.suspend(() => (isFull ? Effect.fail(diskFull) : go)))
    return inTemporary((directory) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger.Ledger
        yield* Effect.repeatN(run(Effect.void), 9)
        expect((yield* Effect.exit(ledger.flush))._tag).toBe("Failure")
        expect((yield* Ledger.read(directory)).records).toEqual([])
        isFull = false
        yield* ledger.flush
        const { lost, records } = yield* Ledger.read(directory)
        // Ten runs are twenty records. The start of a run that is over takes no room: five runs found it.
        expect([records.length, lost]).toEqual([5, 10])
      }).pipe(
        Effect.provide(Ledger.layer({ directory, maxQueued: 5, flushMillis: 600_000 }).pipe(Layer.provide(disk))),
        Effect.provide(logging(lines))
      )
    )
  })

  it.scopedLive("is logged by the fiber that flushes, and no line is lost while there is room", () => {
    const lines: Array<string> = []
    const trouble = [Effect.die("a defect"), Effect.fail(diskFull)]
    const disk = withWrites((_, go) => Effect.suspend(() => trouble.pop() ?? go))
    return inTemporary((directory) =>
      Effect.gen(function* () {
        yield* run(Effect.void)
        yield* Effect.sleep("120 millis")
      }).pipe(
        Effect.provide(Ledger.layer({ directory, flushMillis: 10 }).pipe(Layer.provide(disk))),
        Effect.provide(logging(lines)),
        Effect.zipRight(Ledger.read(directory)),
        Effect.tap((contents) =>
          Effect.sync(() => {
            expect(statusesIn(contents)).toEqual(["success"])
            expect(contents.lost).toBe(0)
            expect(lines.join()).toContain("ENOSPC")
          })
        )
      )
    )
  })

  it.scopedLive("cuts a line at most, and no line that is written after it", () => {
    let isCut = false
    const disk = withWrites((bytes, go, begin) =>
      Effect.suspend(() => {
        if (isCut || !new TextDecoder().decode(bytes).includes('"completed"')) return go
        isCut = true
        return Effect.zipRight(begin(10), Effect.fail(diskFull))
      })
    )
    return inTemporary((directory) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger.Ledger
        yield* run(Effect.void)
        expect((yield* Effect.exit(ledger.flush))._tag).toBe("Failure")
        yield* ledger.flush
        const { lost, problems, records } = yield* Ledger.read(directory)
        expect([records.length, lost]).toEqual([1, 0])
        expect(problems.map(({ problem }) => problem)).toEqual(["cut"])
      }).pipe(Effect.provide(Ledger.layer({ directory, flushMillis: 600_000 }).pipe(Layer.provide(disk))))
    )
  })

  it.scopedLive("is found at start where the directory cannot be made", () =>
    inTemporary((directory) =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        yield* files.writeFileString(`${directory}/file`, "")
        const exit = yield* Effect.exit(Layer.launch(Ledger.layer({ directory: `${directory}/file/ledger` })))
        expect(exit._tag).toBe("Failure")
      })
    )
  )
})

it.scoped("records are written by the clock of the program", () =>
  inTemporary((directory) =>
    Effect.gen(function* () {
      const ledger = yield* Ledger.Ledger
      yield* run(Effect.void)
      yield* ledger.flush
      yield* TestClock.adjust("2 minutes")
      yield* run(Effect.void)
      yield* ledger.flush
      const files = yield* FileSystem.FileSystem
      expect((yield* files.readDirectory(directory)).sort()).toEqual(["2026-11-26", "2026-11-27"])
    }).pipe(Effect.provide(Ledger.layer({ directory, flushMillis: 60_000 })), (written) =>
      Effect.zipRight(TestClock.setTime(Date.UTC(2026, 10, 26, 23, 59)), written)
    )
  )
)
