/**
 * Where the SQL of the two stores differs. All else of a report is one text for both.
 */

/** Expressions of a store's SQL. Their arguments are expressions of ours, never text of a user. */
export interface Dialect {
  readonly name: "duckdb" | "postgres"
  /** An aggregate: the value in the row that comes first by these expressions. */
  readonly first: (value: string, order: ReadonlyArray<string>) => string
  /** An aggregate: the value in the row that comes last by these expressions. */
  readonly last: (value: string, order: ReadonlyArray<string>) => string
  /** The day of an instant in UTC, as `2026-11-26`. */
  readonly day: (instant: string) => string
  /** An instant as an ISO text in UTC with milliseconds. */
  readonly iso: (instant: string) => string
  /** An aggregate: the numbers of many lists, for `percentile`. */
  readonly gathered: (lists: string) => string
  /** The smallest of the gathered numbers that is not below a share of them. */
  readonly percentile: (gathered: string, share: number) => string
  /** Before a common table expression that is read for each of many rows: it is made once. DuckDB decides well by itself. */
  readonly materialized: string
  /** The milliseconds from one instant to another. */
  readonly elapsedMillis: (from: string, to: string) => string
}

export const duckDb: Dialect = {
  name: "duckdb",
  first: (value, order) => `arg_min(${value}, ${keyOf(order)})`,
  last: (value, order) => `arg_max(${value}, ${keyOf(order)})`,
  day: (instant) => `strftime(${instant} AT TIME ZONE 'UTC', '%Y-%m-%d')`,
  iso: (instant) => `strftime(${instant} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')`,
  gathered: (lists) => `flatten(list(${lists}))`,
  percentile: (gathered, share) =>
    `list_extract(list_sort(${gathered}), ceil(len(${gathered})::DOUBLE * ${share}::DOUBLE)::BIGINT)`,
  materialized: "",
  elapsedMillis: (from, to) => `(epoch_ms(${to}) - epoch_ms(${from}))`
}

export const postgres: Dialect = {
  name: "postgres",
  first: (value, order) => `(array_agg(${value} ORDER BY ${order.join(", ")}))[1]`,
  last: (value, order) => `(array_agg(${value} ORDER BY ${order.map((key) => `${key} DESC`).join(", ")}))[1]`,
  day: (instant) => `to_char(${instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  iso: (instant) => `to_char(${instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  gathered: (lists) => `string_agg(nullif(array_to_string(${lists}, ','), ''), ',')`,
  percentile: (gathered, share) =>
    `(SELECT percentile_disc(${share}) WITHIN GROUP (ORDER BY one::double precision)
      FROM unnest(string_to_array(${gathered}, ',')) AS each(one))`,
  materialized: "MATERIALIZED ",
  elapsedMillis: (from, to) => `(extract(epoch FROM ${to} - ${from}) * 1000)`
}

const keyOf = (order: ReadonlyArray<string>): string => (order.length === 1 ? `${order[0]}` : `(${order.join(", ")})`)
