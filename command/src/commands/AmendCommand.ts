/**
 * `botanu amend ID`: records an outcome that became known later.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Outcome, type RunStatus } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { TerminalText } from "botanu-effect/report"
import { DateTime, Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { eventList } from "../query/EventList.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as LedgerWriter from "../store/LedgerWriter.js"
import { Screen } from "../terminal/Screen.js"
import { usageError } from "./EventOptions.js"

/** What is amended, and how. */
export interface AmendOptions {
  readonly ledger: string
  readonly id: string
  readonly customer: string | undefined
  readonly outcome: RunStatus
  readonly reason: string | undefined
  readonly valueType: string | undefined
  readonly valueAmount: number | undefined
  readonly by: string
}

/** Writes the amendment. Fails where there is no such event. */
export const amend = (
  options: AmendOptions
): Effect.Effect<void, CommandError, LedgerStore | Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    const { name } = yield* LedgerStore
    const found = yield* eventList({ event: options.id, customer: options.customer }, { sort: "start", limit: 1000 })
    if (found.length === 0) {
      return yield* new CommandError({
        message: `there is no event ${TerminalText.visible(options.id)} in ${TerminalText.visible(name)}: check the id and the customer`,
        exitCode: exitCodes.findings
      })
    }
    const { customer, id, outcome, reason, valueAmount, valueType } = options
    const at = yield* DateTime.now
    const amendment = yield* Effect.try({
      try: () =>
        new Ledger.OutcomeAmendment({
          eventId: id,
          ...(customer !== undefined && { customerId: customer }),
          outcome: new Outcome.Outcome({
            status: outcome,
            ...(reason !== undefined && { reason }),
            ...(valueType !== undefined && { valueType }),
            ...(valueAmount !== undefined && { valueAmount })
          }),
          by: options.by,
          at
        }),
      catch: (error) =>
        usageError(
          `the amendment is refused: ${TerminalText.visible(String(error instanceof Error ? error.message : error)).slice(0, 200)}`
        )
    })
    yield* LedgerWriter.write(options.ledger, { amendments: [amendment] })
    yield* print(
      found.map(
        ({ customerId, status }) =>
          `${TerminalText.visible(id)} of ${TerminalText.visible(customerId)}: ${status ?? "none"} is now ${outcome}, amended by ${TerminalText.visible(options.by)}`
      )
    )
  })
