/**
 * DuckDB in this process, in memory.
 */
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  listValue,
  type StatementType,
  VARCHAR
} from "@duckdb/node-api"
import { TerminalText } from "botanu-effect/report"
import { Effect, type Scope, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** A value of a parameter: text, a number, or a list of texts. */
export type Parameter = string | number | ReadonlyArray<string> | null

/** A row of a result: exact text for everything but booleans and small numbers. */
export type Row = Readonly<Record<string, unknown>>

export interface DuckDb {
  readonly query: (
    statement: string,
    parameters?: Readonly<Record<string, Parameter>>
  ) => Effect.Effect<ReadonlyArray<Row>, CommandError>
  /** The rows of a statement, some at a time. No other statement of the connection may run meanwhile. */
  readonly stream: (
    statement: string,
    parameters?: Readonly<Record<string, Parameter>>
  ) => Stream.Stream<ReadonlyArray<Row>, CommandError>
  /** How many statements a text has, and of what type the first is. Nothing is executed. */
  readonly kindOf: (
    text: string
  ) => Effect.Effect<{ readonly statements: number; readonly type: StatementType | undefined }, CommandError>
  /** The names of the tables that a statement reads. Fails where it is no statement. */
  readonly tablesOf: (text: string) => Effect.Effect<ReadonlyArray<string>, CommandError>
}

/** A connection, closed with the scope. A connection sees what others have committed. */
export type Connect = Effect.Effect<DuckDb, CommandError, Scope.Scope>

/**
 * A database in memory, closed with the scope. It downloads nothing. What does not fit into its memory goes to files of a temporary
 * folder, which DuckDB removes.
 */
export const open = (
  options: { readonly memory?: string } = {}
): Effect.Effect<{ readonly connect: Connect }, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const instance = yield* Effect.acquireRelease(
      attempt(() =>
        DuckDBInstance.create(":memory:", {
          autoinstall_known_extensions: "false",
          autoload_known_extensions: "false",
          temp_directory: join(tmpdir(), `botanu-${randomUUID()}`),
          ...(options.memory !== undefined && { memory_limit: options.memory })
        })
      ),
      (instance) => Effect.sync(() => instance.closeSync())
    )
    const connect = Effect.gen(function* () {
      const connection = yield* Effect.acquireRelease(
        attempt(() => instance.connect()),
        (connection) => Effect.sync(() => connection.closeSync())
      )
      yield* attempt(() => connection.run("SET TimeZone = 'UTC'"))
      const database: DuckDb = {
        query: (statement, parameters = {}) => attempt(() => rowsOf(connection, statement, parameters)),
        stream: (statement, parameters = {}) =>
          Stream.unwrap(
            Effect.map(
              attempt(() => connection.stream(statement, ...bound(parameters))),
              (result) => Stream.fromAsyncIterable(result.yieldRowObjectJson(), problemOf)
            )
          ),
        kindOf: (text) =>
          attempt(async () => {
            const extracted = await connection.extractStatements(text)
            const first = extracted.count === 0 ? undefined : await extracted.prepare(0)
            const kind = { statements: extracted.count, type: first?.statementType }
            first?.destroySync()
            return kind
          }),
        tablesOf: (text) => attempt(async () => connection.getTableNames(text, false))
      }
      return database
    })
    return { connect }
  })

/** How much of a ledger a command holds in memory. */
export const memoryOfCommand = "1GB"

/** A connection to a database of its own, for a command. */
export const make: Connect = Effect.flatMap(open({ memory: memoryOfCommand }), ({ connect }) => connect)

const keepsOrder = (keeps: boolean): string => `SET SESSION preserve_insertion_order = ${keeps}`

/** Runs an effect whose statements give no order to the rows of the tables that they make. */
export const unordered = <A, E, R>({ query }: DuckDb, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    query(keepsOrder(false)),
    () => effect,
    () => Effect.ignore(query(keepsOrder(true)))
  )

/**
 * Runs an effect in a transaction of a connection. Where it fails, or the commit does, it is as if it had not run.
 *
 * Its rows are in no order. DuckDB 1.5.6 loses rows that it keeps in order: where a transaction first adds none to a table, and then
 * some 100,000, the table has none of them, though the statement says that they were added.
 */
export const transaction = <A, E, R>(
  database: DuckDb,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | CommandError, R> =>
  Effect.uninterruptibleMask((restore) =>
    unordered(
      database,
      database
        .query("BEGIN")
        .pipe(
          Effect.zipRight(Effect.onError(restore(effect), () => Effect.ignore(database.query("ROLLBACK")))),
          Effect.zipLeft(database.query("COMMIT"))
        )
    )
  )

/** A statement in a transaction that makes a table whose rows are in the order of the query. */
export const inOrder = (statement: string): ReadonlyArray<string> => [keepsOrder(true), statement, keepsOrder(false)]

/** A text as a literal of a statement. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

const bound = (
  parameters: Readonly<Record<string, Parameter>>
): [values: Record<string, DuckDBValue>, types: Record<string, DuckDBType>] => {
  const values: Record<string, DuckDBValue> = {}
  const types: Record<string, DuckDBType> = {}
  for (const [name, value] of Object.entries(parameters)) {
    values[name] = Array.isArray(value) ? listValue(value) : (value as string | number | null)
    // An empty list does not show what it is a list of.
    if (Array.isArray(value)) types[name] = LIST(VARCHAR)
  }
  return [values, types]
}

const rowsOf = async (
  connection: DuckDBConnection,
  statement: string,
  parameters: Readonly<Record<string, Parameter>>
): Promise<ReadonlyArray<Row>> => {
  // Without parameters nothing has to be prepared, and there may be several statements.
  const reader =
    Object.keys(parameters).length === 0
      ? await connection.runAndReadAll(statement)
      : await connection.runAndReadAll(statement, ...bound(parameters))
  return reader.getRowObjectsJson()
}

const problemOf = (error: unknown): CommandError =>
  new CommandError({
    message: `DuckDB cannot read the ledger: ${TerminalText.visible(String(error instanceof Error ? error.message : error))}`,
    exitCode: exitCodes.trouble
  })

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, CommandError> =>
  Effect.tryPromise({ try: run, catch: problemOf })
