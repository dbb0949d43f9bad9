/**
 * `botanu report --by customer` beside a statement that is written by hand and gives the same figures: `npm run bench:report`. With
 * `--whole` also over a million runs; PostgreSQL is measured where it is installed, unless `--no-postgres` is given. Prints medians
 * in milliseconds of both in turns. A missed aim is said, and fails nothing. `--ledgers DIRECTORY` keeps the generated ledgers there,
 * and takes those that are there already: a million runs take minutes to compact.
 */
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { NodeContext } from "@effect/platform-node"
import { BigDecimal, Effect, Layer } from "effect"
import { type EventFigures, eventFigures } from "../../command/src/query/EventFigures.js"
import * as GroupKey from "../../command/src/query/GroupKey.js"
import * as LedgerStore from "../../command/src/store/LedgerStore.js"
import { PostgresServer } from "../../test/sql/PostgresServer.js"
import { abandoned, compacted } from "./CompactedLedger.js"
import { fill } from "./FilledDatabase.js"
import { type GeneratedOptions, write } from "./GeneratedLedger.js"
import { bareInDatabase, bareOverLines, bareOverParquet } from "./HandWrittenReport.js"

const aim = 1.5

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0

/** Milliseconds of both, in turns. */
const timed = async (ours: () => Promise<unknown>, theirs: () => Promise<unknown>, rounds: number) => {
  const [own, bare]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const [work, times] of [
      [ours, own],
      [theirs, bare]
    ] as const) {
      const start = performance.now()
      await work()
      times.push(performance.now() - start)
    }
  }
  return { ours: median(own), theirs: median(bare) }
}

const report = (location: string) => () =>
  Effect.runPromise(
    Effect.provide(
      eventFigures([GroupKey.fromName("customer")]),
      Layer.provide(LedgerStore.layer(location), NodeContext.layer)
    )
  )

/** Fails where the two do not give the same figures. */
const sameAs = async (
  ours: () => Promise<ReadonlyArray<EventFigures>>,
  theirs: () => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
): Promise<void> => {
  const own = (await ours()).map(({ attempts, events, keys, p95Ms, successes, usd, usdOfFailures }) =>
    [
      keys[0],
      events,
      attempts,
      successes,
      Number(BigDecimal.format(usd)),
      Number(BigDecimal.format(usdOfFailures)),
      p95Ms
    ].join()
  )
  const bare = (await theirs()).map((row) =>
    [
      row["customer_id"],
      ...["events", "attempts", "success", "usd", "usd_of_failures", "p95"].map((name) => Number(row[name] ?? 0))
    ].join()
  )
  if (own.sort().join("\n") !== bare.sort().join("\n"))
    throw new Error("the query that is written by hand gives other figures")
}

const print = (name: string, { ours, theirs }: { readonly ours: number; readonly theirs: number }): void => {
  const ratio = ours / theirs
  console.log(
    [
      name.padEnd(34),
      `${ours.toFixed(0)} ms`.padStart(9),
      `${theirs.toFixed(0)} ms`.padStart(9),
      ratio.toFixed(2).padStart(6),
      `<= ${aim.toFixed(2)}`.padStart(8),
      ratio <= aim ? "ok" : "missed"
    ].join("  ")
  )
}

/** Makes a directory that is whole as soon as it has its name. */
const made = async (directory: string, make: (unfinished: string) => void | Promise<void>): Promise<string> => {
  if (existsSync(directory)) return directory
  const unfinished = `${directory}.part`
  rmSync(unfinished, { recursive: true, force: true })
  await make(unfinished)
  renameSync(unfinished, directory)
  return directory
}

const sizes = [1e4, 1e5, ...(process.argv.includes("--whole") ? [1e6] : [])]
const kept = process.argv.includes("--ledgers") ? process.argv[process.argv.indexOf("--ledgers") + 1] : undefined
const folder = kept ?? mkdtempSync(join(tmpdir(), "botanu-bench-"))
const server = process.argv.includes("--no-postgres") ? undefined : await PostgresServer.start().catch(() => undefined)

try {
  console.log(`${"report --by customer".padEnd(34)}       ours     theirs   ratio       aim`)
  for (const size of sizes) {
    const options: GeneratedOptions = { seed: 1, runs: size, days: 60 }
    const rounds = size > 1e5 ? 3 : 15
    const lines = await made(join(folder, String(size), "lines"), (directory) => {
      write(directory, options)
      abandoned(directory)
    })
    await sameAs(report(lines), bareOverLines(lines))
    print(`segments, ${size} runs`, await timed(report(lines), bareOverLines(lines), rounds))
    const days = await made(join(folder, String(size), "compacted"), (directory) => {
      cpSync(lines, directory, { recursive: true, preserveTimestamps: true })
      return compacted(directory)
    })
    await sameAs(report(days), bareOverParquet(days))
    print(`compacted, ${size} runs`, await timed(report(days), bareOverParquet(days), rounds))
    if (server === undefined) continue
    const url = await server.newDatabase()
    await fill(url, days, options)
    await sameAs(report(url), bareInDatabase(url))
    print(`PostgreSQL, ${size} runs`, await timed(report(url), bareInDatabase(url), rounds))
  }
} finally {
  await server?.remove()
  if (kept === undefined) rmSync(folder, { recursive: true, force: true })
}
