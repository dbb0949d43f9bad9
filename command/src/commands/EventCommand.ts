/**
 * `botanu event ID`: what one event did, as a tree over time.
 */
import { BusinessEvent, RunTree, TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Paint from "../terminal/Paint.js"
import { Screen } from "../terminal/Screen.js"

/** Prints the trees of the events with an id: one, or one for each customer that has an event of that id. */
export const event = (options: {
  readonly id: string
  readonly customer: string | undefined
}): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, isUtf8, print } = yield* Screen
    const { name, records: read } = yield* LedgerStore
    const { amendments, records } = yield* read({ eventId: options.id, customerId: options.customer })
    const events = BusinessEvent.fromRecords(records, amendments)
    if (events.length === 0) {
      const whose = options.customer === undefined ? "" : ` of customer ${TerminalText.visible(options.customer)}`
      return yield* new CommandError({
        message: `there is no event ${TerminalText.visible(options.id)}${whose} in ${TerminalText.visible(name)}: check the id`,
        exitCode: exitCodes.findings
      })
    }
    const trees = events.map((one) => RunTree.lines(one, { columns, isUtf8, paint: Paint.byStatus(hasColour) }))
    yield* print(trees.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])))
  })
