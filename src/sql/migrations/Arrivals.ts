/**
 * Migration 4: an index by which those who follow a ledger find the records that came last.
 */

/** The statements of the migration. `s` is the schema, a plain identifier. */
export const arrivals = (s: string): string => `
-- Records come in the order of this column, so that a range of blocks is enough.
CREATE INDEX ON ${s}.records USING brin (recorded_at);
`
