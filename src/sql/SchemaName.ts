/**
 * The schema of the database that a ledger is in.
 */
import { Effect } from "effect"
import { quote } from "../schema/FieldText.js"

/** The schema where none is named. */
export const defaultSchema = "botanu"

// It is part of statements as it is. What needs no quotes can be no other thing than a name.
const plainName = /^[a-z_][a-z0-9_]{0,39}$/

/** A name that can be part of a statement as it is. Dies with a `RangeError` where it is another. */
export const schemaName = (schema: string | undefined): Effect.Effect<string> =>
  schema === undefined || plainName.test(schema)
    ? Effect.succeed(schema ?? defaultSchema)
    : Effect.die(
        new RangeError(
          `LedgerSql: schema: expected 1 to 40 letters a to z, digits and underscores, not beginning with a digit, got ${quote(schema)}`
        )
      )
