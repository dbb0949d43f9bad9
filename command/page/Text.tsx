/**
 * Figures and marks as all views show them. What comes from the ledger is text, never markup.
 */
import { Figures } from "botanu-effect/report"
import * as BigDecimal from "effect/BigDecimal"
import type { ComponentChildren, JSX } from "preact"

export const decimal = (text: string): BigDecimal.BigDecimal => BigDecimal.unsafeFromString(text)

/** A sum that may lack calls. */
export interface Amount {
  readonly usd: string
  readonly unpricedCalls: number
}

/** Whether nothing at all of a cost is known. */
export const isUnknown = ({ unpricedCalls, usd }: Amount): boolean => unpricedCalls > 0 && Number(usd) === 0

export const usd = (text: string): string => `$${Figures.usd(decimal(text))}`

const plural = (count: number, one: string, many = `${one}s`): string =>
  `${Figures.count(count)} ${count === 1 ? one : many}`

export { plural }

/** The dashed box for what is not known. */
export const Unknown = ({ children, title }: { readonly children: ComponentChildren; readonly title?: string }) => (
  <span class="unknown" title={title}>
    {children}
  </span>
)

/** How many calls a sum lacks. */
export const Lacking = ({ calls, word = "" }: { readonly calls: number; readonly word?: string }) =>
  calls === 0 ? null : (
    <Unknown
      title={`${plural(calls, "call has", "calls have")} no price and ${calls === 1 ? "is" : "are"} not in the sum`}
    >
      +{Figures.count(calls)}
      {word === "" ? <span class="hidden"> without a price</span> : ` ${word}`}
    </Unknown>
  )

/** A sum that stands alone: the known part, then how many calls it lacks. */
export const Spend = ({ amount, word }: { readonly amount: Amount; readonly word?: string }) =>
  isUnknown(amount) ? (
    <Unknown title={`${plural(amount.unpricedCalls, "call")} without a price`}>no price</Unknown>
  ) : (
    <>
      <span title={`${amount.usd} USD`}>{usd(amount.usd)}</span>{" "}
      <Lacking calls={amount.unpricedCalls} {...(word && { word })} />
    </>
  )

/** An amount in a column whose head has the unit, and whose digits are aligned. */
export const ColumnAmount = ({
  amount,
  places,
  prefix = "",
  before
}: {
  readonly amount: Amount
  readonly places: number
  readonly prefix?: string
  readonly before?: ComponentChildren
}) =>
  isUnknown(amount) ? (
    <Unknown title={`${plural(amount.unpricedCalls, "call")} without a price`}>no price</Unknown>
  ) : (
    <>
      <Lacking calls={amount.unpricedCalls} /> {before}
      <span title={`${amount.usd} USD`}>
        {prefix}
        {columnText(amount.usd, places)}
      </span>
    </>
  )

/** An amount of a column. What would be all zeros has two digits. */
export const columnText = (text: string, places: number): string => {
  const amount = decimal(text)
  if (BigDecimal.isZero(amount)) return "0"
  const shown = Figures.fixed(amount, places)
  return /[1-9]/.test(shown) ? shown : Figures.usd(amount)
}

/** The decimals of a column of amounts. */
export const placesOf = (amounts: ReadonlyArray<string>): number => Figures.usdPlaces(amounts.map(decimal))

/** A change against a value before. Red is worse and green is better, where one is. */
export const ChangeText = ({
  after = "from",
  before,
  less,
  text
}: {
  readonly text: string | undefined
  readonly before: string
  /** Whether less is better, more is better, or neither. */
  readonly less?: "better" | "worse"
  readonly after?: string
}) => {
  if (text === undefined) return <p class="delta">–</p>
  const direction = text.startsWith("−") ? -1 : text.startsWith("0") ? 0 : 1
  const isBetter = direction === 0 || less === undefined ? undefined : direction < 0 === (less === "better")
  return (
    <p class="delta">
      <b class={isBetter === undefined ? "mute" : isBetter ? "good" : "worse"}>
        {text}
        {isBetter === undefined ? null : <span class="hidden">, {isBetter ? "better" : "worse"}</span>}
      </b>{" "}
      {after} {before}
    </p>
  )
}

const marks: Readonly<Record<string, JSX.Element>> = {
  success: (
    <>
      <circle cx="6" cy="6" r="6" fill="currentColor" />
      <path d="M3.2 6.2l2 2 3.6-4" fill="none" class="inverse" stroke-width="1.6" />
    </>
  ),
  failure: (
    <>
      <rect width="12" height="12" rx="2" fill="currentColor" />
      <path d="M3.6 3.6l4.8 4.8m0-4.8L3.6 8.4" class="inverse" stroke-width="1.6" />
    </>
  ),
  timeout: (
    <>
      <circle cx="6" cy="6" r="5.2" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M6 3v3.2l2 1.3" fill="none" stroke="currentColor" stroke-width="1.5" />
    </>
  ),
  partial: (
    <>
      <circle cx="6" cy="6" r="5.2" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M6 .8a5.2 5.2 0 0 1 0 10.4z" fill="currentColor" />
    </>
  ),
  canceled: (
    <>
      <circle cx="6" cy="6" r="5.2" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M2.6 9.4l6.8-6.8" stroke="currentColor" stroke-width="1.6" />
    </>
  ),
  running: <circle cx="6" cy="6" r="5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="20 12" />,
  lost: <circle cx="6" cy="6" r="5.2" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2 2" />
}

const noMark = <path d="M3 6h6" stroke="currentColor" stroke-width="1.6" />

/** The mark of a status, which has a shape of its own, without the word. */
export const Mark = ({ status }: { readonly status: string }) => (
  <svg class={`mark is-${status}`} viewBox="0 0 12 12" aria-hidden="true">
    {marks[status] ?? noMark}
  </svg>
)

/** A status: its mark and its word. */
export const Status = ({
  status,
  word = status
}: {
  readonly status: string | null
  readonly word?: string | null
}) => (
  <span class={`status is-${status ?? "none"}`}>
    <Mark status={status ?? "none"} />
    <span class="word">{word ?? "none"}</span>
  </span>
)

/** Text from the ledger in one line: cut at its end, whole in its title. Its direction does not turn what is beside it. */
export const Name = ({ text, href }: { readonly text: string; readonly href?: string | undefined }) =>
  href === undefined ? (
    <bdi class="name" title={text}>
      {text}
    </bdi>
  ) : (
    <a class="name" href={href} title={text}>
      <bdi>{text}</bdi>
    </a>
  )

/** The place of a figure that is on its way. */
export const Skeleton = ({ width }: { readonly width: number }) => <i class={`skeleton w${width}`} aria-hidden="true" />

/** The unit of a meter, for people: `cacheReadTokens` is "cache read tokens". */
export const meterText = (meter: string): string =>
  meter
    .replace(/^toolCalls\./, "calls of ")
    .replace(/([a-z])([A-Z0-9])/g, "$1 $2")
    .toLowerCase()

/** An amount of a meter: `2,400 queries`, `1 query`. */
export const meterAmount = (amount: number, meter: string): string => {
  const unit = meterText(meter)
  return `${Figures.large(amount)} ${amount === 1 ? unit.replace(/ies$/, "y").replace(/s$/, "") : unit}`
}

export const copy = (text: string): Promise<void> => navigator.clipboard.writeText(text)
