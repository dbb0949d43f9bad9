/**
 * How runs and amendments become lines, whatever keeps those.
 */
import { DateTime, Effect, type Scope } from "effect"
import { record } from "../lifecycle/ActiveExporters.js"
import { InvalidOutcome, make as makeOutcome, type OutcomeDetails } from "../run/OutcomeRecord.js"
import type { RunStatus } from "../run/RunStatus.js"
import { quote, refusal } from "../schema/FieldText.js"
import { type LedgerLine, lineVersion, OutcomeAmendment } from "./LedgerLine.js"

/** What keeps lines. */
interface LineWriter {
  /** Takes a line. Does not wait, and does not fail. */
  readonly append: (line: LedgerLine) => void
  readonly flush: Effect.Effect<void, unknown>
}

/** Hands every run that starts, and every run that is over, to a writer, as long as the scope lasts. */
export const recordRuns = ({ append, flush }: LineWriter, name: string): Effect.Effect<void, never, Scope.Scope> =>
  record(
    {
      started: (run) => append({ v: lineVersion, type: "started", run }),
      completed: (completed) => append({ v: lineVersion, type: "completed", completed }),
      flush
    },
    name
  )

/** Amends outcomes by lines that go to `append`. */
export const amendOutcome =
  (append: LineWriter["append"]) =>
  (
    eventId: string,
    { status, ...details }: OutcomeDetails & { readonly status: RunStatus },
    { by, customerId }: { readonly by: string; readonly customerId?: string | undefined }
  ): Effect.Effect<void, InvalidOutcome> =>
    Effect.gen(function* () {
      const given = { eventId, by, ...(customerId !== undefined && { customerId }) }
      for (const [field, value] of Object.entries(given)) {
        const expected = refusal(value)
        if (expected === undefined) continue
        return yield* new InvalidOutcome({ field, problem: `${expected}, got ${quote(value)}` })
      }
      const outcome = yield* makeOutcome(status, details)
      const amendment = new OutcomeAmendment({ ...given, outcome, at: yield* DateTime.now })
      append({ v: lineVersion, type: "amended", amendment })
    })
