/**
 * Three lanes on one time axis: where the money went, whether a success got dearer, whether runs got slower.
 */
import { Figures } from "botanu-effect/report"
import { scaleLinear } from "d3-scale"
import { line } from "d3-shape"
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Overview, Stack } from "../src/serve/PageApi.js"
import type { Period } from "./Selection.js"
import { type Amount, isUnknown, Mark, Name, Spend, usd } from "./Text.js"

const left = 52
const laneHeight = 72
const laneGap = 38
const top = 16

/** The class of a series: its outcome, or its place in the order. */
const fillOf = (stack: Stack, name: string, index: number): string =>
  stack === "outcome" ? `fill-${name}` : name === "other" ? "fill-s0" : `fill-s${index + 1}`

/** An amount in words. */
const amountText = (amount: Amount): string => (isUnknown(amount) ? "no price" : usd(amount.usd))

/** A tick of an axis in dollars, with as many decimals as the steps need. */
const tickText = (value: number, step: number): string => {
  const places = step >= 1 ? 0 : Math.min(8, -Math.floor(Math.log10(step) + 1e-9))
  return value >= 1000 ? `$${Figures.count(value)}` : `$${value.toFixed(value === 0 ? 0 : places)}`
}

export const SpendChart = ({
  data,
  hold,
  now,
  open,
  period,
  stack,
  stackBy
}: {
  readonly data: Overview | undefined
  readonly stack: Stack
  readonly period: Period
  readonly now: number
  readonly stackBy: ComponentChildren
  readonly hold: (isHeld: boolean) => void
  readonly open: (startMs: number, endMs: number, series: string | undefined) => void
}) => {
  const frame = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [at, setAt] = useState<number>()
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    setWidth(element.clientWidth)
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  const buckets = data?.buckets ?? []
  const bucketMs = data?.bucketMs ?? 86_400_000
  const isHourly = bucketMs < 86_400_000
  const unit = isHourly ? "hour" : "day"
  const selected = at === undefined ? undefined : buckets[at]
  const nameOf = (startMs: number): string =>
    isHourly ? `${Figures.date(startMs)} ${new Date(startMs).toISOString().slice(11, 16)}` : Figures.date(startMs)
  const series = data?.series ?? []
  const sumOf = (index: number): Amount => ({
    usd: selected?.usd[index] ?? series[index]?.usd ?? "0",
    unpricedCalls: selected?.unpricedCalls[index] ?? series[index]?.unpricedCalls ?? 0
  })
  const total = selected?.totals ?? data?.now ?? { usd: "0", unpricedCalls: 0 }
  const select = (index: number | undefined) => {
    hold(index !== undefined)
    setAt(index)
  }
  const openAt = (index: number, name?: string) => {
    const bucket = buckets[index]
    if (bucket !== undefined) open(bucket.startMs, bucket.startMs + bucketMs, name)
  }
  return (
    <>
      <div class="head">
        <h2 id="spend">{selected === undefined ? `Spend per ${unit}` : "Spend"}</h2>
        <span class="faint">
          {data === undefined
            ? ""
            : `${selected === undefined ? `${buckets.length} ${unit}s` : nameOf(selected.startMs)}, ${amountText(total)}`}
        </span>
        {stackBy}
      </div>
      <ul class="legend">
        {series.map(({ name }, index) => (
          <li key={name}>
            {stack === "outcome" && name !== "none" ? (
              <Mark status={name} />
            ) : (
              <i class={`swatch ${fillOf(stack, name, index)}`} />
            )}
            <span class="mute">
              <Name text={name} />
            </span>
            <b>
              <Spend amount={sumOf(index)} />
            </b>
          </li>
        ))}
      </ul>
      <div class="chart" ref={frame}>
        {width === 0 || data === undefined ? null : (
          <Lanes
            data={data}
            stack={stack}
            width={width}
            at={at}
            now={now}
            period={period}
            nameOf={nameOf}
            select={select}
            openAt={openAt}
          />
        )}
      </div>
      <p class="key small">
        <span>
          <svg width="14" height="10" aria-hidden="true">
            <rect width="14" height="10" fill="url(#hatch)" />
          </svg>
          hatched: calls without a price, not in the bar
        </span>
        <span>
          <svg width="18" height="10" aria-hidden="true">
            <path d="M0 5h18" class="line before" stroke="currentColor" stroke-dasharray="3 3" />
          </svg>
          period before
        </span>
      </p>
    </>
  )
}

const Lanes = ({
  at,
  data,
  nameOf,
  now,
  openAt,
  period,
  select,
  stack,
  width
}: {
  readonly data: Overview
  readonly stack: Stack
  readonly width: number
  readonly at: number | undefined
  readonly now: number
  readonly period: Period
  readonly nameOf: (startMs: number) => string
  readonly select: (index: number | undefined) => void
  readonly openAt: (index: number, name?: string) => void
}) => {
  const { bucketMs, buckets, bucketsBefore, series } = data
  const count = buckets.length
  const isNarrow = width < 500
  const height = isNarrow ? 150 : 240
  const [y1, y2] = [top, top + height + laneGap]
  const y3 = y2 + laneHeight + laneGap
  const bottom = y3 + laneHeight
  const step = (width - left) / count
  const barWidth = Math.max(1, step * (isNarrow ? 0.75 : 0.68))
  const xOf = (index: number) => left + index * step + step / 2
  const most = Math.max(0, ...buckets.map(({ totals }) => Number(totals.usd)))
  const scale = scaleLinear()
    .domain([0, most === 0 ? 1 : most])
    .nice(4)
    .range([y1 + height, y1])
  const ticks = scale.ticks(4)
  const tickStep = (ticks[1] ?? 1) - (ticks[0] ?? 0)
  const lastBucket = Math.floor((now - data.sinceMs) / bucketMs)
  const isOpen = period.until > now && lastBucket === count - 1
  const every = Math.max(1, Math.ceil(count / Math.max(2, Math.floor((width - left) / 84))))
  const stacked = buckets.map(({ usd }) => {
    let sum = 0
    return usd.map((amount, index) => {
      const from = sum
      sum += Number(amount)
      return { name: series[index]?.name ?? "", index, from, until: sum }
    })
  })
  const perSuccess = buckets.map(({ totals }) =>
    totals.successes === 0 ? null : Number(totals.usd) / totals.successes
  )
  const perSuccessBefore = bucketsBefore.map(({ successes, usd }) => (successes === 0 ? null : Number(usd) / successes))
  const shown = at ?? count - 1
  const indexAt = (clientX: number, box: DOMRect) => {
    const index = Math.floor((clientX - box.left - left) / step)
    return index < 0 || index >= count ? undefined : index
  }
  const bucket = buckets[shown]
  return (
    <svg
      height={bottom + 24}
      tabIndex={0}
      role="slider"
      aria-label="The chart, by time. Arrow keys move, Enter opens the events."
      aria-valuemin={0}
      aria-valuemax={count - 1}
      aria-valuenow={shown}
      aria-valuetext={
        bucket === undefined
          ? ""
          : `${nameOf(bucket.startMs)}: ${amountText(bucket.totals)}, ${series
              .map(({ name }, index) => {
                const [amount, unpricedCalls] = [bucket.usd[index] ?? "0", bucket.unpricedCalls[index] ?? 0]
                return `${name} ${amountText({ usd: amount, unpricedCalls })}`
              })
              .join(", ")}`
      }
      onKeyDown={(event) => {
        const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
        if (move !== undefined) select(Math.max(0, Math.min(count - 1, at === undefined ? count - 1 : at + move)))
        else if (event.key === "Home") select(0)
        else if (event.key === "End") select(count - 1)
        else if (event.key === "Enter") openAt(shown)
        else if (event.key === "Escape") select(undefined)
        else return
        event.preventDefault()
      }}
      onBlur={() => select(undefined)}
      onPointerMove={(event) => {
        const index = indexAt(event.clientX, event.currentTarget.getBoundingClientRect())
        if (index !== at) select(index)
      }}
      onPointerLeave={() => select(undefined)}
      onClick={(event) => {
        const box = event.currentTarget.getBoundingClientRect()
        const index = indexAt(event.clientX, box)
        if (index === undefined) return
        const value = scale.invert(event.clientY - box.top)
        const hit = stacked[index]?.find(({ from, until }) => value >= from && value < until)
        openAt(index, hit?.name)
      }}
    >
      <defs>
        <pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path class="hatch" d="M1 0v4" />
        </pattern>
      </defs>
      {ticks.map((value) => (
        <g key={value}>
          <path class={value === 0 ? "base" : "rule"} d={`M${left} ${scale(value)}H${width}`} />
          <text x={left - 8} y={scale(value) + 4} text-anchor="end">
            {tickText(value, tickStep)}
          </text>
        </g>
      ))}
      {buckets.map(({ startMs, totals }, index) => (
        <g key={startMs} class={at === undefined || at === index ? undefined : "dim"}>
          {stacked[index]?.map(({ from, index: place, name, until }) => {
            const barHeight = scale(from) - scale(until)
            return barHeight < 0.4 ? null : (
              <rect
                key={name}
                class={fillOf(stack, name, place)}
                x={xOf(index) - barWidth / 2}
                y={scale(until)}
                width={barWidth}
                height={Math.max(0.5, barHeight - 1)}
              />
            )
          })}
          {totals.unpricedCalls === 0 ? null : (
            <rect
              x={xOf(index) - barWidth / 2}
              y={scale(Number(totals.usd)) - 8}
              width={barWidth}
              height="7"
              fill="url(#hatch)"
            />
          )}
        </g>
      ))}
      {buckets.map(({ startMs }, index) => {
        const isLast = index === count - 1
        if (!isLast && (index % every !== 0 || xOf(index) > width - 110)) return null
        return (
          <text key={startMs} x={isLast ? width : xOf(index)} y={bottom + 18} text-anchor={isLast ? "end" : "middle"}>
            {isLast && isOpen
              ? isNarrow
                ? "now"
                : `${bucketMs < 86_400_000 ? "this hour" : "today"}, so far`
              : nameOf(startMs)}
          </text>
        )
      })}
      <Lane
        y={y2}
        title="Cost per success"
        none="nothing succeeded"
        width={width}
        xOf={xOf}
        at={at}
        textOf={(value) => usd(value.toFixed(12))}
        tickOf={(value, step) => tickText(value, step)}
        fromZero={false}
        lines={[
          { values: perSuccessBefore, kind: "before", label: undefined },
          { values: perSuccess, kind: "accent", label: at === undefined && isOpen ? "so far " : "" }
        ]}
      />
      <Lane
        y={y3}
        title="Run duration"
        none="no run has ended"
        width={width}
        xOf={xOf}
        at={at}
        textOf={Figures.duration}
        tickOf={(value) => (value === 0 ? "0" : Figures.duration(value).replace(".0 ", " "))}
        fromZero={true}
        lines={[
          { values: buckets.map(({ totals }) => totals.p50Ms), kind: "accent", label: "p50 " },
          { values: buckets.map(({ totals }) => totals.p95Ms), kind: "second", label: "p95 " }
        ]}
      />
      {at === undefined ? null : <path class="at" d={`M${xOf(at)} ${y1}V${bottom}`} />}
    </svg>
  )
}

const Lane = ({
  at,
  fromZero,
  lines,
  none,
  textOf,
  tickOf,
  title,
  width,
  xOf,
  y
}: {
  readonly y: number
  readonly title: string
  /** What is said where there is no value. */
  readonly none: string
  readonly width: number
  readonly at: number | undefined
  readonly fromZero: boolean
  readonly xOf: (index: number) => number
  readonly textOf: (value: number) => string
  readonly tickOf: (value: number, step: number) => string
  readonly lines: ReadonlyArray<{
    readonly values: ReadonlyArray<number | null>
    readonly kind: "accent" | "second" | "before"
    readonly label: string | undefined
  }>
}) => {
  const known = lines.flatMap(({ values }) => values.filter((value) => value !== null))
  if (known.length === 0) {
    return (
      <g>
        <path class="base" d={`M${left} ${y + laneHeight}H${width}`} />
        <text class="title" x={left} y={y - 8}>
          {title}
        </text>
        <text x={left} y={y + laneHeight / 2}>
          {none}
        </text>
      </g>
    )
  }
  const [low, high] = [fromZero ? 0 : Math.min(...known), Math.max(...known)]
  const scale = scaleLinear()
    .domain(low === high ? [low * 0.5, high * 1.5 || 1] : [low, high])
    .nice(2)
    .range([y + laneHeight, y])
  const [bottomValue = 0, topValue = 1] = scale.domain()
  const bottomText = tickOf(bottomValue, topValue - bottomValue)
  const topText = tickOf(topValue, bottomValue === 0 ? topValue : Math.min(bottomValue, topValue - bottomValue))
  return (
    <g>
      <path class="base" d={`M${left} ${y + laneHeight}H${width}`} />
      <path class="rule" d={`M${left} ${y}H${width}`} />
      <text x={left - 8} y={y + 4} text-anchor="end">
        {topText}
      </text>
      <text x={left - 8} y={y + laneHeight + 4} text-anchor="end">
        {bottomText}
      </text>
      <text class="title" x={left} y={y - 8}>
        {title}
      </text>
      {lines.map(({ kind, values }) => (
        <path
          key={kind}
          class={`line ${kind}`}
          d={
            line<number | null>()
              .defined((value) => value !== null)
              .x((_, index) => xOf(index))
              .y((value) => scale(value ?? 0))(values) ?? ""
          }
        />
      ))}
      {lines.map(({ kind, values }) =>
        values.map((value, index) =>
          // A value between two that are not known makes no line.
          value !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null ? (
            <circle key={`${kind} ${index}`} class={`dot ${kind}`} cx={xOf(index)} cy={scale(value)} r="2" />
          ) : null
        )
      )}
      {at === undefined
        ? null
        : lines.map(({ kind, label, values }) => {
            const value = values[at]
            return label === undefined || value === null || value === undefined ? null : (
              <circle key={kind} class={`dot ${kind}`} cx={xOf(at)} cy={scale(value)} r="3" />
            )
          })}
      <text class="reading" x={width} y={y - 8} text-anchor="end">
        {lines.map(({ kind, label, values }, index) => {
          const value = at === undefined ? values.findLast((value) => value !== null) : values[at]
          return label === undefined || value === null || value === undefined ? null : (
            <tspan key={kind} class={kind}>
              {index > 0 && lines[index - 1]?.label !== undefined ? " · " : ""}
              {label}
              {textOf(value)}
            </tspan>
          )
        })}
      </text>
    </g>
  )
}
