/**
 * Tables of figures: what each column has as its head and in its cells, in one place.
 */
import type { ComponentChildren } from "preact"

/** A column of a table of such rows. */
export interface Column<Row> {
  readonly title: ComponentChildren
  /** The classes of its head and of its cells, such as `n` for numbers. */
  readonly kind?: string
  readonly cell: (row: Row) => ComponentChildren
}

/** The heads of columns. */
export const Heads = ({
  columns
}: {
  readonly columns: ReadonlyArray<{ readonly title: ComponentChildren; readonly kind?: string }>
}) => (
  <thead>
    <tr>
      {columns.map(({ kind, title }, index) => (
        <th key={index} scope="col" class={kind}>
          {title}
        </th>
      ))}
    </tr>
  </thead>
)

/** A table. What is in it besides the rows comes last. */
export const Table = <Row,>({
  children,
  columns,
  keyOf,
  kind = "plain",
  rowKind,
  rows
}: {
  readonly columns: ReadonlyArray<Column<Row>>
  readonly rows: ReadonlyArray<Row>
  readonly keyOf: (row: Row) => string
  readonly kind?: string
  readonly rowKind?: (row: Row) => string | undefined
  readonly children?: ComponentChildren
}) => (
  <table class={kind}>
    <Heads columns={columns} />
    <tbody>
      {rows.map((row) => (
        <tr key={keyOf(row)} class={rowKind?.(row)}>
          {columns.map(({ cell, kind }, index) => (
            <td key={index} class={kind}>
              {cell(row)}
            </td>
          ))}
        </tr>
      ))}
      {children}
    </tbody>
  </table>
)
