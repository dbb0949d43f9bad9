/**
 * The overview: what a success cost in a period, how that changed, and who and what it was spent on.
 */
import { Figures } from "botanu-effect/report"
import { line } from "d3-shape"
import type { ComponentChildren } from "preact"
import type { Overview as Data, Group, GroupKey, Stack, Sums, Totals } from "../src/serve/PageApi.js"
import * as Change from "../src/terminal/Change.js"
import { Filters } from "./Filters.js"
import { callColumns, eventColumns, GroupTable, groupWords, type Listed } from "./GroupTable.js"
import { go, hrefOf, hrefWith, type Location } from "./Location.js"
import type { ViewProperties } from "./Page.js"
import { useData, useLasting } from "./PageData.js"
import { carried, filtersOf, type Period, periodText, queryOf } from "./Selection.js"
import { SpendChart } from "./SpendChart.js"
import { Table } from "./Table.js"
import {
  ChangeText,
  ColumnAmount,
  columnText,
  isUnknown,
  Mark,
  Name,
  placesOf,
  plural,
  Skeleton,
  Spend,
  Unknown,
  usd
} from "./Text.js"
import { WithoutPrice } from "./WithoutPrice.js"

const stacks: ReadonlyArray<readonly [Stack, string]> = [
  ["workflow", "Workflow"],
  ["outcome", "Outcome"],
  ["customer", "Customer"],
  ["model", "Model"]
]

export const Overview = ({
  hold,
  location,
  now,
  period,
  revision,
  status
}: ViewProperties & { readonly hold: (isHeld: boolean) => void }) => {
  const given = location.parameters.get("stack")
  const stack = stacks.find(([name]) => name === given)?.[0] ?? "workflow"
  const { data, error, isLoading } = useData<Data>("overview", { ...queryOf(location, period), stack }, revision)
  const isSlow = useLasting(isLoading && data === undefined, 200)
  const events = (changes: Readonly<Record<string, string | number | undefined>>) =>
    hrefOf("/events", { ...carried(location), ...changes })
  const before = data === undefined ? undefined : { since: data.beforeSinceMs, until: data.sinceMs }
  return (
    <div class={`overview${isSlow ? " slow" : ""}`} aria-busy={isLoading}>
      <div class="scope">
        <h1>
          {periodText(period)}, {new Date(period.until - 1).getUTCFullYear()}{" "}
          <span class="faint">UTC{before === undefined ? "" : `, against ${periodText(before)}`}</span>
        </h1>
        <Filters location={location} />
        <p class="faint small end">{freshness(period, status.lastStartMs, now)}</p>
      </div>
      {data === undefined && error !== undefined ? (
        <p class="state">The figures could not be read. They are asked for again with the next change.</p>
      ) : data !== undefined && data.now.events === 0 ? (
        <Nothing location={location} status={status} />
      ) : (
        <>
          <KeyFigures data={data} events={events} />
          <div class="columns">
            <section aria-labelledby="spend">
              <SpendChart
                data={data}
                stack={stack}
                period={period}
                now={now}
                hold={hold}
                stackBy={
                  <div class="segments low" role="group" aria-label="Stack by">
                    {stacks.map(([name, label]) => (
                      <button
                        key={name}
                        type="button"
                        aria-pressed={name === stack}
                        onClick={() => go(hrefWith(location, { stack: name === "workflow" ? undefined : name }), true)}
                      >
                        {label}
                      </button>
                    ))}
                  </div>
                }
                open={(startMs, endMs, name) =>
                  go(
                    hrefOf("/events", {
                      ...carried(location),
                      period: undefined,
                      since: new Date(startMs).toISOString(),
                      until: new Date(endMs).toISOString(),
                      ...(name !== undefined && name !== "other" && { [stack]: name })
                    })
                  )
                }
              />
            </section>
            <div class="aside">
              <Reasons data={data} events={events} />
              <WithoutPrice
                calls={data?.unpriced.slice(0, 5)}
                link={<a href={hrefOf("/prices", carried(location))}>Price them</a>}
                events={events}
              />
              <Values data={data} events={events} />
            </div>
          </div>
          <Lists
            data={data}
            stack={stack}
            events={events}
            groups={(by) => hrefOf("/groups", { ...carried(location), by })}
          />
        </>
      )}
    </div>
  )
}

type EventsHref = (changes: Readonly<Record<string, string | number | undefined>>) => string

const freshness = (period: Period, lastStartMs: number | null, now: number): string => {
  const last = lastStartMs === null ? "" : `Last run ${age(now - lastStartMs)} ago.`
  return period.until > now ? `Today is still coming in. ${last}` : last
}

const age = (millis: number): string => Figures.duration(Math.max(1000, Math.round(millis / 1000) * 1000))

const Nothing = ({ location, status }: { readonly location: Location; readonly status: ViewProperties["status"] }) => {
  const filters = Object.keys(filtersOf(location)).length
  const { firstStartMs, lastStartMs } = status
  return (
    <div class="state">
      <h2>
        No event {filters === 0 ? "in this period" : `matches ${filters === 1 ? "this filter" : "these filters"}`}
      </h2>
      {firstStartMs === null || lastStartMs === null ? null : (
        <p class="mute">
          The ledger holds {plural(status.events, "event")} from {Figures.date(firstStartMs)} to{" "}
          {Figures.date(lastStartMs)}.{" "}
          <a
            class="link"
            href={hrefWith(location, {
              period: undefined,
              since: new Date(firstStartMs).toISOString().slice(0, 10),
              until: new Date(lastStartMs + 86_400_000).toISOString().slice(0, 10)
            })}
          >
            Show all of it
          </a>
        </p>
      )}
    </div>
  )
}

/** A line of a figure over the period, without an axis. */
const Spark = ({ values }: { readonly values: ReadonlyArray<number | null> | undefined }) => {
  const known = (values ?? []).filter((value) => value !== null)
  if (values === undefined || known.length < 2) return <svg class="spark" aria-hidden="true" />
  const [low, high] = [Math.min(...known) * 0.9, Math.max(...known)]
  const path = line<number | null>()
    .defined((value) => value !== null)
    .x((_, index) => (index * 100) / Math.max(1, values.length - 1))
    .y((value) => (high === low ? 26 : 27 - (25 * ((value ?? 0) - low)) / (high - low)))(values)
  return (
    <svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
      <path class="measured" d={path ?? ""} />
    </svg>
  )
}

const perSuccess = ({ successes, usd }: Totals): number | null => (successes === 0 ? null : Number(usd) / successes)
const rate = ({ ended, successes }: Totals): number | null => (ended === 0 ? null : successes / ended)

const changeOf = (now: number | null, before: number | null | undefined): string | undefined =>
  now === null || before === null || before === undefined ? undefined : Change.relative(now, before)

const KeyFigures = ({ data, events }: { readonly data: Data | undefined; readonly events: EventsHref }) => {
  const { before, now } = data ?? {}
  const spark = (value: (totals: Totals) => number | null) => data?.buckets.map(({ totals }) => value(totals))
  const waiting = (
    <>
      <p class="big">
        <Skeleton width={88} />
      </p>
      <p class="delta">
        <Skeleton width={132} />
      </p>
    </>
  )
  return (
    <section class="figures" aria-label="Key figures">
      <div class="figure hero">
        <h2>Cost per success</h2>
        {now === undefined ? waiting : <PerSuccess now={now} before={before ?? null} />}
        <Spark values={spark(perSuccess)} />
        {now === undefined ? null : <Consists totals={now} />}
      </div>
      <Figure title="Spend" spark={spark(({ usd }) => Number(usd))}>
        {now === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <a href={events({})}>
                <Spend amount={now} />
              </a>
            </p>
            <ChangeText
              text={changeOf(Number(now.usd), before && Number(before.usd))}
              before={before ? usd(before.usd) : ""}
            />
          </>
        )}
      </Figure>
      <Figure title="Events" spark={spark(({ events }) => events)}>
        {now === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <a href={events({})}>{Figures.count(now.events)}</a>
              {now.running === 0 ? null : (
                <>
                  {" "}
                  <span class="unit">{Figures.count(now.running)} running</span>
                </>
              )}
            </p>
            <ChangeText
              text={changeOf(now.events, before?.events)}
              before={before ? Figures.count(before.events) : ""}
            />
          </>
        )}
      </Figure>
      <Figure title="Success rate" spark={spark(rate)}>
        {now === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <a href={events({ outcome: "success" })}>
                {rate(now) === null ? "–" : `${Figures.percent(rate(now) ?? 0)}%`}
              </a>
            </p>
            <ChangeText
              text={
                before && rate(before) !== null && rate(now) !== null
                  ? Change.ofRate(rate(now) ?? 0, rate(before) ?? 0)
                  : undefined
              }
              before={before && rate(before) !== null ? `${Figures.percent(rate(before) ?? 0)}%` : ""}
              less="worse"
            />
          </>
        )}
      </Figure>
      <Figure
        title={
          <>
            Cost of failures{" "}
            {now === undefined || Number(now.usd) === 0 ? null : (
              <span class="faint">{Figures.percent(Number(now.usdOfFailures) / Number(now.usd))}% of spend</span>
            )}
          </>
        }
        spark={spark(({ usdOfFailures }) => Number(usdOfFailures))}
      >
        {now === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <a href={events({ outcome: failures })}>
                <Spend amount={{ usd: now.usdOfFailures, unpricedCalls: now.unpricedCallsOfFailures }} />
              </a>
            </p>
            <ChangeText
              text={changeOf(Number(now.usdOfFailures), before && Number(before.usdOfFailures))}
              before={before ? usd(before.usdOfFailures) : ""}
              less="better"
            />
          </>
        )}
      </Figure>
      <Figure title="Calls without a price" spark={spark(({ unpricedCalls }) => unpricedCalls)}>
        {now === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <a href={events({ unpriced: "yes" })}>{shareText(now.unpricedCalls, now.calls)}</a>{" "}
              <span class="unit">{plural(now.unpricedCalls, "call")}</span>
            </p>
            <ChangeText
              text={before ? differenceText(now.unpricedCalls - before.unpricedCalls) : undefined}
              before={before ? Figures.count(before.unpricedCalls) : ""}
              less="better"
            />
          </>
        )}
      </Figure>
    </section>
  )
}

const failures = "failure,timeout,canceled"

/** A share in percent; what is there is not shown as 0. */
const shareText = (part: number, whole: number): string => {
  if (whole === 0 || part === 0) return "0%"
  const percents = (part / whole) * 100
  return percents < 0.01 ? "< 0.01%" : `${percents.toFixed(percents < 10 ? 2 : 1)}%`
}

const differenceText = (difference: number): string =>
  `${difference > 0 ? "+" : difference < 0 ? "−" : "±"}${Figures.count(Math.abs(difference))}`

const Figure = ({
  children,
  spark,
  title
}: {
  readonly title: ComponentChildren
  readonly spark: ReadonlyArray<number | null> | undefined
  readonly children: ComponentChildren
}) => (
  <div class="figure">
    <h2>{title}</h2>
    {children}
    <Spark values={spark} />
  </div>
)

const PerSuccess = ({ before, now }: { readonly now: Totals; readonly before: Totals | null }) => {
  if (now.usdPerSuccess === null) {
    return (
      <>
        <p class="big">
          none <span class="unit">of {Figures.count(now.events)} succeeded</span>
        </p>
        <p class="delta">
          <Spend amount={now} /> spent, all of it without success
        </p>
      </>
    )
  }
  if (isUnknown(now)) {
    return (
      <>
        <p class="big">
          <Unknown>no price</Unknown>
        </p>
        <p class="delta">
          {plural(now.unpricedCalls, "call")}. Load a price file: <code>botanu reprice --prices FILE</code>
        </p>
      </>
    )
  }
  return (
    <>
      <p class="big">
        <Spend amount={{ usd: now.usdPerSuccess, unpricedCalls: now.unpricedCalls }} word="unpriced" />
      </p>
      <ChangeText
        text={changeOf(perSuccess(now), before && perSuccess(before))}
        before={before?.usdPerSuccess ? usd(before.usdPerSuccess) : ""}
        less="better"
      />
    </>
  )
}

/** What the cost of a success consists of. */
const Consists = ({ totals }: { readonly totals: Totals }) => {
  if (totals.successes === 0 || Number(totals.usd) === 0) return null
  const of = (amount: string) => Number(amount) / totals.successes
  const [inSuccesses, inFailures, inPartials] = [
    of(totals.usdOfSuccesses),
    of(totals.usdOfFailures),
    of(totals.usdOfPartials)
  ]
  const rest = of(totals.usd) - inSuccesses - inFailures - inPartials
  const parts = (
    [
      ["success", "in successes", inSuccesses],
      ["failure", "in failures", inFailures],
      ["partial", "in partial", inPartials],
      ["none", "still running", rest > 1e-12 ? rest : 0]
    ] as const
  ).filter(([, , amount]) => amount > 0)
  return (
    <div>
      <div class="split" aria-hidden="true">
        {parts.map(([status, , amount]) => (
          <i key={status} class={`fill-${status}`} style={{ flexGrow: amount / of(totals.usd) }} />
        ))}
      </div>
      <ul class="parts">
        {parts.map(([status, name, amount]) => (
          <li key={status}>
            <i class={`swatch fill-${status}`} />
            {usd(amount.toFixed(12))} {name}
          </li>
        ))}
      </ul>
    </div>
  )
}

const Reasons = ({ data, events }: { readonly data: Data | undefined; readonly events: EventsHref }) => {
  const reasons = data?.reasons ?? []
  const shown = reasons.slice(0, 5)
  const others = (data?.counts.reasons ?? 0) - shown.length
  const total = data?.now.failures ?? 0
  const rest = total - shown.reduce((sum, { events }) => sum + events, 0)
  const restUsd = Number(data?.now.usdOfFailures ?? 0) - shown.reduce((sum, { usd }) => sum + Number(usd), 0)
  const restUnpriced =
    (data?.now.unpricedCallsOfFailures ?? 0) - shown.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0)
  const places = placesOf(shown.map(({ usd }) => usd))
  const eachOf = ({ events, usd }: Data["reasons"][number]) => (Number(usd) / events).toFixed(12)
  const placesOfEach = placesOf(shown.map(eachOf))
  return (
    <section>
      <div class="head">
        <h2>Failures that cost most</h2>
        <a href={events({ outcome: failures })}>All failures</a>
      </div>
      {data !== undefined && total === 0 ? (
        <p class="mute">Nothing failed in this period.</p>
      ) : (
        <Table
          columns={[
            {
              title: "Reason",
              cell: (row) => (
                <div class="cut">
                  <Mark status={row.status} />
                  <span class="hidden">{row.status}: </span>
                  <Name
                    text={row.reason}
                    href={events({
                      outcome: row.status,
                      workflow: row.workflow,
                      ...(row.reason !== row.status && { reason: row.reason })
                    })}
                  />{" "}
                  <span class="faint">
                    <Name text={row.workflow} />
                  </span>
                </div>
              )
            },
            { title: "Events", kind: "n", cell: ({ events }) => Figures.count(events) },
            {
              title: "Cost",
              kind: "n",
              cell: (row) => <ColumnAmount amount={row} places={places} prefix="$" />
            },
            {
              title: "Each",
              kind: "n",
              cell: (row) => (
                <span class="mute">{isUnknown(row) ? "–" : `$${columnText(eachOf(row), placesOfEach)}`}</span>
              )
            }
          ]}
          rows={shown}
          keyOf={({ reason, status, workflow }) => `${status} ${reason} ${workflow}`}
        >
          {others > 0 ? (
            <tr class="rest">
              <td>{plural(others, "other reason")}</td>
              <td class="n">{Figures.count(rest)}</td>
              <td class="n">
                <ColumnAmount
                  amount={{ usd: Math.max(0, restUsd).toFixed(12), unpricedCalls: restUnpriced }}
                  places={places}
                  prefix="$"
                />
              </td>
              <td />
            </tr>
          ) : null}
        </Table>
      )}
    </section>
  )
}

const Values = ({ data, events }: { readonly data: Data | undefined; readonly events: EventsHref }) => {
  const shown = (data?.values ?? []).slice(0, 6)
  const eachOf = ({ amount, usd }: Data["values"][number]) => (Number(usd) / amount).toFixed(12)
  const places = placesOf(shown.map(eachOf))
  return (
    <section>
      <div class="head">
        <h2>What came of it</h2>
      </div>
      {data !== undefined && data.values.length === 0 ? (
        <p class="mute">
          No outcome has a value. <code>Outcome.emit("success", {"{ valueType, valueAmount }"})</code>
        </p>
      ) : (
        <Table
          columns={[
            { title: "Value", cell: ({ name }) => <Name text={name} href={events({ value: name })} /> },
            { title: "Amount", kind: "n", cell: ({ amount }) => Figures.large(amount) },
            {
              title: "Cost each",
              kind: "n",
              cell: (row) => (
                <ColumnAmount
                  amount={{ usd: eachOf(row), unpricedCalls: row.unpricedCalls }}
                  places={places}
                  prefix="$"
                />
              )
            }
          ]}
          rows={shown}
          keyOf={({ name }) => name}
        />
      )}
    </section>
  )
}

const List = ({
  all,
  by,
  children,
  count
}: {
  readonly by: GroupKey
  readonly count: number
  readonly all: string
  readonly children: ComponentChildren
}) => (
  <section>
    <div class="head">
      <h2>{groupWords[by][1]}</h2>
      {count > shownGroups ? <a href={all}>All {Figures.count(count)}</a> : null}
    </div>
    {children}
  </section>
)

const shownGroups = 6

/** The groups, and what is left of the sums as one more. */
const withRest = (groups: ReadonlyArray<Group>, data: Data, count: number): ReadonlyArray<Group & Listed> => {
  if (count <= groups.length) return groups
  const restOf = (all: Sums, pick: (group: Group) => Sums | null): Sums => {
    const rest = (of: (sums: Sums) => number) =>
      of(all) - groups.reduce((sum, group) => sum + of(pick(group) ?? { ...all, ...nothing }), 0)
    const usd = Math.max(
      0,
      rest((totals) => Number(totals.usd))
    )
    const successes = rest((totals) => totals.successes)
    return {
      ...all,
      usd: usd.toFixed(12),
      usdOfFailures: Math.max(
        0,
        rest((totals) => Number(totals.usdOfFailures))
      ).toFixed(12),
      usdPerSuccess: successes === 0 ? null : (usd / successes).toFixed(12),
      unpricedCalls: rest((totals) => totals.unpricedCalls)
    }
  }
  return [
    ...groups,
    {
      name: plural(count - groups.length, "other"),
      isRest: true,
      now: restOf(data.now, ({ now }) => now),
      before: data.before === null ? null : restOf(data.before, ({ before }) => before)
    }
  ]
}

const nothing = { usd: "0", usdOfFailures: "0", successes: 0, unpricedCalls: 0 }

const Lists = ({
  data,
  events,
  groups,
  stack
}: {
  readonly data: Data | undefined
  readonly stack: Stack
  readonly events: EventsHref
  /** The address of all groups. */
  readonly groups: (by: GroupKey) => string
}) => {
  if (data === undefined) return null
  const names = data.series.map(({ name }) => name)
  const swatchOf = (kind: Stack) => (row: { readonly name: string }) => {
    const index = stack === kind ? names.indexOf(row.name) : -1
    return index < 0 ? undefined : `fill-s${index + 1}`
  }
  const listOf = (by: GroupKey, count: number, table: ComponentChildren) => (
    <List by={by} count={count} all={groups(by)}>
      {table}
    </List>
  )
  const hasBefore = data.before !== null
  return (
    <div class="lists">
      {(["customer", "workflow"] as const).map((by) => {
        const listed = by === "customer" ? data.customers : data.workflows
        const count = by === "customer" ? data.counts.customers : data.counts.workflows
        return listOf(
          by,
          count,
          <GroupTable
            by={by}
            rows={withRest(listed, data, count)}
            columns={eventColumns(listed, hasBefore)}
            amountOf={({ now }) => Number(now.usd)}
            hrefOf={({ name }) => events({ [by]: name })}
            swatch={swatchOf(by)}
          />
        )
      })}
      {(["model", "step"] as const).map((by) => {
        const listed = by === "model" ? data.models : data.steps
        return listOf(
          by,
          by === "model" ? data.counts.models : data.counts.steps,
          <GroupTable
            by={by}
            rows={listed}
            columns={callColumns(by, listed)}
            amountOf={(row) => Number(row.usd)}
            hrefOf={({ name }) => events({ [by]: name })}
            swatch={by === "model" ? swatchOf("model") : undefined}
          />
        )
      })}
    </div>
  )
}
