/**
 * What calls consumed and what that cost, by model and meter, with the price that each charge came from.
 */
import { Figures } from "botanu-effect/report"
import * as BigDecimal from "effect/BigDecimal"
import type { CallCharges, EventDetail } from "../src/serve/PageApi.js"
import { Heads } from "./Table.js"
import { decimal, meterText, plural, Unknown } from "./Text.js"

interface MeterSum {
  readonly meter: string
  readonly unit: string
  readonly unitPrice: string
  quantity: number
  usd: BigDecimal.BigDecimal
}

interface MissingSum {
  readonly meter: string
  quantity: number | null
}

interface ModelSum {
  readonly name: string
  readonly price: string
  calls: number
  unpricedCalls: number
  readonly meters: Map<string, MeterSum>
  readonly missing: Map<string, MissingSum>
}

export const Charges = ({ data, selected }: { readonly data: EventDetail; readonly selected: number | undefined }) => {
  const row = data.rows.find(({ id }) => id === selected)
  const inside = new Set(row === undefined ? data.rows.map(({ id }) => id) : [row.id])
  for (const { id, parent } of data.rows) if (parent !== null && inside.has(parent)) inside.add(id)
  const calls = data.charges.filter(
    (call) => inside.has(call.row) && (call.isUnpriced || call.charges.length > 0 || Number(call.usd) > 0)
  )
  const models = sumsOf(calls)
  const meters = models.flatMap((model) => Array.from(model.meters.values()))
  const isTokens = meters.every(({ unit }) => /token/i.test(unit))
  const unpriced = calls.filter(({ isUnpriced }) => isUnpriced).length
  const total = calls.reduce((sum, { usd }) => BigDecimal.sum(sum, decimal(usd)), decimal("0"))
  const places = Math.min(7, Math.max(4, ...meters.map(({ usd }) => placesOfExact(usd))))
  return (
    <section class="charged">
      <div class="head">
        <h2>Charges</h2>
        <span class="mute cut">
          {row === undefined ? (
            "whole event"
          ) : (
            <bdi>{`${row.title} ${row.kind === "run" ? "" : row.detail}`.trim()}</bdi>
          )}
        </span>
      </div>
      {calls.length === 0 ? (
        <p class="mute">No charges here: nothing was used that is metered.</p>
      ) : (
        <table class="charges">
          <Heads
            columns={[
              { title: "Meter" },
              { title: "Quantity", kind: "n" },
              { title: isTokens ? "USD per 1 M" : "Unit price, USD", kind: "n" },
              { title: "USD", kind: "n" }
            ]}
          />
          <tbody>
            {models.map((model) => [
              <tr class="group" key={`${model.name} ${model.price}`}>
                <td colSpan={4}>
                  <b>
                    <bdi>{model.name}</bdi>
                  </b>{" "}
                  <span class="faint">{plural(model.calls, "call")}</span>
                  <br />
                  <span class="small faint">
                    <bdi>{model.price}</bdi>
                  </span>
                </td>
              </tr>,
              ...Array.from(model.meters.values(), (meter) => (
                <tr key={`${model.name} ${model.price} ${meter.meter} ${meter.unitPrice}`}>
                  <td>{meterText(meter.meter)}</td>
                  <td class="n">{Figures.count(meter.quantity)}</td>
                  <td class="n mute">{unitPriceText(meter, isTokens)}</td>
                  <td class="n" title={`${BigDecimal.format(meter.usd)} USD`}>
                    {Figures.fixed(meter.usd, places)}
                  </td>
                </tr>
              )),
              ...Array.from(model.missing.values(), ({ meter, quantity }) => (
                <tr key={`${model.name} ${model.price} missing ${meter}`}>
                  <td>{meterText(meter)}</td>
                  <td class="n">{quantity === null ? "unknown" : Figures.count(quantity)}</td>
                  <td class="n">
                    <Unknown>no price</Unknown>
                  </td>
                  <td class="n faint">unknown</td>
                </tr>
              ))
            ])}
            <tr class="sum">
              <td colSpan={2}>{unpriced === 0 ? "Sum" : "Sum of what is known"}</td>
              <td class="n">{unpriced === 0 ? "" : <Unknown>+{Figures.count(unpriced)} unpriced</Unknown>}</td>
              <td class="n" title={`${BigDecimal.format(BigDecimal.normalize(total))} USD`}>
                {unpriced > 0 && BigDecimal.isZero(total) ? <Unknown>no price</Unknown> : Figures.fixed(total, places)}
              </td>
            </tr>
          </tbody>
        </table>
      )}
    </section>
  )
}

const placesOfExact = (amount: BigDecimal.BigDecimal): number => Math.max(0, BigDecimal.normalize(amount).scale)

const million = decimal("1000000")

const unitPriceText = ({ unit, unitPrice }: MeterSum, isTokens: boolean): string => {
  const price = decimal(unitPrice)
  if (!/token/i.test(unit)) return BigDecimal.format(BigDecimal.normalize(price))
  const perMillion = BigDecimal.multiply(price, million)
  const text = Figures.fixed(perMillion, Math.max(3, Math.min(6, placesOfExact(perMillion))))
  return isTokens ? text : `${text} per 1 M`
}

const priceText = ({ charges, name, reason }: CallCharges): string => {
  const [charge] = charges
  if (charge === undefined) {
    return reason === "unknown_model"
      ? "no price file has an entry for it"
      : reason === "no_usage"
        ? "what it used is not known"
        : "no charge"
  }
  if (charge.source === "provider") return "as the provider reported it"
  return [
    charge.source,
    charge.entry !== null && charge.entry !== name ? `by its entry ${charge.entry}` : undefined,
    charge.tier === null ? undefined : `${charge.tier} tier`,
    charge.fromMs === null ? undefined : `since ${new Date(charge.fromMs).toISOString().slice(0, 10)}`
  ]
    .filter((part) => part !== undefined)
    .join(", ")
}

const sumsOf = (calls: ReadonlyArray<CallCharges>): ReadonlyArray<ModelSum> => {
  const models = new Map<string, ModelSum>()
  for (const call of calls) {
    const price = priceText(call)
    const key = JSON.stringify([call.name, price])
    const model = models.get(key) ?? {
      name: call.name,
      price,
      calls: 0,
      unpricedCalls: 0,
      meters: new Map(),
      missing: new Map()
    }
    models.set(key, model)
    model.calls += 1
    if (call.isUnpriced) model.unpricedCalls += 1
    for (const charge of call.charges) {
      const key = JSON.stringify([charge.meter, charge.unitPrice])
      const meter = model.meters.get(key) ?? { ...charge, quantity: 0, usd: decimal("0") }
      meter.quantity += charge.quantity
      meter.usd = BigDecimal.sum(meter.usd, decimal(charge.usd))
      model.meters.set(key, meter)
    }
    for (const { meter, quantity } of call.missing) {
      const known = model.missing.get(meter) ?? { meter, quantity: 0 }
      known.quantity = quantity === null || known.quantity === null ? null : known.quantity + quantity
      model.missing.set(meter, known)
    }
  }
  return Array.from(models.values())
}
