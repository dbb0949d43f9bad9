/**
 * The calls without a price: which they are, why they have none, and how much they consumed.
 */
import { Figures } from "botanu-effect/report"
import type { ComponentChildren } from "preact"
import type { Unpriced } from "../src/serve/PageApi.js"
import { type Column, Table } from "./Table.js"
import { ColumnAmount, meterAmount, meterText, Name, placesOf, plural, Unknown } from "./Text.js"

/** Calls without a price, by model and reason. `isWhole` shows all that is known of them. */
export const WithoutPrice = ({
  calls,
  events,
  isWhole = false,
  link
}: {
  readonly calls: ReadonlyArray<Unpriced> | undefined
  /** The events of a selection. */
  readonly events: (changes: Readonly<Record<string, string>>) => string
  readonly isWhole?: boolean
  readonly link?: ComponentChildren
}) => (
  <section>
    <div class="head">
      <h2>Without a price</h2>
      {link}
    </div>
    {calls?.length === 0 ? (
      <p class="mute">Every call of this period has a price.</p>
    ) : (
      <>
        <Table
          columns={[
            {
              title: "Model or meter",
              cell: (row) => (
                <div class="cut">
                  <Name text={row.name} href={events({ model: row.name, unpriced: "yes" })} />{" "}
                  <span class="faint">
                    {isWhole ? (
                      <>
                        <bdi>{row.provider}</bdi>,{" "}
                      </>
                    ) : null}
                    {whyText(row)}
                  </span>
                </div>
              )
            },
            { title: "Calls", kind: "n", cell: ({ calls }) => Figures.count(calls) },
            ...(isWhole ? wholeColumns(calls ?? []) : [{ title: "Quantity", kind: "n", cell: quantityText }])
          ]}
          rows={calls ?? []}
          keyOf={({ missing, name, provider, reason }) => `${name} ${provider} ${reason} ${missing}`}
        />
        <p class="note">
          In no sum. A sum that lacks n calls shows <Unknown>+n</Unknown>
        </p>
      </>
    )}
  </section>
)

const wholeColumns = (calls: ReadonlyArray<Unpriced>): ReadonlyArray<Column<Unpriced>> => {
  const places = placesOf(calls.map(({ usd }) => usd))
  return [
    { title: "Events", kind: "n at-860", cell: ({ events }) => Figures.count(events) },
    {
      title: "Quantities",
      kind: "n",
      cell: ({ calls, quantities }) =>
        Object.entries(quantities).length === 0
          ? plural(calls, "request")
          : Object.entries(quantities).map(([name, amount]) => <div key={name}>{meterAmount(amount, name)}</div>)
    },
    {
      title: "Known in part",
      kind: "n at-860",
      cell: (row) =>
        Number(row.usd) === 0 ? (
          <Unknown>no price</Unknown>
        ) : (
          <ColumnAmount amount={{ usd: row.usd, unpricedCalls: 0 }} places={places} prefix="$" />
        )
    }
  ]
}

const reasonTexts: Readonly<Record<string, string>> = {
  unknown_model: "not in the price file",
  no_price_for_kind: "has no price",
  no_usage: "reported no usage"
}

/** Why calls have no price. */
const whyText = ({ missing, reason }: Pick<Unpriced, "reason" | "missing">): string =>
  reason === "no_price_for_kind" && missing.length > 0
    ? `no price for ${missing.map(meterText).join(", ")}`
    : (reasonTexts[reason] ?? reason)

/** The quantity of calls without a price that says most. */
const quantityText = ({ calls, missing, quantities }: Unpriced): string => {
  const [only] = missing
  if (missing.length === 1 && only !== undefined && quantities[only] !== undefined) {
    return meterAmount(quantities[only], only)
  }
  const tokens = (quantities["inputTokens"] ?? 0) + (quantities["outputTokens"] ?? 0)
  if (tokens > 0) return `${Figures.large(tokens)} tokens`
  const [name, amount] = Object.entries(quantities)[0] ?? []
  return name === undefined ? plural(calls, "request") : meterAmount(amount ?? 0, name)
}
