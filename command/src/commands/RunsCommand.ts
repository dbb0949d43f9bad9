/**
 * `botanu runs`: the latest runs, and with `--follow` those that come in.
 */
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import { comingRuns, latestRuns, type RunFilter } from "../query/RunList.js"
import { LedgerStore } from "../store/LedgerStore.js"
import type { RunRow } from "../store/RunRow.js"
import * as Paint from "../terminal/Paint.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import { checkLimit } from "./EventOptions.js"
import { unpricedText } from "./ReportGroup.js"

/** Prints runs, the latest last. Following does not end by itself. */
export const runs = (
  options: RunFilter & { readonly limit: number | undefined; readonly follow: boolean }
): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    const { name } = yield* LedgerStore
    yield* checkLimit(options.limit)
    // Before the latest are read, so that none comes between.
    const coming = options.follow ? yield* comingRuns(options) : Stream.empty
    const found = yield* latestRuns(options, options.limit ?? 20)
    if (found.length === 0) yield* print([`${TerminalText.visible(name)}   no run`])
    yield* Effect.flatMap(linesOf(found), print)
    const shown = new Set(found.map(keyOf))
    yield* Stream.runForEach(coming, (rows) =>
      Effect.gen(function* () {
        const fresh = rows.filter((row) => !shown.has(keyOf(row)))
        for (const row of fresh) shown.add(keyOf(row))
        for (const key of Array.from(shown).slice(0, -mostShown)) shown.delete(key)
        yield* Effect.flatMap(linesOf(fresh), print)
      })
    )
  })

/** A writer writes a line twice where it does not know whether the disk has it: soon after the first time. */
const mostShown = 10_000

const keyOf = ({ endTime, runId }: RunRow): string => `${runId} ${endTime === undefined}`

/** One line a run, without a head, so that lines of later polls stand below those of earlier ones. */
const linesOf = (rows: ReadonlyArray<RunRow>) =>
  Effect.map(Screen, ({ columns, hasColour }) => {
    const paint = Paint.byStatus(hasColour)
    return rows.map((row) => {
      const took = row.durationMs === undefined ? "" : Figures.duration(row.durationMs)
      const unknown = unpricedText(row.unpricedCalls)
      const cost = row.endTime === undefined ? "" : `${Figures.usd(row.usd)} USD${unknown === "" ? "" : ` ${unknown}`}`
      const name = `${row.workflow}${row.attempt > 1 ? `, attempt ${row.attempt}` : ""}${row.isNested ? ", nested" : ""}`
      const parts = [
        Rows.instant(row.endTime ?? row.startTime),
        paint(row.status, row.status.padEnd(8)),
        TerminalText.pad(took, 9, "right"),
        TerminalText.pad(cost, 16, "right"),
        Rows.cell(name, 36),
        Rows.cell(row.eventId),
        Rows.cell(row.customerId, 24),
        Rows.cell(row.errorClass)
      ]
      // What does not fit is left out from the right.
      let line = ""
      for (const part of parts) {
        const longer = line === "" ? part : `${line}  ${part}`
        if (line !== "" && TerminalText.width(Paint.withoutEscapes(longer)) > columns) break
        line = longer
      }
      return line.trimEnd()
    })
  })
