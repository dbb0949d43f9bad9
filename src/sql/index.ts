/**
 * A ledger of runs in PostgreSQL, for `@effect/sql`.
 */
export * as LedgerSql from "./LedgerSql.js"
