/**
 * A database with the runs of a directory. They are read and written some at a time: a million do not fit into memory.
 */
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { LedgerSql } from "botanu-effect/sql"
import { Effect, Layer, Schema, Stream } from "effect"
import * as LedgerStore from "../../command/src/store/LedgerStore.js"
import { type GeneratedOptions, lines } from "./GeneratedLedger.js"
import { clientOf } from "./HandWrittenReport.js"

/** Writes the runs of a directory to an empty database, and the amendments of a ledger that is generated like this. */
export const fill = (url: string, directory: string, options: GeneratedOptions): Promise<void> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* LedgerSql.migrate()
      const { allRecords } = yield* LedgerStore.LedgerStore
      yield* Stream.runForEach(allRecords, (records) => LedgerSql.write({ records }))
      yield* LedgerSql.write({ amendments: amendmentsOf(options) })
    }).pipe(
      Effect.provide([Layer.provide(LedgerStore.layer(directory), NodeContext.layer), NodeContext.layer, clientOf(url)])
    )
  )

const amendmentsOf = (options: GeneratedOptions): ReadonlyArray<Ledger.OutcomeAmendment> => {
  const amendments: Array<Ledger.OutcomeAmendment> = []
  for (const { line } of lines(options)) if (line.type === "amended") amendments.push(decode(line["amendment"]))
  return amendments
}

const decode = Schema.decodeUnknownSync(Ledger.OutcomeAmendment)
