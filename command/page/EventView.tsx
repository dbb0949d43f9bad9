/**
 * One event: what came of it, what it cost, and its timeline.
 */
import { Figures } from "botanu-effect/report"
import { useRef, useState } from "preact/hooks"
import type { EventDetail, Position, TimelineRow } from "../src/serve/PageApi.js"
import { Charges } from "./Charges.js"
import { orderOf } from "./Explorer.js"
import { useKeys } from "./Keys.js"
import { go, hrefOf, hrefWith, type Location } from "./Location.js"
import type { ViewProperties } from "./Page.js"
import { ApiError, request, useData, useLasting } from "./PageData.js"
import { carried, type Field, fields, filtersOf, queryOf, valueText } from "./Selection.js"
import { copy, isUnknown, Mark, plural, Skeleton, Spend, Status, Unknown, usd } from "./Text.js"
import { Timeline } from "./Timeline.js"

export const EventView = ({
  location,
  now,
  period,
  revision,
  say,
  status
}: ViewProperties & { readonly say: (text: string) => void }) => {
  const eventId = location.parameters.get("id") ?? ""
  const customerId = location.parameters.get("of") ?? undefined
  const loaded = useData<EventDetail>("event", { eventId, customerId }, revision)
  const data = loaded.data?.event.eventId === eventId ? loaded.data : undefined
  const isSlow = useLasting(loaded.isLoading && data === undefined, 200)
  const position = useData<Position>(
    "position",
    { ...queryOf(location, period), ...orderOf(location), eventId, customerId },
    revision
  ).data
  const given = location.parameters.get("row")
  const selected = given === null ? undefined : data?.rows.find(({ id }) => String(id) === given)?.id
  const select = (id: number | undefined) => go(hrefWith(location, { row: id }), true)
  const list = hrefOf("/events", {
    ...carried(location),
    sort: location.parameters.get("sort") ?? undefined,
    order: location.parameters.get("order") ?? undefined
  })
  const neighbour = (key: Position["next"] | undefined) =>
    key === null || key === undefined
      ? undefined
      : hrefWith(location, { id: key.eventId, of: key.customerId, row: undefined })
  const copied = (what: string, text: string) => copy(text).then(() => say(`${what} copied`))

  useKeys((event) => {
    const href =
      event.key === "j" ? neighbour(position?.next) : event.key === "k" ? neighbour(position?.previous) : undefined
    if (href !== undefined) go(href)
    else if (event.key === "c") copied("Event id", eventId)
    else if (event.key === "Escape") {
      if (selected !== undefined) select(undefined)
      else go(list)
    } else return false
    return true
  })

  if (data === undefined && loaded.error instanceof ApiError && loaded.error.status === 404) {
    return <NotFound eventId={eventId} ledger={status.ledger} body={loaded.error.body} />
  }
  const traceId = data === undefined ? undefined : traceOf(data.rows)
  return (
    <div class={`detail${isSlow ? " slow" : ""}`} aria-busy={loaded.isLoading}>
      <div class="crumbs small">
        <a class="cut" href={list}>
          Events{filterText(location)}
        </a>
        {position === undefined || position.index === null ? null : (
          <span class="steps">
            {Figures.count(position.index)} of {Figures.count(position.total)}
            <Step href={neighbour(position.previous)} label="Event before in the list (k)" sign="↑" />
            <Step href={neighbour(position.next)} label="Next event in the list (j)" sign="↓" />
          </span>
        )}
      </div>
      <div class="titles">
        <h1>
          <bdi>{eventId}</bdi>
        </h1>
        <button
          type="button"
          class="button square"
          aria-label="Copy event id"
          title="Copy event id (c)"
          onClick={() => copied("Event id", eventId)}
        >
          <svg width="12" height="12" viewBox="0 0 12 12" fill="none" stroke="currentColor" aria-hidden="true">
            <rect x="3.5" y="3.5" width="8" height="8" rx="1" />
            <path d="M8.5 3.5v-3h-8v8h3" />
          </svg>
        </button>
        {data === undefined ? null : (
          <span class="actions">
            {status.canAmend ? <Amend data={data} say={say} /> : null}
            <button type="button" class="button" onClick={() => copied("Text", data.text)}>
              Copy as text
            </button>
            <button
              type="button"
              class="button"
              onClick={() => copied("JSON", JSON.stringify(data.records, undefined, 2))}
            >
              Copy as JSON
            </button>
            {status.traceUrl === null || traceId === undefined ? null : (
              <a
                class="button"
                href={status.traceUrl.replaceAll("{traceId}", encodeURIComponent(traceId))}
                rel="noreferrer"
                target="_blank"
              >
                Open trace
              </a>
            )}
          </span>
        )}
      </div>
      <Facts data={data} location={location} />
      <KeyFigures data={data} now={now} />
      {data === undefined ? null : (
        <div class="columns">
          <section aria-labelledby="timeline">
            <Timeline rows={data.rows} selected={selected} select={select} now={now} />
          </section>
          <div class="aside">
            <Outcomes data={data} />
            <Charges data={data} selected={selected} />
            <Ids row={data.rows.find(({ id }) => id === selected)} rows={data.rows} />
          </div>
        </div>
      )}
    </div>
  )
}

const Step = ({
  href,
  label,
  sign
}: {
  readonly href: string | undefined
  readonly label: string
  readonly sign: string
}) => (
  <button
    type="button"
    class="button"
    aria-label={label}
    title={label}
    disabled={href === undefined}
    onClick={() => href !== undefined && go(href)}
  >
    {sign}
  </button>
)

const filterText = (location: Location): string => {
  const filters = Object.entries(filtersOf(location)) as ReadonlyArray<readonly [Field, string]>
  return filters.length === 0
    ? ""
    : `: ${filters.map(([field, value]) => `${fields[field]} ${valueText(field, value)}`).join(", ")}`
}

/** The trace of the last run that has one. */
const traceOf = (rows: ReadonlyArray<TimelineRow>): string | undefined =>
  rows.findLast(({ depth, traceId }) => depth === 0 && traceId !== null)?.traceId ?? undefined

const NotFound = ({
  body,
  eventId,
  ledger
}: {
  readonly eventId: string
  readonly ledger: string
  readonly body: Readonly<Record<string, unknown>>
}) => {
  const similar = (body["similar"] ?? []) as ReadonlyArray<{ readonly eventId: string; readonly customerId: string }>
  return (
    <div class="state">
      <h1>
        No event <bdi>{eventId}</bdi> in {ledger}
      </h1>
      <p class="mute">
        {similar.length === 0 ? "Its lines may be older than what the ledger keeps. " : "Ids that begin like it: "}
        {similar.map((key, index) => (
          <span key={`${key.eventId} ${key.customerId}`}>
            {index === 0 ? "" : ", "}
            <a class="link" href={hrefOf("/event", { id: key.eventId, of: key.customerId })}>
              {key.eventId}
            </a>
          </span>
        ))}
      </p>
      <p>
        <a class="link" href="/events">
          All events
        </a>
      </p>
    </div>
  )
}

const Facts = ({ data, location }: { readonly data: EventDetail | undefined; readonly location: Location }) => {
  if (data === undefined) {
    return (
      <p class="facts">
        <Skeleton width={132} />
      </p>
    )
  }
  const { event, workflowVersion } = data
  const events = (changes: Readonly<Record<string, string>>) =>
    hrefOf("/events", { period: location.parameters.get("period") ?? undefined, ...changes })
  return (
    <dl class="facts">
      <div>
        <dt>customer</dt>
        <dd>
          <a href={events({ customer: event.customerId })}>
            <bdi>{event.customerId}</bdi>
          </a>
        </dd>
      </div>
      <div>
        <dt>workflow</dt>
        <dd>
          <a href={events({ workflow: event.workflow })}>
            <bdi>{event.workflow}</bdi>
          </a>{" "}
          {workflowVersion}
        </dd>
      </div>
      {event.tenantId === null ? null : (
        <div>
          <dt>tenant</dt>
          <dd>
            <bdi>{event.tenantId}</bdi>
          </dd>
        </div>
      )}
      <div>
        <dt>environment</dt>
        <dd>
          <bdi>{event.environment}</bdi>
        </dd>
      </div>
      <div>
        <dt>started</dt>
        <dd>{Figures.fullInstant(event.startMs)}</dd>
      </div>
    </dl>
  )
}

/** The cost of a row with all that is in it. */
const wholeOf = ({ unpricedCalls, usd, withNested }: TimelineRow) => withNested ?? { usd, unpricedCalls }

const KeyFigures = ({ data, now }: { readonly data: EventDetail | undefined; readonly now: number }) => {
  const waiting = (
    <p class="big">
      <Skeleton width={88} />
    </p>
  )
  const attempts = (data?.rows ?? []).filter(({ depth, kind }) => depth === 0 && kind === "run")
  const event = data?.event
  const recorded = data?.outcomes[data.outcomes.length - 1]
  const [latest] = data?.outcomes ?? []
  const beforeFinal =
    event === undefined || Number(event.usd) === 0
      ? 0
      : Math.round((100 * Number(event.usdBeforeFinal)) / Number(event.usd))
  const waits = (data?.rows ?? []).filter(({ kind }) => kind === "wait")
  const waited = waits.reduce((sum, { endMs, startMs }) => sum + ((endMs ?? 0) - (startMs ?? 0)), 0)
  return (
    <section class="figures" aria-label="Outcome and cost">
      <div class="figure">
        <h2>Outcome</h2>
        {event === undefined ? (
          waiting
        ) : (
          <>
            <p>
              <Status status={event.status} word={event.status ?? "none recorded"} />
            </p>
            <p class="delta">
              {event.isAmended && latest?.atMs ? (
                <>
                  amended {Figures.date(latest.atMs)}, recorded as <s>{recorded?.status ?? "none"}</s>
                </>
              ) : (
                (event.reason ?? "")
              )}
            </p>
          </>
        )}
      </div>
      <div class="figure">
        <h2>Cost</h2>
        {event === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              <Spend amount={event} word="unpriced" />
              {event.status === "running" ? <span class="unit"> so far</span> : null}
            </p>
            <p class="delta">
              {attempts.length < 2 ? (
                isUnknown(event) ? (
                  "Load a price file: botanu reprice --prices FILE"
                ) : (
                  plural(event.calls, "call")
                )
              ) : (
                <>
                  <b class={beforeFinal > 0 ? "worse" : "mute"}>{beforeFinal}%</b> of it before the final attempt
                </>
              )}
            </p>
            {attempts.length < 2 || Number(event.usd) === 0 ? null : (
              <>
                <div class="split" aria-hidden="true">
                  {attempts.map((row) => (
                    <i
                      key={row.id}
                      class={`fill-${row.status ?? "none"}`}
                      style={{ flexGrow: Number(wholeOf(row).usd) / Number(event.usd) }}
                    />
                  ))}
                </div>
                <ul class="parts">
                  {attempts.slice(0, 6).map((row, index) => (
                    <li key={row.id}>
                      <i class={`swatch fill-${row.status ?? "none"}`} />
                      attempt {index + 1}{" "}
                      {isUnknown(wholeOf(row)) ? <Unknown>no price</Unknown> : usd(wholeOf(row).usd)}
                    </li>
                  ))}
                  {attempts.length > 6 ? <li>{attempts.length - 6} more</li> : null}
                </ul>
              </>
            )}
          </>
        )}
      </div>
      <div class="figure">
        <h2>Against its workflow</h2>
        {event === undefined ? (
          waiting
        ) : event.toMedian === null ? (
          <>
            <p class="big">–</p>
            <p class="delta">
              {isUnknown(event)
                ? "its cost is not known"
                : data?.median === null
                  ? "no other event has ended"
                  : "known when it has ended"}
            </p>
          </>
        ) : (
          <>
            <p class="big">
              {event.toMedian >= 100 ? Figures.count(Math.round(event.toMedian)) : event.toMedian.toFixed(1)}×
            </p>
            <p class="delta">
              median {usd(data?.median ?? "0")}, p95 {usd(data?.p95 ?? "0")}
            </p>
          </>
        )}
      </div>
      <div class="figure">
        <h2>Attempts</h2>
        {event === undefined ? (
          waiting
        ) : (
          <>
            <p class="big">
              {event.attempts.length} <span class="unit">{plural(event.runs, "run")}</span>
            </p>
            <p class="delta">{event.attempts.slice(-6).join(", ")}</p>
          </>
        )}
      </div>
      <div class="figure">
        <h2>Duration</h2>
        {event === undefined ? (
          waiting
        ) : event.durationMs === null ? (
          <>
            <p class="big">
              {Figures.duration(now - event.startMs)} <span class="unit">so far</span>
            </p>
            <p class="delta">no end yet</p>
          </>
        ) : (
          <>
            <p class="big">{Figures.duration(event.durationMs)}</p>
            <p class="delta">
              {waited === 0
                ? ""
                : `${Figures.duration(Math.max(0, event.durationMs - waited))} at work, ${Figures.duration(waited)} waiting`}
            </p>
          </>
        )}
      </div>
    </section>
  )
}

const Outcomes = ({ data }: { readonly data: EventDetail }) => (
  <section>
    <div class="head">
      <h2>Outcome</h2>
    </div>
    <ol>
      {data.outcomes.map((outcome) => (
        <li key={`${outcome.atMs} ${outcome.by}`} class={`trail${outcome.by === null ? "" : " is-amended"}`}>
          <Mark status={outcome.status ?? "none"} />
          <p>
            <b>{outcome.status ?? "no outcome"}</b>{" "}
            <span class="mute">
              {outcome.atMs === null ? (
                `attempt ${outcome.attempt} has no end`
              ) : (
                <>
                  {outcome.by === null ? "recorded" : "amended"} {timeText(outcome.atMs)} by{" "}
                  <bdi>{outcome.by ?? `attempt ${outcome.attempt}`}</bdi>
                </>
              )}
            </span>
          </p>
          {outcome.reason === null ? null : (
            <p class="mute">
              <bdi>{outcome.reason}</bdi>
            </p>
          )}
          {outcome.valueType === null && outcome.confidence === null ? null : (
            <p class="mute">
              {[
                outcome.valueType === null
                  ? undefined
                  : `${outcome.valueType} ${outcome.valueAmount === null ? "" : Figures.count(outcome.valueAmount)}`,
                outcome.confidence === null ? undefined : `confidence ${outcome.confidence}`
              ]
                .filter((part) => part !== undefined)
                .join(", ")}
            </p>
          )}
        </li>
      ))}
    </ol>
  </section>
)

const timeText = (epochMillis: number): string => {
  const text = Figures.listInstant(epochMillis)
  return `${text.slice(0, -9)}, ${text.slice(-8)} UTC`
}

const Ids = ({ row, rows }: { readonly row: TimelineRow | undefined; readonly rows: ReadonlyArray<TimelineRow> }) => {
  let run = row
  while (run !== undefined && run.runId === null) run = rows.find(({ id }) => id === run?.parent)
  run ??= rows.findLast(({ depth, runId }) => depth === 0 && runId !== null)
  const ids = [
    ["run", run?.runId],
    ["root run", run?.rootRunId],
    ["trace", run?.traceId]
  ] as const
  return (
    <section>
      <div class="head">
        <h2>Ids</h2>
        <span class="mute">{row === undefined ? "last attempt" : ""}</span>
      </div>
      <dl class="ids small">
        {ids.map(([name, id]) =>
          id === null || id === undefined
            ? null
            : [
                <dt key={name}>{name}</dt>,
                <dd key={id} class="mono cut" title={id}>
                  {id}
                </dd>
              ]
        )}
      </dl>
    </section>
  )
}

const statuses = ["success", "failure", "partial", "timeout", "canceled"] as const

const Amend = ({ data, say }: { readonly data: EventDetail; readonly say: (text: string) => void }) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const [problem, setProblem] = useState("")
  const send = async (form: HTMLFormElement) => {
    const values = Object.fromEntries(new FormData(form))
    const { customerId, eventId } = data.event
    const body = { ...values, eventId, customerId, reason: values["reason"] === "" ? undefined : values["reason"] }
    await request(
      "amend",
      {},
      { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }
    ).then(
      () => {
        dialog.current?.close()
        say("Outcome amended")
      },
      (error: unknown) =>
        setProblem(
          error instanceof ApiError ? String(error.body["problem"] ?? error.message) : "the server does not answer"
        )
    )
  }
  return (
    <>
      <button type="button" class="button" onClick={() => dialog.current?.showModal()}>
        Amend outcome
      </button>
      <dialog ref={dialog} aria-labelledby="amend">
        <h2 id="amend">Amend the outcome</h2>
        <form
          class="amend fields"
          onSubmit={(event) => {
            event.preventDefault()
            send(event.currentTarget)
          }}
        >
          <label>
            Outcome
            <select name="status">
              {statuses.map((status) => (
                <option key={status}>{status}</option>
              ))}
            </select>
          </label>
          <label>
            Reason
            <input name="reason" autocomplete="off" />
          </label>
          <label>
            Who amends it
            <input name="by" required autocomplete="name" />
          </label>
          <p class="worse small" role="alert">
            {problem}
          </p>
          <div class="row">
            <button type="button" class="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="button">
              Amend
            </button>
          </div>
        </form>
      </dialog>
    </>
  )
}
