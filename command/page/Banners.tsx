/**
 * What is wrong with the ledger or the connection, and what to do about it.
 */
import { Figures } from "botanu-effect/report"
import type { Live } from "./PageData.js"
import { plural } from "./Text.js"

const time = (epochMillis: number): string => `${new Date(epochMillis).toISOString().slice(11, 19)} UTC`

export const Banners = ({ live: { goneSinceMs, status }, now }: { readonly live: Live; readonly now: number }) => {
  const isAway = status?.state === "away" && status.awaySinceMs !== null
  return (
    <>
      {goneSinceMs !== undefined ? (
        <div class="banner is-away" role="alert">
          <b>botanu serve does not answer for {Figures.duration(seconds(now - goneSinceMs))}</b>
          <span class="mute">
            {status === undefined ? "" : `Shown as of ${time(status.atMs)}. `}Start it again; the page goes on by
            itself.
          </span>
        </div>
      ) : isAway ? (
        <div class="banner is-away" role="alert">
          <b>
            {isDatabase(status.ledger) ? "No connection to" : "Cannot read"} {status.ledger} for{" "}
            {Figures.duration(seconds(now - (status.awaySinceMs ?? now)))}
          </b>
          <span class="mute">
            Shown as of {time(status.atMs)}. Trying again in{" "}
            {Figures.duration(seconds(Math.max(0, (status.nextTryMs ?? now) - now)))}.
          </span>
          <span class="faint">{status.problem}</span>
        </div>
      ) : null}
      {status?.problems.map(({ lines, places, problem }) => (
        <div key={problem} class="banner small">
          <b>{plural(lines, "line")} could not be read</b>
          <span class="mute">
            in {filesText(places)}. {problemTexts[problem]}
          </span>
          <code>botanu doctor</code>
        </div>
      ))}
      {status !== undefined && status.lost > 0 ? (
        <div class="banner small">
          <b>{plural(status.lost, "record was", "records were")} lost before the ledger</b>
          <span class="mute">The disk was slow, full or gone, and they are in no sum.</span>
          <code>botanu doctor</code>
        </div>
      ) : null}
    </>
  )
}

const isDatabase = (ledger: string): boolean => /^postgres/.test(ledger)

const seconds = (millis: number): number => Math.max(1000, Math.round(millis / 1000) * 1000)

const problemTexts = {
  cut: "Cut by a crash; all else is here.",
  newer_version: "Written by a later version of botanu, and in no sum: update this one.",
  invalid: "Not as botanu writes it, and in no sum."
}

const filesText = (files: ReadonlyArray<string>): string =>
  files.length <= 2 ? files.join(" and ") : `${files[0]} and ${files.length - 1} other files`

/** An empty ledger, with the code that fills it. */
export const EmptyLedger = ({ ledger }: { readonly ledger: string }) => (
  <div class="state">
    <h1>No runs in {ledger} yet</h1>
    <p class="mute">Add the ledger to your program. The first run appears here within a second.</p>
    <pre>
      <code>{isDatabase(ledger) ? "LedgerSql.layer()" : `Ledger.layer({ directory: ${JSON.stringify(ledger)} })`}</code>
    </pre>
  </div>
)
