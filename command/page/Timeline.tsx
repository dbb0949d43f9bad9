/**
 * The runs, calls and waits of an event over time, as a tree.
 */
import { Figures } from "botanu-effect/report"
import { scaleLinear } from "d3-scale"
import { useEffect, useRef, useState } from "preact/hooks"
import type { TimelineRow } from "../src/serve/PageApi.js"
import { ColumnAmount, isUnknown, Lacking, Mark, placesOf, Unknown } from "./Text.js"

/** The room of the label of a tick, in pixels. */
const tickRoom = 56

export const Timeline = ({
  now,
  rows,
  select,
  selected
}: {
  readonly rows: ReadonlyArray<TimelineRow>
  readonly selected: number | undefined
  readonly select: (id: number | undefined) => void
  readonly now: number
}) => {
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set())
  const [focused, setFocused] = useState<number>()
  const grid = useRef<HTMLDivElement>(null)
  const [laneWidth, setLaneWidth] = useState(400)
  useEffect(() => {
    const measure = () => setLaneWidth(grid.current?.querySelector(".is-run .lane")?.clientWidth ?? 400)
    measure()
    const observer = new ResizeObserver(measure)
    if (grid.current !== null) observer.observe(grid.current)
    return () => observer.disconnect()
  }, [])
  const byId = new Map(rows.map((row) => [row.id, row]))
  const above = (row: TimelineRow): ReadonlyArray<TimelineRow> => {
    const parent = row.parent === null ? undefined : byId.get(row.parent)
    return parent === undefined ? [] : [parent, ...above(parent)]
  }
  const shown = rows.filter((row) => !above(row).some(({ id }) => folded.has(id)))
  const times = rows.flatMap(({ endMs, startMs }) => [startMs, endMs]).filter((time) => time !== null)
  const isRunning = rows.some(({ endMs, kind }) => kind === "run" && endMs === null)
  const from = Math.min(...times)
  const until = Math.max(
    from + 1,
    ...times,
    ...(isRunning ? [Math.min(now, Math.max(...times) * 2 - from + 1000)] : [])
  )
  const shareOf = (time: number | null) => ((time ?? until) - from) / (until - from)
  // A note goes beside its bar. Where there is no room for one, the lane leaves more beside the bars.
  const width =
    [100, 85, 70].find((width) =>
      rows.every(({ endMs, note, startMs }) => {
        const [from, to] = [shareOf(startMs ?? endMs), shareOf(endMs)].map((share) => share * width) as [number, number]
        const { after, before } = roomBeside(from, to, laneWidth)
        return note.length <= Math.max(before, after)
      })
    ) ?? 70
  const scale = scaleLinear()
    .domain([0, until - from])
    .range([0, width])
  const ticks = scale
    .ticks(Math.max(2, Math.floor((laneWidth * width) / 100 / tickRoom)))
    .filter((tick) => scale(tick) < 96)
  const x = (time: number) => scale(time - from)
  const places = Math.max(4, placesOf(rows.map(({ usd }) => usd)))
  const current = shown.some(({ id }) => id === focused) ? focused : (selected ?? shown[0]?.id)

  useEffect(() => {
    if (focused === undefined) return
    grid.current?.querySelector<HTMLElement>(`[data-row="${focused}"]`)?.focus()
  }, [focused])

  const fold = (id: number, isFolded: boolean) =>
    setFolded((before) => {
      const after = new Set(before)
      if (isFolded) after.add(id)
      else after.delete(id)
      return after
    })

  const onKey = (event: KeyboardEvent) => {
    const index = shown.findIndex(({ id }) => id === current)
    const row = shown[index]
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    const to = { ArrowDown: index + 1, j: index + 1, ArrowUp: index - 1, k: index - 1, Home: 0, End: shown.length - 1 }[
      event.key
    ]
    if (to !== undefined) setFocused(shown[Math.max(0, Math.min(shown.length - 1, to))]?.id)
    else if (event.key === "Enter" || event.key === " ") select(row.id === selected ? undefined : row.id)
    else if (event.key === "ArrowLeft") {
      if (row.kind === "run" && !folded.has(row.id)) fold(row.id, true)
      else if (row.parent !== null) setFocused(row.parent)
    } else if (event.key === "ArrowRight") fold(row.id, false)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <>
      <div class="head">
        <h2 id="timeline">Runs and calls</h2>
        <ul class="bars small">
          {(["run", "call", "data", "wait"] as const).map((kind) => (
            <li key={kind}>
              <svg width="16" height="8" aria-hidden="true">
                {kind === "wait" ? (
                  <path class="wait" d="M0 4h16" />
                ) : (
                  <rect class={kind} x="1" y="1" width="14" height={kind === "run" ? 6 : 7} rx="1" />
                )}
              </svg>
              {{ run: "run", call: "model call", data: "data, HTTP", wait: "wait" }[kind]}
            </li>
          ))}
        </ul>
      </div>
      <div
        role="treegrid"
        class={rows.some(({ withNested }) => withNested !== null) ? undefined : "has-no-nested"}
        aria-labelledby="timeline"
        ref={grid}
        onKeyDown={onKey}
      >
        <div class="grid heads" role="row">
          <span role="columnheader" class="label">
            Run, step, call
          </span>
          <span role="columnheader" class="lane">
            <span class="hidden">Time</span>
            <svg aria-hidden="true">
              {ticks.map((tick) => (
                <text key={tick} x={`${scale(tick)}%`} y="14" text-anchor={tick === 0 ? "start" : "middle"}>
                  {tickText(tick)}
                </text>
              ))}
            </svg>
          </span>
          <span role="columnheader" class="n">
            Duration
          </span>
          <span role="columnheader" class="n">
            Own, USD
          </span>
          <span role="columnheader" class="n nested">
            With nested, USD
          </span>
        </div>
        {shown.map((row) => (
          <Row
            key={row.id}
            row={row}
            x={x}
            laneWidth={laneWidth}
            until={until}
            ticks={ticks.map((tick) => scale(tick))}
            deadlines={[row, ...above(row)].flatMap(({ deadlineMs }) => (deadlineMs === null ? [] : [deadlineMs]))}
            places={places}
            isSelected={row.id === selected}
            isFolded={folded.has(row.id)}
            hasChildren={rows.some(({ parent }) => parent === row.id)}
            isCurrent={row.id === current}
            select={() => {
              setFocused(row.id)
              select(row.id === selected ? undefined : row.id)
            }}
            fold={() => fold(row.id, !folded.has(row.id))}
          />
        ))}
      </div>
      <p class="note">
        Own: what this row itself cost. With nested: the run and the runs in it. A charge is recorded on one row only.
      </p>
    </>
  )
}

const tickText = (millis: number): string => (millis === 0 ? "0 s" : Figures.duration(millis).replace(".0 ", " "))

const durationOf = ({ endMs, startMs }: TimelineRow): string =>
  startMs === null || endMs === null ? "" : Figures.duration(endMs - startMs)

/** How instants are placed on the lanes, and what is marked on each. */
interface Scale {
  readonly x: (time: number) => number
  readonly laneWidth: number
  readonly until: number
  readonly ticks: ReadonlyArray<number>
  readonly deadlines: ReadonlyArray<number>
}

const Row = ({
  deadlines,
  fold,
  hasChildren,
  isCurrent,
  isFolded,
  isSelected,
  laneWidth,
  places,
  row,
  select,
  ticks,
  until,
  x
}: Scale & {
  readonly row: TimelineRow
  readonly places: number
  readonly isSelected: boolean
  readonly isFolded: boolean
  readonly hasChildren: boolean
  readonly isCurrent: boolean
  readonly select: () => void
  readonly fold: () => void
}) => {
  const isRun = row.kind === "run"
  const hasCost =
    row.kind !== "wait" && row.calls > 0 && (row.kind !== "data" || Number(row.usd) > 0 || row.unpricedCalls > 0)
  return (
    <div
      class={`grid${isRun ? " is-run" : ""}`}
      role="row"
      data-row={row.id}
      tabIndex={isCurrent ? 0 : -1}
      aria-level={row.depth + 1}
      aria-selected={isSelected}
      {...(hasChildren && { "aria-expanded": !isFolded })}
      onClick={select}
    >
      <span role="gridcell" class="label">
        {Array.from({ length: row.depth }, (_, index) => (
          <i key={index} class="indent" />
        ))}
        <i
          class="fold"
          aria-hidden="true"
          onClick={(event) => {
            if (!hasChildren) return
            event.stopPropagation()
            fold()
          }}
        >
          {hasChildren ? (isFolded ? "▸" : "▾") : ""}
        </i>
        {isRun && row.status !== null ? <Mark status={row.status} /> : null}
        <span class="text" title={`${row.title} ${row.detail}`}>
          {isRun ? (
            <b>
              <bdi>{row.title}</bdi>
            </b>
          ) : (
            <bdi>{row.title}</bdi>
          )}{" "}
          <bdi class="faint">{row.detail}</bdi>
          {row.status === null ? null : <span class="hidden">, {row.status}</span>}
        </span>
      </span>
      <span role="gridcell" class="lane">
        <Bar row={row} x={x} laneWidth={laneWidth} until={until} ticks={ticks} deadlines={deadlines} />
      </span>
      <span role="gridcell" class="n mute">
        {durationOf(row)}
      </span>
      <span role="gridcell" class="n">
        {hasCost ? <Own row={row} places={places} /> : ""}
      </span>
      <span role="gridcell" class="n nested">
        {row.withNested === null || row.withNested.calls === 0 ? (
          ""
        ) : (
          <ColumnAmount amount={row.withNested} places={places} />
        )}
      </span>
    </div>
  )
}

const Own = ({ places, row }: { readonly row: TimelineRow; readonly places: number }) =>
  isUnknown(row) ? (
    <>
      <Unknown>no price</Unknown> {row.calls > row.unpricedCalls ? <Lacking calls={row.unpricedCalls} /> : null}
    </>
  ) : (
    <ColumnAmount amount={row} places={places} />
  )

/** The room of a mark, and of a letter, in pixels. */
const [markRoom, letterRoom] = [28, 6.4]

/** How many letters have room before and after a bar, from the percents of the lane that it takes. */
const roomBeside = (from: number, to: number, laneWidth: number) => {
  const lettersIn = (percents: number) =>
    Math.max(0, Math.floor(((percents / 100) * laneWidth - markRoom) / letterRoom))
  return { before: lettersIn(from), after: lettersIn(100 - to) }
}

const Bar = ({ deadlines, laneWidth, row, ticks, until, x }: Scale & { readonly row: TimelineRow }) => {
  const start = row.startMs ?? row.endMs
  if (start === null) return null
  const isEndless = row.endMs === null
  const [from, to] = [x(start), x(row.endMs ?? until)]
  const width = Math.max(0, to - from)
  const text = row.note
  // The note goes to the side where it has room, and is cut where it has none.
  const { after, before } = roomBeside(from, to, laneWidth)
  const isBefore = after < text.length && before > after
  const room = Math.max(isBefore ? before : after, 4)
  const [end, offset] = isBefore ? [from, -8] : [to, 8]
  const mark =
    row.status !== null && row.status !== "running" && (text !== "" || row.kind !== "run") ? row.status : undefined
  return (
    <svg role="img" aria-label={[durationOf(row), text].filter((part) => part !== "").join(", ")}>
      {ticks.map((tick) => (
        <line key={tick} class="tick" x1={`${tick}%`} x2={`${tick}%`} y1="0" y2="28" />
      ))}
      {row.kind === "wait" ? (
        <line class="wait" x1={`${from}%`} x2={`${to}%`} y1="14" y2="14" />
      ) : row.kind === "run" ? (
        <rect
          class={isEndless ? "run endless" : "run"}
          x={`${from}%`}
          width={`${Math.max(0.2, width)}%`}
          y="7.5"
          height="12"
          rx="2"
        />
      ) : (
        <>
          <rect class={row.kind} x={`${from}%`} width={`${Math.max(0.25, width)}%`} y="9" height="9" rx="1" />
          {row.status === null ? null : <line class="aborted" x1={`${to}%`} x2={`${to}%`} y1="9" y2="18" />}
        </>
      )}
      {deadlines.map((deadline) => (
        <line key={deadline} class="deadline" x1={`${x(deadline)}%`} x2={`${x(deadline)}%`} y1="0" y2="28" />
      ))}
      {text === "" ? null : (
        <svg x={`${end}%`} y="0" overflow="visible" aria-hidden="true">
          {mark === undefined ? null : (
            <svg x={offset + (isBefore ? -12 : 0)} y="8" width="12" height="12" overflow="visible">
              <Mark status={mark} />
            </svg>
          )}
          <text
            x={offset + (mark === undefined ? 0 : isBefore ? -17 : 17)}
            y="18"
            text-anchor={isBefore ? "end" : "start"}
          >
            {text.length > room ? `${text.slice(0, room - 1)}…` : text}
          </text>
        </svg>
      )}
    </svg>
  )
}
