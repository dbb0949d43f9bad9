/**
 * `botanu runs`: the latest runs, and with `--follow` those that come in.
 */
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import { latestRuns, type RunFilter, type RunRow } from "../query/RunList.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Paint from "../terminal/Paint.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import { checkLimit } from "./EventOptions.js"
import { unpricedText } from "./ReportGroup.js"

/** Prints runs, the latest last. Following does not end by itself. */
export const runs = (
  options: Omit<RunFilter, "since"> & { readonly limit: number | undefined; readonly follow: boolean }
): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    const { name, refresh } = yield* LedgerStore
    yield* checkLimit(options.limit)
    const found = yield* latestRuns(options, options.limit ?? 20)
    if (found.length === 0) yield* print([`${TerminalText.visible(name)}   no run`])
    yield* Effect.flatMap(linesOf(found), print)
    if (!options.follow) return
    const shown = new Set(found.map(keyOf))
    let since = latestOf(found)
    const step = Effect.gen(function* () {
      if (!(yield* refresh)) return
      const rows = (yield* latestRuns({ ...options, since }, mostAtOnce)).filter((row) => !shown.has(keyOf(row)))
      if (rows.length === 0) return
      for (const row of rows) shown.add(keyOf(row))
      since = latestOf(rows) ?? since
      yield* Effect.flatMap(linesOf(rows), print)
    })
    yield* Effect.forever(Effect.delay(step, "1 second"))
  })

const mostAtOnce = 1000

const keyOf = ({ runId, status }: RunRow): string => `${runId} ${status}`

const latestOf = (rows: ReadonlyArray<RunRow>): string | undefined => {
  const last = rows[rows.length - 1]
  return last === undefined ? undefined : (last.endTime ?? last.startTime)
}

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
