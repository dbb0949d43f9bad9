/**
 * Lines that are written together, and those among them that the database refuses.
 */
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { stateOf } from "./DatabaseTrouble.js"
import type { IngestedLine } from "./Ingestion.js"

/** How many lines are written together. */
export const size = 500

/**
 * Writes lines together. Where the database refuses what is in one of them, that one goes to `refuse`, and the others are
 * written. Fails where the trouble is another.
 */
export const write = <E, E2>(
  lines: ReadonlyArray<IngestedLine>,
  attempt: (lines: ReadonlyArray<IngestedLine>) => Effect.Effect<void, SqlError | E>,
  refuse: (line: IngestedLine, error: SqlError) => Effect.Effect<void, E2>
): Effect.Effect<void, SqlError | E | E2> =>
  Effect.catchAll(attempt(lines), (error): Effect.Effect<void, SqlError | E | E2> => {
    if (!isRefusal(error)) return Effect.fail(error)
    const [first, ...others] = lines
    if (first === undefined) return Effect.fail(error)
    if (others.length === 0) return refuse(first, error)
    const half = Math.ceil(lines.length / 2)
    return Effect.zipRight(write(lines.slice(0, half), attempt, refuse), write(lines.slice(half), attempt, refuse))
  })

/** Classes of SQLSTATE that are about the data: data exceptions, violations of constraints, limits. */
const ofData: ReadonlySet<string> = new Set(["22", "23", "54"])

const isRefusal = (error: unknown): error is SqlError => ofData.has(stateOf(error)?.slice(0, 2) ?? "")
