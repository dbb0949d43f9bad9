/**
 * The bar, the banners and the keys, and between them the view that the address names.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import { Banners, EmptyLedger } from "./Banners.js"
import { Bar } from "./Bar.js"
import { EventView } from "./EventView.js"
import { Explorer } from "./Explorer.js"
import { GroupsView, groupKeyOf } from "./GroupsView.js"
import { groupWords } from "./GroupTable.js"
import { KeyList, useKeys } from "./Keys.js"
import { current, followLinks, go, hrefOf, hrefWith, useLocation } from "./Location.js"
import { Overview } from "./Overview.js"
import { useLive, useNow } from "./PageData.js"
import { PricesView } from "./PricesView.js"
import { Reference } from "./Reference.js"
import { carried, type PeriodName, periodOf, periods } from "./Selection.js"
import { copy } from "./Text.js"

/** What a view is given. */
export interface ViewProperties {
  readonly location: ReturnType<typeof useLocation>
  readonly period: ReturnType<typeof periodOf>
  readonly status: NonNullable<ReturnType<typeof useLive>["status"]>
  /** The revision of the ledger that is shown: it stays while live updates pause. */
  readonly revision: number
  readonly now: number
}

/** How long a view may be named after `g`, in milliseconds. */
const goingMillis = 1500

const titles: Readonly<Record<string, string>> = {
  "/": "Overview",
  "/events": "Events",
  "/prices": "Prices",
  "/reference": "Data API"
}

export const Page = () => {
  const location = useLocation()
  const live = useLive()
  const now = useNow(1000)
  const [isLive, setLive] = useState(true)
  const [isHeld, setHeld] = useState(false)
  const [showsKeys, setShowsKeys] = useState(false)
  const [said, setSaid] = useState("")
  const shown = useRef(0)
  const { status } = live
  if (status !== undefined && (shown.current === 0 || (isLive && !isHeld))) shown.current = status.revision
  const period = periodOf(location, now)

  const say = (text: string) => {
    setSaid(text)
    setTimeout(() => setSaid(""), 2000)
  }

  /** Until when the next key names a view. */
  const goingUntil = useRef(0)
  useKeys((event) => {
    const { key } = event
    const view = Date.now() < goingUntil.current ? { o: "/", e: "/events", p: "/prices" }[key] : undefined
    goingUntil.current = key === "g" ? Date.now() + goingMillis : 0
    const period = (Object.keys(periods) as ReadonlyArray<PeriodName>)[Number(key) - 1]
    if (view !== undefined) go(hrefOf(view, carried(current())))
    else if (key === "/") document.getElementById("find")?.focus()
    else if (key === "?") setShowsKeys(true)
    else if (key === "p") setLive((is) => !is)
    else if (key === "y") copy(window.location.href).then(() => say("Link copied"))
    else if (period !== undefined) go(hrefWith(current(), { period, since: undefined, until: undefined }))
    else return key === "g"
    return true
  })

  const isEvent = location.path === "/event"
  const title = isEvent
    ? (location.parameters.get("id") ?? "")
    : location.path === "/groups"
      ? groupWords[groupKeyOf(location)][1]
      : (titles[location.path] ?? "Overview")
  useEffect(() => {
    document.title = `${title} · botanu`
  }, [title])

  const view = () => {
    if (status === undefined || status.state === "loading") return <Waiting />
    const properties: ViewProperties = { location, period, status, revision: shown.current, now }
    if (location.path === "/reference") return <Reference />
    if (status.events === 0 && status.state === "away") return null
    if (status.events === 0) return <EmptyLedger ledger={status.ledger} />
    if (isEvent) return <EventView {...properties} say={say} />
    if (location.path === "/events") return <Explorer {...properties} isLive={isLive} say={say} />
    if (location.path === "/groups") return <GroupsView {...properties} />
    if (location.path === "/prices") return <PricesView {...properties} />
    return <Overview {...properties} hold={setHeld} />
  }

  return (
    <div onClick={followLinks}>
      <a class="hidden skip" href="#main">
        Skip to content
      </a>
      <Bar
        location={location}
        period={isEvent || location.path === "/reference" ? undefined : period}
        ledger={status?.ledger}
        isLive={isLive}
        revision={status?.revision ?? 0}
        isAway={live.goneSinceMs !== undefined || status?.state === "away"}
        toggleLive={() => setLive(!isLive)}
      />
      <main id="main" tabIndex={-1}>
        <Banners live={live} now={now} />
        {view()}
      </main>
      <p class="hidden" role="status">
        {said}
      </p>
      {showsKeys ? <KeyList close={() => setShowsKeys(false)} /> : null}
    </div>
  )
}

const Waiting = () => (
  <div class="state">
    <h1>Reading the ledger</h1>
    <p class="mute">The figures appear as soon as all of it is read.</p>
  </div>
)
