/**
 * The explorer: events as a table, with the sums of exactly what is listed.
 */
import { Figures } from "botanu-effect/report"
import type { ComponentChildren, JSX } from "preact"
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks"
import type { EventRow, Events, SortKey } from "../src/serve/PageApi.js"
import { Filters } from "./Filters.js"
import { useClosing, useKeys } from "./Keys.js"
import { go, hrefOf, hrefWith, type Location } from "./Location.js"
import type { ViewProperties } from "./Page.js"
import { request, useData, useLasting } from "./PageData.js"
import { carried, type Field, fields, type Period, queryOf, valueText } from "./Selection.js"
import { ColumnAmount, copy, isUnknown, Mark, Name, plural, Skeleton, Spend, Status, Unknown, usd } from "./Text.js"

interface Column {
  readonly name: string
  readonly title: string
  /** The width in pixels; the event takes what is left. */
  readonly width: number | undefined
  readonly sort?: SortKey
  readonly kind: string
  readonly cell: (row: EventRow, places: Places) => ComponentChildren
  readonly isOptional?: boolean
}

interface Places {
  readonly cost: number
  readonly beforeFinal: number
}

const columns: ReadonlyArray<Column> = [
  {
    name: "outcome",
    title: "Outcome",
    width: 150,
    sort: "outcome",
    kind: "outcome",
    cell: ({ isAmended, status }) => (
      <>
        <Status status={status} />
        {isAmended ? <span class="amended">amended</span> : null}
      </>
    )
  },
  { name: "event", title: "Event", width: undefined, sort: "event", kind: "event", cell: () => null },
  {
    name: "workflow",
    title: "Workflow",
    width: 160,
    sort: "workflow",
    kind: "at-1000 text",
    cell: ({ workflow }) => <Name text={workflow} />
  },
  {
    name: "customer",
    title: "Customer",
    width: 132,
    sort: "customer",
    kind: "at-1440 text",
    cell: ({ customerId }) => <Name text={customerId} />
  },
  {
    name: "tenant",
    title: "Tenant",
    width: 110,
    kind: "at-1440 text",
    isOptional: true,
    cell: ({ tenantId }) => (tenantId === null ? "" : <Name text={tenantId} />)
  },
  {
    name: "environment",
    title: "Environment",
    width: 110,
    kind: "at-1440 text",
    isOptional: true,
    cell: ({ environment }) => <Name text={environment} />
  },
  {
    name: "reason",
    title: "Reason",
    width: 160,
    kind: "at-1440 text",
    isOptional: true,
    cell: ({ reason }) => (reason === null ? "" : <Name text={reason} />)
  },
  {
    name: "value",
    title: "Value",
    width: 170,
    kind: "at-1440 text",
    isOptional: true,
    cell: ({ valueAmount, valueType }) =>
      valueType === null ? "" : <Name text={`${valueType} ${valueAmount === null ? "" : Figures.count(valueAmount)}`} />
  },
  {
    name: "started",
    title: "Started, UTC",
    width: 140,
    sort: "started",
    kind: "at-860",
    cell: ({ startMs }) => <span title={Figures.fullInstant(startMs)}>{Figures.listInstant(startMs)}</span>
  },
  {
    name: "attempts",
    title: "Attempts",
    width: 90,
    sort: "attempts",
    kind: "at-860",
    cell: ({ attempts }) => <Tries attempts={attempts} />
  },
  {
    name: "duration",
    title: "Duration",
    width: 88,
    sort: "duration",
    kind: "n at-860",
    cell: ({ durationMs }) => (durationMs === null ? <span class="faint">no end</span> : Figures.duration(durationMs))
  },
  {
    name: "runs",
    title: "Runs",
    width: 64,
    kind: "n at-1440",
    isOptional: true,
    cell: ({ runs }) => Figures.count(runs)
  },
  {
    name: "calls",
    title: "Calls",
    width: 64,
    sort: "calls",
    kind: "n at-1440",
    cell: ({ calls }) => Figures.count(calls)
  },
  {
    name: "beforeFinal",
    title: "Before final, USD",
    width: 134,
    sort: "beforeFinal",
    kind: "n at-1280",
    cell: ({ attempts, unpricedBeforeFinal, usdBeforeFinal }, { beforeFinal }) =>
      attempts.length < 2 ? (
        ""
      ) : (
        <ColumnAmount amount={{ usd: usdBeforeFinal, unpricedCalls: unpricedBeforeFinal }} places={beforeFinal} />
      )
  },
  {
    name: "cost",
    title: "Cost, USD",
    width: 140,
    sort: "cost",
    kind: "n cost",
    cell: (row, { cost }) => (
      <ColumnAmount
        amount={row}
        places={cost}
        before={row.status === "running" ? <span class="faint">so far </span> : undefined}
      />
    )
  },
  {
    name: "toMedian",
    title: "To median",
    width: 92,
    sort: "toMedian",
    kind: "n at-1280",
    cell: ({ toMedian }) => <span class="mute">{toMedian === null ? "" : `${ratioText(toMedian)}×`}</span>
  }
]

const ratioText = (ratio: number): string => (ratio >= 100 ? Figures.count(Math.round(ratio)) : ratio.toFixed(1))

const sortNames = columns.flatMap(({ sort }) => (sort === undefined ? [] : [sort]))

/** How the address has the list sorted. */
export const orderOf = ({
  parameters
}: Location): { readonly sort: SortKey; readonly order: "ascending" | "descending" } => ({
  sort: sortNames.find((name) => name === parameters.get("sort")) ?? "started",
  order: parameters.get("order") === "ascending" ? "ascending" : "descending"
})

const mostMarks = 5

const Tries = ({ attempts }: { readonly attempts: ReadonlyArray<string> }) => (
  <span class="tries" role="img" aria-label={`${plural(attempts.length, "attempt")}: ${attempts.join(", ")}`}>
    {attempts.slice(-mostMarks).map((status, index) => (
      <Mark key={`${index} ${status}`} status={status} />
    ))}
    {attempts.length > mostMarks ? <span class="faint">of {attempts.length}</span> : null}
  </span>
)

const shownColumns = ({ parameters }: Location): ReadonlyArray<Column> => {
  const given = parameters.get("columns")?.split(",")
  return columns.filter(
    ({ isOptional, name }) =>
      name === "event" || name === "outcome" || (given === undefined ? isOptional !== true : given.includes(name))
  )
}

const pageRows = 100

export const Explorer = ({
  isLive,
  location,
  period,
  revision: newest,
  say,
  status
}: ViewProperties & { readonly isLive: boolean; readonly say: (text: string) => void }) => {
  const [revision, setRevision] = useState(newest)
  const order = orderOf(location)
  const query = { ...queryOf(location, period), ...order }
  const { data, isLoading, key } = useData<Events>("events", { ...query, limit: pageRows }, revision)
  const isSlow = useLasting(isLoading && data === undefined, 200)
  const newer = useData<Events>("events", isLive && newest !== revision ? { ...query, limit: 1 } : undefined, newest)
  const fresh =
    newest === revision || newer.data === undefined || data === undefined
      ? 0
      : newer.data.totals.events - data.totals.events
  const showNewer = () => setRevision(status.revision)
  useKeys(({ key }) => {
    if (key === "r") setRevision(status.revision)
    return key === "r"
  })
  const shown = shownColumns(location)
  return (
    <div class={`explorer${isSlow ? " slow" : ""}`} aria-busy={isLoading}>
      <h1 class="hidden">Events</h1>
      <div class="scope">
        <Filters location={location} />
        <div class="chips end">
          {newest === revision || newer.data === undefined || !isLive ? null : (
            <button type="button" class="button" onClick={showNewer}>
              {fresh > 0 ? `${Figures.count(fresh)} newer, show` : "Changed, show"} <kbd aria-hidden="true">r</kbd>
            </button>
          )}
          <Columns location={location} shown={shown} />
          <button
            type="button"
            class="button"
            onClick={() => copy(window.location.href).then(() => say("Link copied"))}
          >
            Copy link
          </button>
          <a class="button" download="events.csv" href={hrefOf("/api/events.csv", query)}>
            Export CSV
          </a>
        </div>
      </div>
      <Sums data={data} period={period} />
      {data !== undefined && data.totals.events === 0 ? (
        <Nothing data={data} location={location} />
      ) : (
        <Rows key={`${key} ${revision}`} data={data} location={location} query={query} columns={shown} order={order} />
      )}
    </div>
  )
}

const Nothing = ({ data, location }: { readonly data: Events; readonly location: Location }) => {
  const most = data.without.reduce<Events["without"][number] | undefined>(
    (best, one) => (best === undefined || one.events > best.events ? one : best),
    undefined
  )
  const filters = data.without.filter(({ field }) => field !== "period").length
  const wordOf = (field: string): string =>
    field === "period"
      ? "the period"
      : `${fields[field as Field]} ${valueText(field as Field, location.parameters.get(field) ?? "")}`
  return (
    <div class="state">
      <h2>
        No event{" "}
        {filters === 0 ? "in this period" : `matches ${filters === 1 ? "this filter" : `these ${filters} filters`}`}
      </h2>
      {most === undefined || most.events === 0 ? null : (
        <p class="mute">
          Without <b>{wordOf(most.field)}</b> there {most.events === 1 ? "is 1" : `are ${Figures.count(most.events)}`}.{" "}
          <a
            class="link"
            href={hrefWith(
              location,
              most.field === "period"
                ? { period: undefined, since: "2000-01-01", until: "2100-01-01" }
                : { [most.field]: undefined }
            )}
          >
            {most.field === "period" ? "Show all days" : "Remove it"}
          </a>
        </p>
      )}
    </div>
  )
}

const Columns = ({ location, shown }: { readonly location: Location; readonly shown: ReadonlyArray<Column> }) => {
  const [isOpen, setOpen] = useState(false)
  const frame = useRef<HTMLSpanElement>(null)
  useClosing(
    isOpen,
    () => frame.current,
    () => setOpen(false)
  )
  const set = (name: string, isShown: boolean) => {
    const names = columns
      .map(({ name }) => name)
      .filter((one) => (one === name ? isShown : shown.some(({ name }) => name === one)))
    go(hrefWith(location, { columns: names.join(",") }), true)
  }
  return (
    <span class="anchor at-860" ref={frame}>
      <button type="button" class="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        Columns{" "}
        <span class="faint">
          {shown.length} of {columns.length}
        </span>
      </button>
      {isOpen ? (
        <div class="popup right">
          {columns.map(({ name, title }) => (
            <label key={name} class="check">
              <input
                type="checkbox"
                checked={shown.some((column) => column.name === name)}
                disabled={name === "event" || name === "outcome"}
                onChange={(event) => set(name, event.currentTarget.checked)}
              />
              {title}
            </label>
          ))}
        </div>
      ) : null}
    </span>
  )
}

const Sums = ({ data, period }: { readonly data: Events | undefined; readonly period: Period }) => {
  const totals = data?.totals
  const waiting = <Skeleton width={56} />
  const share =
    totals === undefined || Number(totals.usd) === 0 ? undefined : Number(totals.usdBeforeFinal) / Number(totals.usd)
  return (
    <section class="sums" aria-label="Sums of the events found">
      <div>
        <h2>Events</h2>
        <p>{totals === undefined ? waiting : Figures.count(totals.events)}</p>
      </div>
      <div>
        <h2>Success rate</h2>
        <p>
          {totals === undefined
            ? waiting
            : totals.ended === 0
              ? "–"
              : `${Figures.percent(totals.successes / totals.ended)}%`}
        </p>
      </div>
      <div>
        <h2>Cost</h2>
        <p>{totals === undefined ? waiting : <Spend amount={totals} />}</p>
      </div>
      <div>
        <h2>Cost per success</h2>
        <p>
          {totals === undefined ? (
            waiting
          ) : totals.usdPerSuccess === null ? (
            "none"
          ) : isUnknown(totals) ? (
            <Unknown>no price</Unknown>
          ) : (
            usd(totals.usdPerSuccess)
          )}
        </p>
      </div>
      <div>
        <h2>Before the final attempt</h2>
        <p>
          {totals === undefined ? (
            waiting
          ) : (
            <Spend amount={{ usd: totals.usdBeforeFinal, unpricedCalls: totals.unpricedCallsBeforeFinal }} />
          )}{" "}
          {share === undefined ? null : <span class="mute">{Math.round(share * 100)}% of cost</span>}
        </p>
      </div>
      <div>
        <h2>Duration p50, p95</h2>
        <p>
          {totals === undefined
            ? waiting
            : totals.p50Ms === null || totals.p95Ms === null
              ? "–"
              : `${Figures.duration(totals.p50Ms)}, ${Figures.duration(totals.p95Ms)}`}
        </p>
      </div>
      <Histogram data={data} period={period} />
    </section>
  )
}

const Histogram = ({ data, period }: { readonly data: Events | undefined; readonly period: Period }) => {
  const bucketMs = data?.bucketMs ?? 86_400_000
  const found = data?.histogram ?? []
  const first = found[0]?.startMs ?? 0
  const last = found[found.length - 1]?.startMs ?? 0
  // A period of a hundred years is shown as far as there are events.
  const isShort = (period.until - period.since) / bucketMs <= 400
  const since = isShort ? period.since : first
  const count = Math.max(1, Math.round(((isShort ? period.until : last + bucketMs) - since) / bucketMs))
  const most = Math.max(1, ...found.map(({ others, successes }) => others + successes))
  const unit = bucketMs < 86_400_000 ? "hour" : "day"
  return (
    <div class="histogram">
      <h2>Events per {unit}, not succeeded on top</h2>
      <svg viewBox={`0 0 ${count * 10} 40`} preserveAspectRatio="none" role="img" aria-label={`Events per ${unit}`}>
        {found.map(({ others, startMs, successes }) => {
          const x = ((startMs - since) / bucketMs) * 10 + 1
          const [low, high] = [(40 * successes) / most, (40 * others) / most]
          return (
            <g key={startMs}>
              <rect class="fill-success" x={x} width="8" y={40 - low} height={low} />
              <rect class="fill-failure" x={x} width="8" y={40 - low - high} height={Math.max(0, high - 0.6)} />
            </g>
          )
        })}
      </svg>
    </div>
  )
}

const narrow = "(max-width: 860px)"

/** How many rows are drawn beyond those in sight, at least, on each side. */
const spareRows = 10

/** How long the list rests before rows are asked for, in milliseconds. */
const restMillis = 60

interface DrawnRow {
  readonly row: EventRow | undefined
  readonly isFirst: boolean
  readonly element: JSX.Element
}

/** The rows in sight, and some more. Rows have one height, so that their place follows from their number. */
const Rows = ({
  columns,
  data,
  location,
  order,
  query
}: {
  readonly data: Events | undefined
  readonly location: Location
  readonly query: Readonly<Record<string, string | number | undefined>>
  readonly columns: ReadonlyArray<Column>
  readonly order: ReturnType<typeof orderOf>
}) => {
  const total = data?.totals.events ?? 12
  const body = useRef<HTMLTableSectionElement>(null)
  const pages = useRef(new Map<number, ReadonlyArray<EventRow> | "asked">())
  const paged = useRef(data)
  if (paged.current !== data) {
    // What was read of an earlier state of the ledger goes with it.
    paged.current = data
    pages.current = new Map()
  }
  if (data !== undefined && !pages.current.has(0)) pages.current.set(0, data.rows)
  const [, setLoaded] = useState(0)
  const [isNarrow, setNarrow] = useState(() => matchMedia(narrow).matches)
  const [active, setActive] = useState<number>()
  const rowHeight = isNarrow ? 48 : 28
  const [range, setRange] = useState<readonly [number, number]>([0, 60])

  useEffect(() => {
    const media = matchMedia(narrow)
    const update = () => setNarrow(media.matches)
    media.addEventListener("change", update)
    return () => media.removeEventListener("change", update)
  }, [])

  useLayoutEffect(() => {
    let frame = 0
    const update = () => {
      frame = 0
      const above = -(body.current?.getBoundingClientRect().top ?? 0)
      const first = Math.max(0, Math.floor(above / rowHeight / spareRows) * spareRows - spareRows)
      const last = Math.min(total, first + Math.ceil(innerHeight / rowHeight / spareRows) * spareRows + 3 * spareRows)
      setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]))
    }
    const onScroll = () => {
      if (frame === 0) frame = requestAnimationFrame(update)
    }
    update()
    addEventListener("scroll", onScroll, { passive: true })
    addEventListener("resize", onScroll)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener("scroll", onScroll)
      removeEventListener("resize", onScroll)
    }
  }, [rowHeight, total])

  const [first, last] = [range[0], Math.min(range[1], total)]
  useEffect(() => {
    if (data === undefined) return
    const known = pages.current
    const ask = (page: number) => {
      known.set(page, "asked")
      request<ReadonlyArray<EventRow>>("rows", { ...query, offset: page * pageRows, limit: pageRows }).then(
        (rows) => {
          known.set(page, rows)
          setLoaded((count) => count + 1)
        },
        () => known.delete(page)
      )
    }
    // What is only passed by is not asked for.
    const timer = setTimeout(() => {
      for (let page = Math.floor(first / pageRows); page * pageRows < last; page++) if (!known.has(page)) ask(page)
    }, restMillis)
    return () => clearTimeout(timer)
  }, [first, last, data])

  const rowAt = (index: number): EventRow | undefined => {
    const page = pages.current.get(Math.floor(index / pageRows))
    return page === undefined || page === "asked" ? undefined : page[index % pageRows]
  }
  const linkOf = useMemo(() => {
    const { order, sort } = Object.fromEntries(location.parameters)
    const common = { ...carried(location), sort, order }
    return ({ customerId, eventId }: EventRow) => hrefOf("/event", { ...common, id: eventId, of: customerId })
  }, [location])

  useKeys((event) => {
    const isInTable = event.target instanceof Element && event.target.closest("table") !== null
    const move = { j: 1, k: -1, ...(isInTable && { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }) }[event.key]
    if (move !== undefined) {
      setActive((now) =>
        now === undefined
          ? first + (isInTable || first < spareRows ? 0 : spareRows)
          : Math.max(0, Math.min(total - 1, now + move))
      )
    } else if (event.key === "Escape") setActive(undefined)
    else if (event.key === "c" && active !== undefined) copy(rowAt(active)?.eventId ?? "")
    else return false
    return true
  })

  useLayoutEffect(() => {
    if (active === undefined) {
      if (document.activeElement?.closest("tbody") !== null) (document.activeElement as HTMLElement | null)?.blur?.()
      return
    }
    const row = body.current?.querySelector<HTMLElement>(`[data-index="${active}"]`)
    if (row !== null && row !== undefined) {
      row.focus({ preventScroll: true })
      const box = row.getBoundingClientRect()
      if (box.top < 96) scrollBy(0, box.top - 96)
      else if (box.bottom > innerHeight - 16) scrollBy(0, box.bottom - innerHeight + 16)
    } else scrollBy(0, (body.current?.getBoundingClientRect().top ?? 0) + active * rowHeight - innerHeight / 2)
  }, [active, range])

  const places = useMemo(() => {
    const rows = Array.from(pages.current.values()).flatMap((page) => (page === "asked" ? [] : page))
    return {
      cost: columnPlaces(rows.map(({ usd }) => usd)),
      beforeFinal: columnPlaces(rows.map(({ usdBeforeFinal }) => usdBeforeFinal))
    }
  }, [data])

  // A row that is as it was is not drawn again while others come into sight.
  const rows = useMemo(() => new Map<number, DrawnRow>(), [columns.map(({ name }) => name).join(), places, linkOf])
  const drawn = (index: number): JSX.Element => {
    const row = rowAt(index)
    const isFirst = index === (active ?? first)
    const known = rows.get(index)
    if (known !== undefined && known.row === row && known.isFirst === isFirst) return known.element
    const element =
      row === undefined ? (
        <WaitingRow key={index} />
      ) : (
        <Row
          key={index}
          row={row}
          index={index}
          columns={columns}
          places={places}
          isFirst={isFirst}
          href={linkOf(row)}
          activate={setActive}
        />
      )
    rows.set(index, { row, isFirst, element })
    return element
  }
  for (const index of rows.keys()) if (index < first || index >= last) rows.delete(index)

  return (
    <>
      <table class="events" aria-rowcount={total + 1}>
        <caption class="hidden">
          Events found, by {order.sort}, {order.order}
        </caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head
                key={column.name}
                column={column}
                width={widthOf(column, columns)}
                order={order}
                location={location}
              />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Spacer height={first * rowHeight} />
          {Array.from({ length: last - first }, (_, offset) => drawn(first + offset))}
          <Spacer height={(total - last) * rowHeight} />
        </tbody>
      </table>
      <p class="found small">{data === undefined ? "" : `${plural(total, "event")}, all of them`}</p>
    </>
  )
}

/** The place of a row that is on its way: one cell, so that it costs little to scroll past many of them. */
const WaitingRow = () => (
  <tr class="waiting" aria-hidden="true">
    <td>
      <Skeleton width={56} />
    </td>
  </tr>
)

/** Decimals of a column of amounts: of most of them, so that one tiny amount does not widen all. */
const columnPlaces = (amounts: ReadonlyArray<string>): number => {
  const most = Math.max(0, ...amounts.map(Number))
  return most >= 100 ? 2 : 4
}

/** Has one cell: a cell over all columns would count those that are hidden at this width, and make room for them. */
const Spacer = ({ height }: { readonly height: number }) =>
  height <= 0 ? null : (
    <tr class="spacer" aria-hidden="true">
      <td style={{ height: `${height}px` }} />
    </tr>
  )

/** What the event has at least, in pixels, and what all columns have in the narrowest window that shows all of them. */
const eventWidth = 170
const allWidth = 1376

/** The width of a column among others. More columns than there is room for share it. */
const widthOf = ({ width }: Column, columns: ReadonlyArray<Column>): string | undefined => {
  const sum = columns.reduce((sum, { width = eventWidth }) => sum + width, 0)
  if (sum > allWidth) return `${((width ?? eventWidth) / sum) * 100}%`
  return width === undefined ? undefined : `${width}px`
}

const Head = ({
  column: { kind, name, sort, title },
  location,
  order,
  width
}: {
  readonly column: Column
  readonly width: string | undefined
  readonly order: ReturnType<typeof orderOf>
  readonly location: Location
}) => {
  const isSorted = sort !== undefined && sort === order.sort
  const next = isSorted && order.order === "descending" ? "ascending" : "descending"
  return (
    <th
      scope="col"
      class={kind}
      aria-sort={isSorted ? order.order : undefined}
      style={width === undefined ? undefined : { "--width": width }}
      data-column={name}
    >
      {sort === undefined ? (
        title
      ) : (
        <button
          type="button"
          onClick={() => go(hrefWith(location, { sort, order: next === "descending" ? undefined : next }), true)}
        >
          {title}
          {isSorted ? <span aria-hidden="true"> {order.order === "descending" ? "↓" : "↑"}</span> : null}
        </button>
      )}
    </th>
  )
}

const Row = ({
  activate,
  columns,
  href,
  index,
  isFirst,
  places,
  row
}: {
  readonly row: EventRow
  readonly index: number
  readonly columns: ReadonlyArray<Column>
  readonly places: Places
  readonly isFirst: boolean
  readonly href: string
  readonly activate: (index: number) => void
}) => (
  <tr
    tabIndex={isFirst ? 0 : -1}
    data-index={index}
    aria-rowindex={index + 2}
    onFocus={(event) => {
      if (event.target === event.currentTarget) activate(index)
    }}
    onKeyDown={(event) => {
      if (event.key === "Enter" && event.target === event.currentTarget) go(href)
    }}
    onDblClick={() => go(href)}
  >
    {columns.map(({ cell, kind, name }) => (
      <td key={name} class={kind}>
        {name === "event" ? (
          <>
            <Name text={row.eventId} href={href} />
            <small class="cut">
              {Figures.listInstant(row.startMs).slice(0, -3)}, <bdi>{row.workflow}</bdi>
            </small>
          </>
        ) : (
          cell(row, places)
        )}
      </td>
    ))}
  </tr>
)
