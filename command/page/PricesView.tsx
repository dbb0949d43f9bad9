/**
 * Prices and unknowns: what is in no sum, why, and what would change that.
 */
import { Figures } from "botanu-effect/report"
import type { Prices } from "../src/serve/PageApi.js"
import { Filters } from "./Filters.js"
import { hrefOf } from "./Location.js"
import type { ViewProperties } from "./Page.js"
import { useData, useLasting } from "./PageData.js"
import { carried, periodText, queryOf } from "./Selection.js"
import { Table } from "./Table.js"
import { ColumnAmount, Name, placesOf, plural, Skeleton, Spend, Unknown, usd } from "./Text.js"
import { WithoutPrice } from "./WithoutPrice.js"

export const PricesView = ({ location, period, revision }: ViewProperties) => {
  const { data, isLoading } = useData<Prices>("unpriced", queryOf(location, period), revision)
  const isSlow = useLasting(isLoading && data === undefined, 200)
  const events = (changes: Readonly<Record<string, string>>) => hrefOf("/events", { ...carried(location), ...changes })
  const totals = data?.totals
  const waiting = <Skeleton width={56} />
  const inPart = (data?.unpriced ?? []).reduce((sum, { usd }) => sum + Number(usd), 0)
  return (
    <div class={`prices${isSlow ? " slow" : ""}`} aria-busy={isLoading}>
      <div class="scope">
        <h1>
          Prices and unknowns <span class="faint">{periodText(period)} UTC</span>
        </h1>
        <Filters location={location} />
      </div>
      <section class="sums" aria-label="Sums">
        <div>
          <h2>Spend that is known</h2>
          <p>{totals === undefined ? waiting : <Spend amount={totals} />}</p>
        </div>
        <div>
          <h2>Calls without a price</h2>
          <p>
            {totals === undefined ? (
              waiting
            ) : (
              <>
                {Figures.count(totals.unpricedCalls)} <span class="mute">of {Figures.count(totals.calls)}</span>
              </>
            )}
          </p>
        </div>
        <div>
          <h2>Known of them in part</h2>
          <p>{totals === undefined ? waiting : inPart === 0 ? "nothing" : usd(inPart.toFixed(12))}</p>
        </div>
      </section>
      {data === undefined ? null : (
        <>
          <WithoutPrice calls={data.unpriced} events={events} isWhole />
          <Repriced data={data} />
          <Priced data={data} events={events} />
        </>
      )}
    </div>
  )
}

type EventsHref = (changes: Readonly<Record<string, string>>) => string

const Repriced = ({ data: { repriced, unpriced } }: { readonly data: Prices }) => {
  if (unpriced.length === 0) return null
  const placesAdded = placesOf((repriced?.models ?? []).map(({ usd }) => usd))
  return (
    <section>
      <div class="head">
        <h2>What a price file would add</h2>
      </div>
      {repriced === null ? (
        <p class="mute">
          Start the page with a price file to see it: <code>botanu serve --prices FILE</code>. To write the prices into
          the ledger: <code>botanu reprice --prices FILE --write</code>
        </p>
      ) : (
        <>
          <Table
            columns={[
              { title: "Model or meter", cell: ({ name }) => <Name text={name} /> },
              { title: "Calls that get a price", kind: "n", cell: ({ calls }) => Figures.count(calls) },
              {
                title: "Would add",
                kind: "n",
                cell: (row) =>
                  row.calls === 0 ? (
                    <Unknown>no price</Unknown>
                  ) : (
                    <ColumnAmount amount={{ usd: row.usd, unpricedCalls: 0 }} places={placesAdded} prefix="$" />
                  )
              }
            ]}
            rows={repriced.models}
            keyOf={({ name, reason }) => `${name} ${reason}`}
          />
          <p class="note">
            By {repriced.source}: {usd(repriced.usd)} for {plural(repriced.calls, "call")}.{" "}
            {repriced.unpricedCalls === 0
              ? ""
              : `${plural(repriced.unpricedCalls, "call")} would still have no price. `}
            Nothing is written. To write it: <code>botanu reprice --prices FILE --write</code>
          </p>
        </>
      )}
    </section>
  )
}

const Priced = ({ data, events }: { readonly data: Prices; readonly events: EventsHref }) => {
  const places = placesOf(data.models.map(({ usd }) => usd))
  return (
    <section>
      <div class="head">
        <h2>All models and services</h2>
      </div>
      <Table
        columns={[
          { title: "Name", cell: ({ name }) => <Name text={name} href={events({ model: name })} /> },
          { title: "Calls", kind: "n", cell: ({ calls }) => Figures.count(calls) },
          { title: "Tokens", kind: "n", cell: ({ tokens }) => (tokens === 0 ? "–" : Figures.large(tokens)) },
          {
            title: "Without a price",
            kind: "n at-860",
            cell: ({ unpricedCalls }) => (unpricedCalls === 0 ? "–" : Figures.count(unpricedCalls))
          },
          {
            title: "Spend",
            kind: "n",
            cell: (row) => <ColumnAmount amount={row} places={places} prefix="$" />
          }
        ]}
        rows={data.models}
        keyOf={({ name }) => name}
      />
    </section>
  )
}
