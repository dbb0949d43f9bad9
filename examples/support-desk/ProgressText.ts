/**
 * Progress in words: the bar, and the line about a ticket that is done.
 */
import type { CompletedRun } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import * as Figures from "./Figures.js"
import { inkOf } from "./StatusInk.js"
import { statuses } from "./Summary.js"
import type { Tally } from "./Tally.js"
import { type Ink, paint, type Screen } from "./Terminal.js"
import type { Ticket } from "./Ticket.js"

const { pad, truncate, visible } = TerminalText

const cells = 24

/** The bar: how much is done, how it went, how much is in work. */
export const bar = (tally: Tally, elapsedMs: number, screen: Screen): string => {
  const filled = tally.read === 0 ? 0 : Math.floor((cells * tally.finished) / tally.read)
  const parts: ReadonlyArray<readonly [text: string, ink?: Ink]> = [
    [`${"█".repeat(filled)}${"░".repeat(cells - filled)}`, "green"],
    [` ${position(tally)}`, "bold"],
    ...statuses
      .filter((status) => tally.outcomes[status] > 0)
      .map((status) => [`  ${tally.outcomes[status]} ${status}`, inkOf(status)] as const),
    [`  ${tally.started - tally.finished} in work`],
    [`  ${(elapsedMs / 1000).toFixed(1)} s`, "dim"]
  ]
  // One column stays free, so that no terminal wraps the line.
  let left = screen.columns - 1
  return parts
    .map(([text, ink]) => {
      const shown = text.length <= left ? text : left > 1 ? truncate(text, left) : ""
      left -= shown.length
      return ink === undefined ? shown : paint(screen, ink, shown)
    })
    .join("")
}

const position = ({ finished, isReading, read }: Tally): string => `${finished}/${read}${isReading ? "+" : ""}`

/** What became of a ticket, in a line. */
export const ticketLine = (ticket: Ticket, last: CompletedRun | undefined, tally: Tally): string => {
  const place = pad(position(tally), 5, "right")
  if (last === undefined) return `${place} ${visible(ticket.id)} was not worked`
  const { durationMs, outcome, run, status } = last
  const attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : ""
  const subject = truncate(visible(ticket.subject), 60)
  const what = `${visible(run.eventId)} ${run.workflow} for ${visible(run.customerId)}`
  return `${place}  ${pad(outcome?.status ?? status, 8)}  ${what}${attempt}, ${Figures.duration(durationMs)}: ${subject}`
}
