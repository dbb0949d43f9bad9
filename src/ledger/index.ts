/**
 * A ledger of runs in a directory, for `@effect/platform`.
 */
export * as Ledger from "./Ledger.js"
