/**
 * Statements of a user over a ledger, which can read the ledger and do nothing else.
 */
import { StatementType } from "@duckdb/node-api"
import type { FileSystem, Path } from "@effect/platform"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { TerminalText } from "botanu-effect/report"
import { Context, Effect, Predicate, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as DirectoryStore from "./DirectoryStore.js"
import * as DuckDb from "./DuckDb.js"
import { type Row, relations } from "./LedgerStore.js"
import * as PostgresStore from "./PostgresStore.js"

/** Where rows go, some at a time. */
type Take<E, R> = (rows: ReadonlyArray<Row>) => Effect.Effect<void, E, R>

/** Gives the rows of one statement that selects to `take`, some at a time. Anything else is refused. */
export const select = <E, R>(
  location: string,
  text: string,
  take: Take<E, R>
): Effect.Effect<void, CommandError | E, R | FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(
    PostgresStore.isUrl(location) ? selectInDatabase(location, text, take) : selectInDirectory(location, text, take)
  )

const selectInDirectory = <E, R>(location: string, text: string, take: Take<E, R>) =>
  Effect.gen(function* () {
    const database = yield* DuckDb.make
    // What is no statement is refused below, and by what is wrong with it.
    const named = yield* Effect.orElseSucceed(database.tablesOf(text), (): ReadonlyArray<string> => [])
    const files = yield* DirectoryStore.materialize(
      database,
      location,
      relations.filter((relation) => relation === "runs" || named.some((name) => name.toLowerCase() === relation))
    )
    // From here on no statement reaches another file or the network, and none changes that.
    yield* database.query(`SET allowed_paths = [${files.map(DuckDb.literal).join(", ")}]`)
    yield* database.query("SET enable_external_access = false")
    yield* database.query("SET lock_configuration = true")
    const kind = yield* Effect.mapError(database.kindOf(text), reasonOf)
    if (kind.statements !== 1) return yield* refused("expected one statement")
    if (kind.type !== StatementType.SELECT && kind.type !== StatementType.EXPLAIN) {
      return yield* refused("only SELECT is allowed: the ledger is read, not changed")
    }
    yield* Stream.runForEach(Stream.mapError(database.stream(text), reasonOf), (rows) =>
      take(rows.map(DirectoryStore.asText))
    )
  })

const selectInDatabase = <E, R>(location: string, text: string, take: Take<E, R>) =>
  Effect.gen(function* () {
    const database = yield* PostgresStore.locationOf(location)
    const client = yield* PostgresStore.client(database, "reads")
    const sql = Context.get(client, SqlClient.SqlClient)
    // As a subquery it cannot be a command, and with a parameter it cannot be more than one statement.
    const wrapped = `WITH ${PostgresStore.relationsOf(relations, database.schema)}
      SELECT selected.* FROM (${text.replace(/;\s*$/, "")}
      ) AS selected WHERE $1::text IS NULL`
    const problemOf = (error: SqlError): CommandError => {
      const problem = PostgresStore.problemOf(database, error)
      return problem.exitCode === exitCodes.usage ? problem : reasonOf(problem)
    }
    const selected = Effect.gen(function* () {
      const [role] = yield* sql<Row>`SELECT usesuper AS is_superuser FROM pg_user WHERE usename = current_user`
        .withoutTransform
      // A superuser may read the files of the server in a SELECT.
      if (role?.is_superuser === "true") yield* sql`SET LOCAL ROLE pg_read_all_data`
      yield* Stream.runForEach(PostgresStore.rowsOf(sql, wrapped, [null]), take)
    })
    yield* Effect.mapError(sql.withTransaction(selected), (error) =>
      Predicate.isTagged(error, "SqlError") ? problemOf(error as SqlError) : error
    )
  })

const refused = (reason: string): CommandError =>
  new CommandError({
    message: `the statement is refused: ${TerminalText.visible(reason)}`,
    exitCode: exitCodes.usage
  })

/** The first line of what a database says, without what the command puts before it. */
const reasonOf = ({ message }: CommandError): CommandError =>
  refused(message.replace(/^(DuckDB cannot read the ledger|PostgreSQL refuses): /, "").replace(/\\u000a.*/, ""))
