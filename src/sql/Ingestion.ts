/**
 * Lines of a ledger on their way into the database.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { DateTime, Effect } from "effect"
import { encode, type LedgerLine } from "../ledger/LedgerLine.js"

/** A line as text, and the month in which the run in it started: `2026-11`. */
export interface IngestedLine {
  readonly text: string
  readonly month: string | undefined
}

/** A line of a ledger, encoded. */
export const fromLine = (line: LedgerLine): IngestedLine => {
  const run = line.type === "started" ? line.run : line.type === "completed" ? line.completed.run : undefined
  return { text: encode(line), month: run && monthOf(DateTime.formatIso(run.startTime)) }
}

/** A line of a file; `undefined` where it was cut. */
export const fromText = (text: string): IngestedLine | undefined => {
  let json: { readonly run?: StartedRun; readonly completed?: { readonly run?: StartedRun } } | null
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const start = (json?.run ?? json?.completed?.run)?.startTime
  return { text, month: start === undefined ? undefined : monthOf(start) }
}

interface StartedRun {
  readonly startTime?: string
}

/** The months of years above 9999 have more digits. */
const monthOf = (iso: string): string => iso.slice(0, iso.indexOf("-", 4) + 3)

// PostgreSQL has neither a null character nor half of a surrogate pair in its texts.
const notInDatabase = /\\(?:u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})|.)/g

/** JSON that PostgreSQL takes. `JSON.stringify` escapes a surrogate only where it is alone. */
const jsonForDatabase = (text: string): string =>
  text.includes("\\u") ? text.replace(notInDatabase, (escape) => (escape.length === 6 ? "\\ufffd" : escape)) : text

/** Writes lines to the tables of a schema. */
export class Ingestion {
  /** Months whose partitions are there, unless they were pruned since. */
  private months = new Set<string>()

  constructor(
    private readonly sql: SqlClient.SqlClient,
    private readonly schema: string
  ) {}

  /** Writes lines in one transaction. Lines that are there change nothing. */
  write(lines: ReadonlyArray<IngestedLine>, writer: string): Effect.Effect<void, SqlError> {
    return this.ingest(lines, writer).pipe(
      Effect.catchIf(isWithoutPartition, () => {
        this.months = new Set()
        return this.ingest(lines, writer)
      })
    )
  }

  private ingest(lines: ReadonlyArray<IngestedLine>, writer: string): Effect.Effect<void, SqlError> {
    const { schema, sql } = this
    return Effect.suspend(() => {
      const months = new Set(lines.flatMap(({ month }) => month ?? []))
      const json = jsonForDatabase(`[${lines.map(({ text }) => text).join(",")}]`)
      return Effect.zipRight(
        Effect.forEach(months, (month) => this.addMonth(month), { discard: true }),
        sql`SELECT ${sql.literal(schema)}.ingest(${json}::jsonb, ${writer}::uuid)`.withoutTransform
      )
    })
  }

  private addMonth(month: string): Effect.Effect<void, SqlError> {
    const { months, schema, sql } = this
    if (months.has(month)) return Effect.void
    return Effect.map(
      sql`SELECT ${sql.literal(schema)}.add_month(${`${month}-01T00:00:00Z`}::timestamptz)`.withoutTransform,
      () => {
        months.add(month)
      }
    )
  }
}

const checkViolation = "23514"

const isWithoutPartition = ({ cause }: SqlError): boolean => codeOf(cause) === checkViolation

/** The SQLSTATE of an error of the database; `undefined` where the trouble is another, such as a lost connection. */
export const codeOf = (cause: unknown): string | undefined => {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  return typeof cause.code === "string" && /^[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined
}
