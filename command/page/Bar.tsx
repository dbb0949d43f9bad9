/**
 * The bar at the top: the views, the search, the period, and whether the page is live.
 */
import { useRef, useState } from "preact/hooks"
import type { Found } from "../src/serve/PageApi.js"
import { useClosing } from "./Keys.js"
import { go, hrefOf, hrefWith, type Location } from "./Location.js"
import { request } from "./PageData.js"
import { carried, type Period, type PeriodName, periods } from "./Selection.js"

const views = [
  ["/", "Overview"],
  ["/events", "Events"],
  ["/prices", "Prices"]
] as const

export const Bar = ({
  isAway,
  isLive,
  ledger,
  location,
  period,
  revision,
  toggleLive
}: {
  readonly location: Location
  readonly period: Period | undefined
  readonly ledger: string | undefined
  readonly isLive: boolean
  readonly isAway: boolean
  /** The state of the ledger: the live mark pulses once when it changes. */
  readonly revision: number
  readonly toggleLive: () => void
}) => {
  const shown = { "/event": "/events", "/groups": "/" }[location.path] ?? location.path
  return (
    <header class="bar">
      <a class="brand" href="/">
        botanu
        {ledger === undefined ? null : (
          <span class="mono cut" title={ledger}>
            {ledger}
          </span>
        )}
      </a>
      <nav class="views" aria-label="Views">
        {views.map(([path, name]) => (
          <a key={path} href={hrefOf(path, carried(location))} aria-current={path === shown ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <Search location={location} />
      {period === undefined ? null : <Periods location={location} period={period} />}
      <button
        type="button"
        class={`live${isAway ? " is-away" : ""}`}
        aria-pressed={isLive}
        title={isLive ? "Pause live updates (p)" : "Go on with live updates (p)"}
        onClick={toggleLive}
      >
        <i key={revision} />
        {isAway ? "Away" : isLive ? "Live" : "Paused"}
      </button>
    </header>
  )
}

/** An exact event or run id opens its event; anything else filters the events. */
const Search = ({ location }: { readonly location: Location }) => {
  const search = async (text: string) => {
    const found = await request<Found>("find", { id: text }).catch(() => undefined)
    const [event, ...others] = found?.events ?? []
    if (event !== undefined && others.length === 0) {
      return go(hrefOf("/event", { id: event.eventId, of: event.customerId }))
    }
    const period = { ...carried(location) }
    go(
      hrefOf(
        "/events",
        found?.isCustomer === true
          ? { ...period, customer: text, search: undefined }
          : { ...period, search: text, customer: undefined }
      )
    )
  }
  return (
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        const input = event.currentTarget.elements.namedItem("find")
        if (!(input instanceof HTMLInputElement) || input.value.trim() === "") return
        search(input.value.trim())
        input.value = ""
        input.blur()
      }}
    >
      <svg
        width="14"
        height="14"
        viewBox="0 0 14 14"
        fill="none"
        stroke="currentColor"
        stroke-width="1.5"
        aria-hidden="true"
      >
        <circle cx="6" cy="6" r="4.2" />
        <path d="M9.2 9.2 13 13" />
      </svg>
      <input
        id="find"
        name="find"
        type="search"
        autocomplete="off"
        placeholder="Event, run or customer id"
        aria-label="Find an event, run or customer by id"
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur()
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  )
}

const Periods = ({ location, period }: { readonly location: Location; readonly period: Period }) => {
  const [isOpen, setOpen] = useState(false)
  const frame = useRef<HTMLDivElement>(null)
  useClosing(
    isOpen,
    () => frame.current,
    () => setOpen(false)
  )
  const day = (time: number) => new Date(time).toISOString().slice(0, 10)
  return (
    <div class="anchor" ref={frame}>
      <div class="segments" role="group" aria-label="Period">
        {(Object.keys(periods) as ReadonlyArray<PeriodName>).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={period.name === name}
            onClick={() => go(hrefWith(location, { period: name, since: undefined, until: undefined }))}
          >
            {periods[name]}
          </button>
        ))}
        <button
          type="button"
          class="custom"
          aria-pressed={period.name === "custom"}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          <svg width="14" height="14" viewBox="0 0 14 14" fill="none" stroke="currentColor" aria-hidden="true">
            <rect x="1.5" y="2.5" width="11" height="10" rx="1" />
            <path d="M1.5 5.5h11M4.5 1v3M9.5 1v3" />
          </svg>
          <span class="word">Custom</span>
        </button>
      </div>
      {isOpen ? (
        <form
          class="popup right fields"
          aria-label="Custom period"
          onSubmit={(event) => {
            event.preventDefault()
            const values = new FormData(event.currentTarget)
            const [since, last] = [String(values.get("since")), String(values.get("last"))]
            const until = Date.parse(last) + 86_400_000
            if (!(Date.parse(since) < until)) return
            setOpen(false)
            go(hrefWith(location, { period: undefined, since, until: day(until) }))
          }}
        >
          <label>
            First day, UTC
            <input type="date" name="since" required defaultValue={day(period.since)} ref={(input) => input?.focus()} />
          </label>
          <label>
            Last day, UTC
            <input type="date" name="last" required defaultValue={day(period.until - 1)} />
          </label>
          <div class="row">
            <button type="button" class="button" onClick={() => setOpen(false)}>
              Cancel
            </button>
            <button type="submit" class="button">
              Show
            </button>
          </div>
        </form>
      ) : null}
    </div>
  )
}
