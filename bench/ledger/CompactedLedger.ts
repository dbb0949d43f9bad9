/**
 * A ledger whose days are all compacted, as `botanu compact` does it with days that are over.
 */
import { readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import * as Compaction from "../../command/src/store/Compaction.js"
import * as LedgerDirectory from "../../command/src/store/LedgerDirectory.js"

/** Makes the writers of a directory silent for long. */
export const abandoned = (directory: string): void => {
  for (const name of readdirSync(directory, { recursive: true }).map(String)) {
    if (name.endsWith(".jsonl")) utimesSync(join(directory, name), 0, 0)
  }
}

/** Compacts all days of a directory whose writers are silent. */
export const compacted = (directory: string): Promise<void> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { ready } = Compaction.daysOf(yield* LedgerDirectory.files(directory), "9999-01-01")
      for (const day of ready) {
        const { compacted } = yield* LedgerDirectory.files(directory)
        yield* Compaction.compact(directory, day, compacted)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )
