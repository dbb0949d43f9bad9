/**
 * Lines of a ledger on their way into the database.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Option } from "effect"
import { encode, type LedgerLine, lineVersion } from "../ledger/LedgerLine.js"
import type { ProcessIdentity } from "../ledger/ProcessIdentity.js"
import { stateOf } from "./DatabaseTrouble.js"

/** A line as text, and the month in which the run in it started: `2026-11`. */
export interface IngestedLine {
  readonly text: string
  readonly month: string | undefined
  /** Whether a later version wrote it, which this one cannot write to the database. */
  readonly isNewer?: boolean
}

/** A line of a ledger, encoded. */
export const fromLine = (line: LedgerLine): IngestedLine => fromEncoded(encode(line))

/** A line that `encode` made: what it says first of a start is that of its run. No text has such quotes in it. */
export const fromEncoded = (text: string): IngestedLine => {
  const at = text.indexOf(startField)
  return { text, month: at < 0 ? undefined : monthOf(text.slice(at + startField.length, at + startField.length + 16)) }
}

const startField = `"startTime":"`

/** A line of a file; none where it was cut, or holds nothing for the database. */
export const fromText = (text: string): Option.Option<IngestedLine> => {
  let line: TextLine | null
  try {
    line = JSON.parse(text)
  } catch {
    return Option.none()
  }
  if (line?.type === undefined || line.type === "writer") return Option.none()
  const start = (line.run ?? line.completed?.run)?.startTime
  const month = start === undefined ? undefined : monthOf(start)
  return Option.some({ text, month, ...(Number(line.v) > lineVersion && { isNewer: true }) })
}

interface TextLine {
  readonly v?: unknown
  readonly type?: string
  readonly run?: { readonly startTime?: string }
  readonly completed?: { readonly run?: { readonly startTime?: string } }
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

  /** Notes that a writer is there. */
  notePresence(writer: string, { host, pid }: ProcessIdentity): Effect.Effect<void, SqlError> {
    const { schema, sql } = this
    return Effect.asVoid(
      sql`INSERT INTO ${sql.literal(schema)}.writers (writer, host, pid) VALUES (${writer}::uuid, ${host ?? null}, ${pid ?? null})
        ON CONFLICT (writer) DO UPDATE SET seen_at = now()`.withoutTransform
    )
  }

  /** Notes that a writer is gone of which the database may never have heard. */
  noteGone(writer: string): Effect.Effect<void, SqlError> {
    const { schema, sql } = this
    return Effect.asVoid(
      sql`INSERT INTO ${sql.literal(schema)}.writers (writer, started_at, seen_at) VALUES (${writer}::uuid, 'epoch', 'epoch')
        ON CONFLICT (writer) DO NOTHING`.withoutTransform
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

const isWithoutPartition = (error: SqlError): boolean => stateOf(error) === checkViolation
