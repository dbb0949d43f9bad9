/**
 * All customers, workflows, models or steps of a period, the dearest first.
 */
import { Figures } from "botanu-effect/report"
import type { GroupKey, Groups } from "../src/serve/PageApi.js"
import { Filters } from "./Filters.js"
import { callColumns, countColumns, eventColumns, GroupTable, groupWords } from "./GroupTable.js"
import { go, hrefOf, hrefWith, type Location } from "./Location.js"
import type { ViewProperties } from "./Page.js"
import { useData, useLasting } from "./PageData.js"
import { carried, periodText, queryOf } from "./Selection.js"
import { Skeleton } from "./Text.js"

const pageRows = 200

const groupKeys = Object.keys(groupWords) as ReadonlyArray<GroupKey>

/** What the address asks for. */
export const groupKeyOf = ({ parameters }: Location): GroupKey =>
  groupKeys.find((key) => key === parameters.get("by")) ?? "customer"

export const GroupsView = ({ location, period, revision }: ViewProperties) => {
  const by = groupKeyOf(location)
  const page = Math.max(1, Math.floor(Number(location.parameters.get("page") ?? "1")) || 1)
  const loaded = useData<Groups>(
    "groups",
    { ...queryOf(location, period), by, offset: (page - 1) * pageRows, limit: pageRows },
    revision
  )
  const data = loaded.key.includes(`by=${by}`) ? loaded.data : undefined
  const isSlow = useLasting(loaded.isLoading && data === undefined, 200)
  const events = (name: string) => hrefOf("/events", { ...carried(location), [by]: name })
  const [, all] = groupWords[by]
  const before = data === undefined ? "" : `, against ${periodText({ since: data.beforeSinceMs, until: data.sinceMs })}`
  return (
    <div class={`groups${isSlow ? " slow" : ""}`} aria-busy={loaded.isLoading}>
      <div class="scope">
        <h1>
          {all}{" "}
          <span class="faint">
            {periodText(period)} UTC{by === "customer" || by === "workflow" ? before : ""}
          </span>
        </h1>
        <Filters location={location} />
        <div class="segments low end" role="group" aria-label="Groups">
          {groupKeys.map((key) => (
            <button
              key={key}
              type="button"
              aria-pressed={key === by}
              onClick={() => go(hrefWith(location, { by: key, page: undefined }))}
            >
              {groupWords[key][1]}
            </button>
          ))}
        </div>
      </div>
      {data === undefined ? (
        <p>
          <Skeleton width={132} />
        </p>
      ) : data.events.length + data.calls.length === 0 ? (
        <div class="state">
          <h2>Nothing in this period</h2>
          <p class="mute">
            <a class="link" href={hrefWith(location, { page: undefined }, "/events")}>
              See its events
            </a>
          </p>
        </div>
      ) : (
        <>
          {by === "customer" || by === "workflow" ? (
            <GroupTable
              by={by}
              rows={data.events}
              columns={[
                ...countColumns,
                ...eventColumns(
                  data.events,
                  data.events.some(({ before }) => before !== null)
                )
              ]}
              amountOf={({ now }) => Number(now.usd)}
              hrefOf={({ name }) => events(name)}
            />
          ) : (
            <GroupTable
              by={by}
              rows={data.calls}
              columns={callColumns(by, data.calls)}
              amountOf={({ usd }) => Number(usd)}
              hrefOf={({ name }) => events(name)}
            />
          )}
          <Pages count={data.count} page={page} hrefOf={(page) => hrefWith(location, { page })} />
        </>
      )}
    </div>
  )
}

const Pages = ({
  count,
  hrefOf,
  page
}: {
  readonly count: number
  readonly page: number
  readonly hrefOf: (page: number | undefined) => string
}) => {
  const first = (page - 1) * pageRows
  const last = Math.min(count, first + pageRows)
  return (
    <p class="note">
      {first === 0 && last === count
        ? `${Figures.count(count)}, all of them`
        : `${Figures.count(first + 1)} to ${Figures.count(last)} of ${Figures.count(count)}`}
      {page > 1 ? (
        <>
          {" "}
          <a class="link" href={hrefOf(page === 2 ? undefined : page - 1)}>
            Before
          </a>
        </>
      ) : null}
      {last < count ? (
        <>
          {" "}
          <a class="link" href={hrefOf(page + 1)}>
            Next
          </a>
        </>
      ) : null}
    </p>
  )
}
