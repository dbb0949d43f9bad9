/**
 * `botanu event ID`: what one event did, as a tree over time.
 */
import { Cost } from "botanu-effect"
import { BusinessEvent, Figures, RunTree, TerminalText } from "botanu-effect/report"
import { BigDecimal, DateTime, Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { medianUsd } from "../query/EventFigures.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Paint from "../terminal/Paint.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import * as TextTable from "../terminal/TextTable.js"

/** Prints the events with an id: one, or one for each customer that has an event of that id. */
export const event = (options: {
  readonly id: string
  readonly customer: string | undefined
  /** Charges by model and meter, in place of the tree. */
  readonly charges: boolean
  readonly json: boolean
}): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, isUtf8, print } = yield* Screen
    const { name, records: read } = yield* LedgerStore
    const { amendments, records } = yield* read({ eventId: options.id, customerId: options.customer })
    const events = BusinessEvent.fromRecords(records, amendments)
    if (events.length === 0) {
      const whose = options.customer === undefined ? "" : ` of customer ${TerminalText.visible(options.customer)}`
      return yield* new CommandError({
        message: `there is no event ${TerminalText.visible(options.id)}${whose} in ${TerminalText.visible(name)}: check the id`,
        exitCode: exitCodes.findings
      })
    }
    // Inside a text of JSON the escape of a character is the character.
    if (options.json) {
      return yield* print(JSON.stringify(events.map(jsonOf), undefined, 2).split("\n").map(TerminalText.visible))
    }
    const blocks = yield* Effect.forEach(events, (one) =>
      options.charges
        ? Effect.succeed([titleOf(one), "", ...chargeLines(one, columns)])
        : Effect.map(medianUsd(one.workflow), (medianUsd) =>
            RunTree.lines(one, { columns, isUtf8, medianUsd, paint: Paint.byStatus(hasColour) })
          )
    )
    yield* print(blocks.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])))
  })

const titleOf = ({ customerId, eventId, workflow }: BusinessEvent.BusinessEvent): string =>
  [eventId, customerId, workflow].map(TerminalText.visible).join("   ")

const jsonOf = ({ amendments, chains, cost, costBeforeFinal, runs, ...event }: BusinessEvent.BusinessEvent) => ({
  ...event,
  cost: costJson(cost),
  costBeforeFinal: costJson(costBeforeFinal),
  amendments,
  chains: chains.map(({ attempts, status }) => ({ status, runIds: attempts.map(({ run }) => run.runId) })),
  runs: runs.map(({ completed, run }) => completed ?? { run, status: "running" })
})

const costJson = ({ calls, unpricedCalls, usd }: BusinessEvent.CostSum) => ({
  usd: Cost.format(usd),
  calls,
  unpricedCalls
})

interface ChargeRow {
  readonly model: string
  readonly meter: string
  readonly quantity: number | undefined
  readonly unitPrice: string
  readonly usd: BigDecimal.BigDecimal | undefined
  readonly price: string
}

/** Charges of all calls, by model, meter and price; calls without a price with what they consumed, as far as it is known. */
const chargeLines = ({ cost, runs }: BusinessEvent.BusinessEvent, columns: number): ReadonlyArray<string> => {
  const rows = new Map<string, ChargeRow>()
  const add = (row: ChargeRow): void => {
    const key = JSON.stringify([row.model, row.meter, row.unitPrice, row.price])
    const known = rows.get(key)
    rows.set(
      key,
      known === undefined
        ? row
        : {
            ...row,
            quantity: (known.quantity ?? 0) + (row.quantity ?? 0),
            usd: known.usd === undefined || row.usd === undefined ? undefined : BigDecimal.sum(known.usd, row.usd)
          }
    )
  }
  for (const { completed } of runs) {
    for (const { cost, usage } of completed?.usages ?? []) {
      const model = usage.responseModel ?? usage.model ?? usage.provider
      for (const { meter, price, quantity, unitPrice, usd } of cost.charges ?? []) {
        const since = price.from === undefined ? "" : ` since ${DateTime.formatIsoDateUtc(price.from)}`
        const entry = [price.source, price.entry, price.tier].filter((part) => part !== undefined).join(" ")
        add({ model, meter, quantity, unitPrice: Cost.format(unitPrice), usd, price: `${entry}${since}` })
      }
      if (cost._tag === "Priced" && (cost.charges ?? []).length === 0) {
        add({ model, meter: "call", quantity: 1, unitPrice: "", usd: cost.usd, price: "" })
      }
      if (cost._tag === "Unpriced") {
        add({
          model,
          meter: "call",
          quantity: 1,
          unitPrice: "",
          usd: undefined,
          price: cost.reason.replaceAll("_", " ")
        })
      }
    }
  }
  const list = Array.from(rows.values())
  const places = Math.max(4, Figures.usdPlaces(list.flatMap(({ usd }) => (usd === undefined ? [] : [usd]))))
  const total = { model: "Sum", meter: "", quantity: undefined, unitPrice: "", usd: cost.usd, price: "" }
  const shown: ReadonlyArray<ChargeRow> = [...list, total]
  return TextTable.lines(
    [
      { title: "Model", cells: shown.map(({ model }) => Rows.cell(model)) },
      { title: "Meter", cells: shown.map(({ meter }) => Rows.cell(meter)) },
      {
        title: "Quantity",
        alignment: "right",
        cells: shown.map(({ quantity }) => (quantity === undefined ? "" : Figures.count(quantity)))
      },
      {
        title: "Cost",
        unit: "USD",
        alignment: "right",
        cells: shown.map(({ usd }) => (usd === undefined ? "no price" : Figures.fixed(usd, places)))
      },
      {
        title: "",
        isNote: true,
        cells: shown.map((row) => (row === total && cost.unpricedCalls > 0 ? `+${cost.unpricedCalls}?` : ""))
      },
      { title: "Each", unit: "USD", alignment: "right", cells: shown.map(({ unitPrice }) => unitPrice) },
      { title: "Price", cells: shown.map(({ price }) => Rows.cell(price, 48)) }
    ],
    columns
  )
}
