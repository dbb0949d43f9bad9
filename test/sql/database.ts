/**
 * Programs over databases of a test's own.
 */
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { PostgresServer, type ServerOptions } from "./PostgresServer.js"

/** A server for the tests of a file. */
export const useServer = (options?: ServerOptions): (() => PostgresServer) => {
  let server: PostgresServer | undefined
  beforeAll(async () => {
    server = await PostgresServer.start(options)
  }, 60_000)
  afterAll(() => server?.remove())
  return () => {
    if (server === undefined) throw new Error("the server has not started")
    return server
  }
}

export const clientOf = (url: string, options: Omit<PgClient.PgClientConfig, "url"> = {}) =>
  PgClient.layer({ url: Redacted.make(url), ...options })

/** Runs a program over a new database. */
export const inNewDatabase =
  (server: () => PostgresServer) =>
  <A, E>(use: (url: string) => Effect.Effect<A, E, SqlClient.SqlClient>): Promise<A> =>
    Effect.runPromise(
      Effect.flatMap(
        Effect.promise(() => server().newDatabase()),
        (url) => Effect.provide(use(url), clientOf(url))
      )
    )

/** The rows of a query that a test writes itself. */
export const rows = <A extends object = Record<string, unknown>>(query: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe<A>(query))
