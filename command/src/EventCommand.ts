/**
 * `botanu event ID`: what one event did, as a tree over time.
 */
import type { FileSystem, Path } from "@effect/platform"
import { BusinessEvent, RunTree, TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { CommandError, exitCodes } from "./CommandError.js"
import { contents } from "./LedgerDirectory.js"
import * as Paint from "./Paint.js"
import { Screen } from "./Screen.js"

/** Prints the trees of the events with an id: one, or one for each customer that has an event of that id. */
export const event = (options: {
  readonly ledger: string
  readonly id: string
  readonly customer: string | undefined
}): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, isUtf8, print } = yield* Screen
    const { amendments, records } = yield* contents(options.ledger)
    const events = BusinessEvent.fromRecords(
      records.filter(
        ({ run }) =>
          run.eventId === options.id && (options.customer === undefined || run.customerId === options.customer)
      ),
      amendments
    )
    if (events.length === 0) {
      const whose = options.customer === undefined ? "" : ` of customer ${TerminalText.visible(options.customer)}`
      return yield* new CommandError({
        message: `there is no event ${TerminalText.visible(options.id)}${whose} in ${TerminalText.visible(options.ledger)}: check the id`,
        exitCode: exitCodes.findings
      })
    }
    const trees = events.map((one) => RunTree.lines(one, { columns, isUtf8, paint: Paint.byStatus(hasColour) }))
    yield* print(trees.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])))
  })
