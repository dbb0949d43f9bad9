/**
 * The server of the page: the data API, and the files of the page.
 */
import { createServer } from "node:http"
import { type FileSystem, HttpApiBuilder, HttpServer, HttpServerResponse, type Path } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Outcome } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { TerminalText } from "botanu-effect/report"
import { Clock, DateTime, Effect, Layer, Schedule, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import * as LedgerWriter from "../store/LedgerWriter.js"
import * as PostgresStore from "../store/PostgresStore.js"
import * as DelimitedText from "../terminal/DelimitedText.js"
import * as DatabaseMirror from "./DatabaseMirror.js"
import * as EventDetail from "./EventDetail.js"
import * as GroupQuery from "./GroupQuery.js"
import { LedgerMirror, layerDirectory, type MirrorState } from "./LedgerMirror.js"
import * as MirrorQuery from "./MirrorQuery.js"
import * as OverviewQuery from "./OverviewQuery.js"
import * as Page from "./PageApi.js"
import * as PageAssets from "./PageAssets.js"
import * as PriceCheck from "./PriceCheck.js"
import * as Trust from "./Trust.js"

export interface PageOptions extends Trust.TrustOptions {
  /** The name of the ledger on the page. */
  readonly ledger: string
  readonly version: string
  /** Where the trace of an event is, with `{traceId}` in it. */
  readonly traceUrl: string | undefined
  /** Writes an amended outcome; absent where that is not allowed. */
  readonly amend: ((amendment: Ledger.OutcomeAmendment) => Effect.Effect<void, CommandError>) | undefined
  /** What a price file would add is shown where there is one. */
  readonly prices?: PriceCheck.PriceCheck | undefined
  /** Where the files of the page are. */
  readonly assets: string
}

const api = (options: PageOptions) =>
  HttpApiBuilder.group(Page.PageApi, "ledger", (handlers) =>
    Effect.map(LedgerMirror, (mirror) => {
      const { query } = mirror
      const statusOf = (state: MirrorState): Page.Status => ({
        ...state,
        ledger: options.ledger,
        version: options.version,
        traceUrl: options.traceUrl ?? null,
        canAmend: options.amend !== undefined
      })
      const keyOf = ({ customerId, eventId }: { readonly eventId: string; readonly customerId?: string | undefined }) =>
        Effect.gen(function* () {
          if (customerId !== undefined) return { eventId, customerId }
          const { events, similar } = yield* away(MirrorQuery.find(query, eventId))
          const [key] = events.filter((found) => found.eventId === eventId)
          return key ?? (yield* new Page.NotInLedger({ eventId, similar }))
        })
      return handlers
        .handle("status", () => Effect.map(mirror.state, statusOf))
        .handle("live", () => Effect.succeed(liveResponse(mirror, statusOf)))
        .handle("overview", ({ urlParams: { stack = "workflow", ...selection } }) =>
          Effect.flatMap(inPeriod(selection), (selection) => away(OverviewQuery.overview(query, selection, stack)))
        )
        .handle("groups", ({ urlParams: { by, limit = 100, offset = 0, ...selection } }) =>
          Effect.flatMap(inPeriod(selection), (selection) =>
            away(GroupQuery.groups(query, by, selection, { offset, limit }))
          )
        )
        .handle("rows", ({ urlParams: { limit = 100, offset = 0, order, sort, ...selection } }) =>
          away(MirrorQuery.rows(query, selection, { sort, order }, { offset, limit }))
        )
        .handle("events", ({ urlParams: { limit = 100, offset = 0, order, sort, ...selection } }) =>
          away(MirrorQuery.events(query, selection, { sort, order }, { offset, limit }))
        )
        .handle("eventsCsv", ({ urlParams: { order, sort, ...selection } }) =>
          Effect.map(
            away(MirrorQuery.rows(query, selection, { sort, order }, { offset: 0, limit: mostRows })),
            (rows) =>
              HttpServerResponse.text(`${csvOf(rows).join("\r\n")}\r\n`, {
                contentType: "text/csv; charset=utf-8",
                headers: { "content-disposition": 'attachment; filename="events.csv"' }
              })
          )
        )
        .handle("event", ({ urlParams }) =>
          Effect.gen(function* () {
            const { customerId, eventId } = yield* keyOf(urlParams)
            const row = yield* away(MirrorQuery.eventRow(query, eventId, customerId))
            const detail = row && EventDetail.of(yield* away(mirror.records(eventId, customerId)))
            if (row === undefined || detail === undefined) {
              const { similar } = yield* away(MirrorQuery.find(query, eventId))
              return yield* new Page.NotInLedger({ eventId, similar })
            }
            return { ...row, ...detail }
          })
        )
        .handle("position", ({ urlParams: { customerId, eventId, order, sort, ...selection } }) =>
          Effect.catchTag(keyOf({ eventId, customerId }), "NotInLedger", () =>
            Effect.succeed({ eventId, customerId: customerId ?? "" })
          ).pipe(Effect.flatMap((key) => away(MirrorQuery.position(query, key, selection, { sort, order }))))
        )
        .handle("find", ({ urlParams: { id } }) => away(MirrorQuery.find(query, id)))
        .handle("values", ({ urlParams: { begin = "", field } }) => away(MirrorQuery.values(query, field, begin)))
        .handle("unpriced", ({ urlParams }) =>
          Effect.gen(function* () {
            const prices = yield* away(MirrorQuery.prices(query, urlParams))
            if (options.prices === undefined) return { ...prices, repriced: null }
            const calls = yield* away(MirrorQuery.unpricedUsages(query, urlParams))
            return { ...prices, repriced: PriceCheck.of(options.prices, calls) }
          })
        )
        .handle("amend", ({ payload }) =>
          Effect.gen(function* () {
            if (options.amend === undefined) {
              return yield* new Page.Refused({ problem: "outcomes can be amended where the server has --allow-amend" })
            }
            yield* keyOf(payload)
            const amendment = yield* amendmentOf(payload, yield* DateTime.now)
            yield* Effect.mapError(options.amend(amendment), ({ message }) => new Page.Refused({ problem: message }))
            yield* mirror.refresh
          })
        )
    })
  )

const amendmentOf = ({ by, customerId, eventId, reason, status }: Page.Amendment, at: DateTime.Utc) =>
  Effect.try({
    try: () =>
      new Ledger.OutcomeAmendment({
        eventId,
        ...(customerId !== undefined && { customerId }),
        outcome: new Outcome.Outcome({ status, ...(reason !== undefined && { reason }) }),
        by,
        at
      }),
    catch: (error) =>
      new Page.Refused({
        problem: TerminalText.visible(String(error instanceof Error ? error.message : error)).slice(0, 200)
      })
  })

/** A selection with a period: without one, of the last 30 days. */
const inPeriod = (selection: Page.Selection) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const until = selection.until ?? now
    return { ...selection, since: selection.since ?? until - 30 * 86_400_000, until }
  })

/** A ledger that cannot be read now. */
const away = <A, R>(effect: Effect.Effect<A, CommandError, R>): Effect.Effect<A, Page.LedgerAway, R> =>
  Effect.mapError(effect, ({ message }) => new Page.LedgerAway({ problem: message }))

/** A row is about 300 bytes: what a browser and this process hold without trouble. */
const mostRows = 1_000_000

const csvTitles = [
  "event",
  "customer",
  "workflow",
  "tenant",
  "environment",
  "started",
  "durationMs",
  "outcome",
  "amended",
  "reason",
  "valueType",
  "valueAmount",
  "attempts",
  "runs",
  "calls",
  "unpricedCalls",
  "usd",
  "usdBeforeFinal"
]

const csvOf = (rows: ReadonlyArray<Page.EventRow>): ReadonlyArray<string> =>
  DelimitedText.csv(
    csvTitles,
    rows.map((row) => [
      row.eventId,
      row.customerId,
      row.workflow,
      row.tenantId ?? "",
      row.environment,
      new Date(row.startMs).toISOString(),
      row.durationMs ?? "",
      row.status ?? "none",
      row.isAmended ? "yes" : "no",
      row.reason ?? "",
      row.valueType ?? "",
      row.valueAmount ?? "",
      row.attempts.join(" "),
      row.runs,
      row.calls,
      row.unpricedCalls,
      row.usd,
      row.usdBeforeFinal
    ])
  )

const encoder = new TextEncoder()

/** Server-sent events: the state now, and with each change, at most once a second. */
const liveResponse = (
  { changes, state }: Pick<LedgerMirror["Type"], "changes" | "state">,
  statusOf: (state: MirrorState) => Page.Status
) => {
  const later = changes.pipe(
    Stream.debounce("50 millis"),
    Stream.throttle({ cost: () => 1, units: 1, duration: "1 second", burst: 1, strategy: "shape" })
  )
  const states = Stream.concat(state, later).pipe(
    Stream.changes,
    Stream.map((state) => `event: status\ndata: ${JSON.stringify(statusOf(state))}\n\n`)
  )
  // A comment now and then, so that a connection that is gone is noticed on both sides.
  const beats = Stream.fromSchedule(Schedule.spaced("15 seconds")).pipe(Stream.map(() => ": here\n\n"))
  return HttpServerResponse.stream(
    Stream.make("retry: 2000\n\n").pipe(
      Stream.concat(Stream.merge(states, beats)),
      Stream.map((text) => encoder.encode(text))
    ),
    { contentType: "text/event-stream", headers: { "cache-control": "no-store" } }
  )
}

/** Where the page listens, and which ledger it shows. */
export interface Listening extends Omit<PageOptions, "amend"> {
  /** The directory of the ledger, or the URL of a database. */
  readonly directory: string
  /** The port; 0 takes a free one. */
  readonly port: number
  readonly allowAmend: boolean
  /** How often the ledger is looked at, in milliseconds. */
  readonly pollMillis?: number
}

/** Serves the page until the scope closes, and gives its port. */
export const listen = (options: Listening) =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const amend = options.allowAmend
      ? (amendment: Ledger.OutcomeAmendment) =>
          Effect.provide(LedgerWriter.write(options.directory, { amendments: [amendment] }), environment)
      : undefined
    const server = createServer()
    const { address } = yield* Effect.flatMap(
      Layer.build(
        layer({ ...options, amend }).pipe(
          Layer.provide(
            PostgresStore.isUrl(options.directory)
              ? DatabaseMirror.layer(options.directory)
              : layerDirectory({
                  ledger: options.directory,
                  ...(options.pollMillis !== undefined && { pollMillis: options.pollMillis })
                })
          ),
          Layer.provideMerge(NodeHttpServer.layer(() => server, { host: options.host, port: options.port }))
        )
      ),
      (context) => Effect.provide(HttpServer.HttpServer, context)
    )
    // A page that listens would keep the server open for ever.
    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    return address._tag === "TcpAddress" ? address.port : options.port
  })

/** Serves the page on the `HttpServer` in the context. */
const layer = (options: PageOptions) =>
  Layer.unwrapEffect(
    Effect.map(PageAssets.handler(options.assets), (assets) =>
      HttpApiBuilder.serve(Trust.middleware(options)).pipe(
        Layer.provide(HttpApiBuilder.Router.use((router) => router.get("/*", assets))),
        Layer.provide(HttpApiBuilder.middlewareOpenApi({ path: "/api/openapi.json" })),
        Layer.provide(HttpApiBuilder.api(Page.PageApi)),
        Layer.provide(api(options))
      )
    )
  )
