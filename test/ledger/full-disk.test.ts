/**
 * A disk that is full: a file system of half a megabyte in memory. Where the machine does not let this process mount one, the
 * test says so, and the tests with a file system of our own remain.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { afterAll, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Botanu, RunExporter } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { logging } from "../observed.js"
import { spend } from "../usages.js"

const disk = mkdtempSync(join(tmpdir(), "botanu-disk-"))
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", disk])
const isMounted = mounted.status === 0

afterAll(() => {
  if (isMounted) spawnSync("umount", [disk])
  rmSync(disk, { recursive: true, force: true })
})

if (!isMounted) console.log(`no full disk is tested: ${mounted.error ?? mounted.stderr}`)

const run = (number: number) =>
  Botanu.workflow(spend("0.001"), "Support", { eventId: `ticket-${number}`, customerId: "c" })

it.runIf(isMounted)(
  "counts what finds no room, reports it, harms nobody, and goes on when there is room",
  {
    timeout: 60_000
  },
  async () => {
    const lines: Array<string> = []
    const directory = join(disk, "ledger")
    const program = Effect.gen(function* () {
      const { flush } = yield* Ledger.Ledger
      const memory = yield* RunExporter.Memory
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        run
      )
      yield* flush
      yield* Effect.sync(() => writeFileSync(join(disk, "others"), new Uint8Array(200 * 1024)))
      let number = 100
      // Until the disk is full, and more than may wait has come.
      for (let failures = 0; failures < 5; ) {
        yield* Effect.forEach(
          Array.from({ length: 60 }, (_, index) => number + index),
          run
        )
        number += 60
        if ((yield* Effect.exit(flush))._tag === "Failure") failures += 1
        // The layer flushes too, and logs what is wrong.
        yield* Effect.sleep("50 millis")
      }
      const runs = yield* memory.runs
      expect(runs).toHaveLength(number)
      expect(runs.every(({ status }) => status === "success")).toBe(true)
      yield* Effect.sync(() => rmSync(join(disk, "others")))
      yield* flush
      const { lost, problems, records } = yield* Ledger.read(directory)
      const completed = records.filter((record) => record.completed !== undefined)
      expect(new Set(records.map(({ run }) => run.runId)).size).toBe(records.length)
      expect(lost).toBeGreaterThan(0)
      // Each run is two records, of which the one of the start is not written where the run is over.
      expect(number - completed.length).toBeLessThanOrEqual(lost)
      expect(2 * (number - completed.length)).toBeGreaterThanOrEqual(lost)
      expect(problems.filter(({ problem }) => problem !== "cut")).toEqual([])
      // It goes on.
      yield* run(number)
      yield* flush
      const after = yield* Ledger.read(directory)
      expect(after.lost).toBe(lost)
      expect(
        after.records.some(({ completed, run }) => completed !== undefined && run.eventId === `ticket-${number}`)
      ).toBe(true)
      expect(lines.join("\n")).toContain("ENOSPC")
    })
    await Effect.runPromise(
      program.pipe(
        Effect.provide(
          Layer.merge(Ledger.layer({ directory, maxQueued: 150, flushMillis: 20 }), RunExporter.layerMemory)
        ),
        Effect.provide(NodeContext.layer),
        Effect.provide(logging(lines))
      )
    )
  }
)
