/**
 * Values of rows.
 */
import { BigDecimal } from "effect"
import type { Row } from "./LedgerStore.js"

type Cell = string | null | undefined

/** A count; 0 where there is none. */
export const count = (cell: Cell): number => Number(cell ?? 0)

/** A number that may not be known. */
export const known = (cell: Cell): number | undefined =>
  cell === null || cell === undefined ? undefined : Number(cell)

/** A text that may not be there. */
export const text = (cell: Cell): string | undefined => cell ?? undefined

/** An exact amount; 0 where there is none. */
export const amount = (cell: Cell): BigDecimal.BigDecimal =>
  BigDecimal.normalize(BigDecimal.unsafeFromString(cell ?? "0"))

/** The keys of a group: `key0` and so on. */
export const keys = (row: Row, count: number): ReadonlyArray<string | undefined> =>
  Array.from({ length: count }, (_, index) => text(row[`key${index}`]))
