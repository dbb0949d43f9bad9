/**
 * Prices times quantities: the charges of a usage, in whole numbers of a decimal place, without Effect's runtime.
 */
import { decimalOf } from "./Decimal.js"
import { type MeterName, type MeterRow, meterNames, meterOf, type Unit } from "./Meter.js"

/** The price of one of a unit. */
export interface Rate<Source> {
  /** What one of the quantity costs, as a multiple of 10^-scale of its rates; what one unit costs where `isRounded`. */
  readonly value: bigint
  /** Where the price comes from. */
  readonly source: Source
}

/** The prices that hold for a usage. */
export interface Rates<R extends Rate<unknown> = Rate<unknown>> {
  readonly scale: number
  readonly byUnit: Readonly<Partial<Record<Unit, R>>>
  readonly toolCalls: ReadonlyMap<string, R>
  readonly other: ReadonlyMap<string, R>
  /** Whether the price is for the request alone, whatever is consumed in it. */
  readonly isFlat: boolean
  /** Units that have a price under another condition, such as another service tier, and none here. */
  readonly lacking: ReadonlySet<Unit>
  /** Parts without which the cost of their total is not known. */
  readonly expects: ReadonlyArray<MeterName>
  /** How usages were charged at these rates. */
  readonly plans: ChargePlans<R>
}

/** The quantities of a usage, as far as charges need them. */
export interface Quantities extends Readonly<Partial<Record<MeterName, number | undefined>>> {
  readonly operation: string
  readonly toolCalls?: Readonly<Record<string, number>> | undefined
  readonly other?: Readonly<Record<string, number>> | undefined
  readonly uncounted?: ReadonlyArray<string> | undefined
}

/** What one meter comes to: `value` times 10^-`scale` US dollars. */
export interface ChargeLine<R> {
  readonly meter: string
  readonly quantity: number
  readonly unit: string
  readonly value: bigint
  readonly scale: number
  readonly rate: R
}

/** The charges of a usage, and the meters that could not be charged. */
export interface Charged<R> {
  readonly lines: ReadonlyArray<ChargeLine<R>>
  /** Meters of the usage that have no price. */
  readonly unpriced: ReadonlyArray<string>
  /** Meters that have a price, of which it is not known how much was consumed, or not consistently. */
  readonly uncounted: ReadonlyArray<string>
}

/**
 * The charges of a usage at these rates. Each quantity is charged once: a total without its parts, and one of several measures of
 * the same thing.
 */
export const chargesOf = <R extends Rate<unknown>>(usage: Quantities, rates: Rates<R>): Charged<R> => {
  const named = namedIn(usage)
  const known = named && rates.plans.chargesOf(usage, named, rates.scale)
  if (known !== undefined) return known
  const charges = new Charges(usage, rates)
  charges.charge()
  if (named !== undefined && charges.isRegular) rates.plans.add(usage, named, charges.lines)
  return charges
}

const inputs = ["inputTokens", "inputCharacters"] as const
const outputs = ["outputTokens", "outputCharacters"] as const

/** Operations of which only the input is paid. */
const withoutOutput: ReadonlySet<string> = new Set(["embeddings", "rerank", "moderation"])

class Charges<R extends Rate<unknown>> implements Charged<R> {
  readonly lines: Array<ChargeLine<R>> = []
  readonly unpriced: Array<string> = []
  readonly uncounted: Array<string> = []
  /** Whether the meters that are named decide which of them are charged, as long as each has something left beside its parts. */
  isRegular = true

  constructor(
    private readonly usage: Quantities,
    private readonly rates: Rates<R>
  ) {}

  charge(): void {
    const { rates, usage } = this
    if (rates.isFlat) {
      this.isRegular = false
      this.add("requests", usage.requests ?? 0, rates.byUnit.request as R)
      return
    }
    const { hasParts, present } = presentIn(usage)
    const overlaps = hasParts ? this.overlaps() : undefined
    if (overlaps !== undefined) this.isRegular = false
    for (const row of present) this.meter(row, usage[row.name] as number, hasParts, overlaps)
    this.named("toolCalls", usage.toolCalls, rates.toolCalls)
    this.named("other", usage.other, rates.other)
    if (usage.uncounted !== undefined) for (const name of usage.uncounted) this.refuse(this.uncounted, name)
    if (this.unpriced.length === 0) this.expectAll()
    if (this.lines.length === 0 && !this.isRefused && !hasRates(rates)) {
      this.unpriced.push(rows.find(({ name }) => name !== "requests" && usage[name] !== undefined)?.name ?? "requests")
    }
    if (this.isRefused) this.isRegular = false
  }

  private get isRefused(): boolean {
    return this.unpriced.length > 0 || this.uncounted.length > 0
  }

  private meter(
    row: Row,
    quantity: number,
    hasParts: boolean,
    overlaps: ReadonlyMap<MeterName, Overlap> | undefined
  ): void {
    const { inherits, isIncidental, measuredAs, measures, name, parts, unit } = row
    if (overlaps?.get(name)?.isUnknown) return
    let rest = quantity
    if (hasParts) {
      for (const { factor, name } of parts) rest += factor * (this.usage[name] ?? overlaps?.get(name)?.least ?? 0)
    }
    if (quantity > 0 ? rest <= 0 : rest !== 0) this.isRegular = false
    if (rest === 0) return
    const rate = this.rates.byUnit[unit] ?? (inherits === undefined ? undefined : this.rates.byUnit[inherits])
    // Another measure of the same thing is charged in its place.
    if (measuredAs.some((other) => this.isCharged(other)) || (rate === undefined && isIncidental)) return
    const inside = measuredAs.find((other) => this.isInsideTotal(other))
    if (inside !== undefined) {
      // What the total holds of it need not be known where all of the total has one price, and the thing none of its own.
      if (rate !== undefined || !this.isPricedAsTotal(inside)) this.refuse(this.uncounted, inside)
      return
    }
    if (rate === undefined) {
      if (!measures.some((other) => this.isCharged(other))) this.refuse(this.unpriced, name)
    } else if (rest < 0) this.refuse(this.uncounted, name)
    else this.add(name, rest, rate)
  }

  private isCharged(name: MeterName): boolean {
    return (this.usage[name] ?? 0) > 0 && this.rates.byUnit[rowOf(name).unit] !== undefined
  }

  /** Whether a part that has a price of its own may be in a total, in an amount that is not known. */
  private isInsideTotal(name: MeterName): boolean {
    const { totals, unit } = rowOf(name)
    return (
      this.usage[name] === undefined &&
      this.rates.byUnit[unit] !== undefined &&
      totals.some((total) => (this.usage[total] ?? 0) > 0)
    )
  }

  /**
   * What is known of the quantities that are parts of two totals, such as cached tokens of audio, where both totals are counted
   * and the part is not.
   */
  private overlaps(): ReadonlyMap<MeterName, Overlap> | undefined {
    let overlaps: Map<MeterName, Overlap> | undefined
    for (const { name, one, other, unit, whole } of shared) {
      const first = this.usage[one]
      const second = this.usage[other]
      if (!first || !second || this.usage[name] !== undefined) continue
      const all = this.usage[whole]
      const least = all === undefined ? 0 : Math.max(0, first + second - all)
      if (least === Math.min(first, second) || this.isIndifferent(unit, one, other, whole)) {
        overlaps ??= new Map()
        overlaps.set(name, { least, isUnknown: false })
        continue
      }
      overlaps ??= new Map()
      overlaps.set(name, { least, isUnknown: true })
      for (const total of [one, other]) overlaps.set(total, { least: 0, isUnknown: true })
      this.refuse(this.uncounted, name)
    }
    for (const { one, others, whole } of unsplit) {
      if (!this.usage[one] || this.rates.byUnit[rowOf(one).unit] === undefined) continue
      for (const other of others) {
        if (!this.usage[other] || this.haveOnePrice(other, whole)) continue
        overlaps ??= new Map()
        for (const name of [one, ...partsInside(one), other]) overlaps.set(name, { least: 0, isUnknown: true })
        this.refuse(this.uncounted, one)
      }
    }
    for (const [name, { isUnknown, least }] of overlaps ?? []) {
      if (isUnknown || least === 0 || this.usage[name] !== undefined) continue
      const rate = this.rates.byUnit[rowOf(name).unit]
      if (rate === undefined) this.refuse(this.unpriced, name)
      else this.add(name, least, rate)
    }
    return overlaps
  }

  /** Whether the cost is the same, however much of one part is in the other. */
  private isIndifferent(unit: Unit, one: MeterName, other: MeterName, whole: MeterName): boolean {
    const { byUnit } = this.rates
    const [both, rest] = [byUnit[unit], byUnit[rowOf(whole).unit]]
    const [first, second] = [byUnit[rowOf(one).unit], byUnit[rowOf(other).unit]]
    if (both === undefined || rest === undefined || first === undefined || second === undefined) return false
    return both.value + rest.value === first.value + second.value
  }

  private isPricedAsTotal(part: MeterName): boolean {
    return rowOf(part).totals.every((total) => !this.usage[total] || this.haveOnePrice(part, total))
  }

  private haveOnePrice(one: MeterName, other: MeterName): boolean {
    const { byUnit } = this.rates
    return byUnit[rowOf(one).unit]?.value === byUnit[rowOf(other).unit]?.value
  }

  private named(
    field: "toolCalls" | "other",
    quantities: Readonly<Record<string, number>> | undefined,
    rates: ReadonlyMap<string, R>
  ): void {
    if (quantities === undefined) return
    for (const [name, quantity] of Object.entries(quantities)) {
      if (quantity === 0) continue
      const rate = rates.get(name)
      if (rate === undefined) this.refuse(this.unpriced, `${field}.${name}`)
      else this.push(`${field}.${name}`, quantity, name, rate)
    }
  }

  /** Refuses the meters that have a price above zero, and of which the usage says nothing. */
  private expectAll(): void {
    const { usage } = this
    const { additions, alternatives, families, totals } = expectationOf(this.rates)
    const counted = alternatives.filter(({ name }) => usage[name] !== undefined)
    const saysTokens = usage.inputTokens !== undefined || usage.outputTokens !== undefined
    for (const { name, side } of totals) {
      if (usage[name] !== undefined || this.needsNoOutput(name)) continue
      const isMeasuredElse = counted.some((row) => row.side === side)
      if (!isMeasuredElse && (saysTokens || counted.length === 0)) this.refuse(this.uncounted, name)
    }
    for (const part of this.rates.expects) {
      if (usage[part] === undefined && !this.isPricedAsTotal(part)) this.refuse(this.uncounted, part)
    }
    this.expectCharacters()
    if (totals.length > 0 || counted.length > 0) return
    for (const { name } of alternatives) this.refuse(this.uncounted, name)
    for (const { paid, rows } of families) {
      if (rows.every(({ name }) => usage[name] === undefined)) this.refuse(this.uncounted, paid.name)
    }
    if (this.lines.length > 0) return
    for (const { name } of additions) if (usage[name] === undefined) this.refuse(this.uncounted, name)
  }

  /** Where text that comes out costs by the character, what went in does not say how much came out. */
  private expectCharacters(): void {
    const row = rowOf("outputCharacters")
    if (!this.isPaid(row) || this.needsNoOutput(row.name) || this.uncounted.includes(outputs[0])) return
    if (this.saysOf("input") && !this.saysOf("output")) this.refuse(this.uncounted, row.name)
  }

  /** Whether the usage says anything of what went in, or of what came out. */
  private saysOf(side: Row["side"]): boolean {
    return rows.some((row) => row.side === side && this.usage[row.name] !== undefined)
  }

  private needsNoOutput(name: MeterName): boolean {
    return withoutOutput.has(this.usage.operation) && (outputs as ReadonlyArray<MeterName>).includes(name)
  }

  private isPaid({ unit }: Row): boolean {
    const rate = this.rates.byUnit[unit]
    return rate !== undefined && rate.value > 0n
  }

  private refuse(list: Array<string>, name: string): void {
    if (!list.includes(name)) list.push(name)
  }

  private add(name: MeterName, quantity: number, rate: R): void {
    if (quantity > 0) this.push(name, quantity, rowOf(name).unit, rate, rowOf(name).divisor)
  }

  private push(meter: string, quantity: number, unit: string, rate: R, divisor = 1n): void {
    this.lines.push(lineOf(meter, quantity, unit, rate, divisor, this.rates.scale))
  }
}

const lineOf = <R extends Rate<unknown>>(
  meter: string,
  quantity: number,
  unit: string,
  rate: R,
  divisor: bigint,
  scale: number
): ChargeLine<R> => {
  if (divisor === 1n && Number.isSafeInteger(quantity)) {
    return { meter, quantity, unit, value: rate.value * BigInt(quantity), scale, rate }
  }
  const { places, value } = decimalOf(quantity)
  const product = rate.value * value
  return divisor === 1n
    ? { meter, quantity, unit, value: product, scale: scale + places, rate }
    : { meter, quantity, unit, value: roundedHalfUp(product, divisor * 10n ** BigInt(places)), scale, rate }
}

/** The meters that a usage names, as bits by their place in the table: those above zero, and those that are zero. */
interface NamedMeters {
  above: number
  aboveFurther: number
  zero: number
  zeroFurther: number
}

/** So many bits are a small integer in V8. Two of them have room for 60 meters. */
const bits = 30

/** The meters that a usage names; `undefined` where it names quantities that are in no row of the table. */
const namedIn = (usage: Quantities): NamedMeters | undefined => {
  const named: NamedMeters = { above: 0, aboveFurther: 0, zero: 0, zeroFurther: 0 }
  for (const name in usage) {
    const quantity: unknown = usage[name as MeterName]
    if (typeof quantity !== "number") continue
    const row = byName.get(name as MeterName)
    if (row === undefined) continue
    if (quantity > 0) {
      if (row.index < bits) named.above |= 1 << row.index
      else named.aboveFurther |= 1 << (row.index - bits)
    } else if (row.index < bits) named.zero |= 1 << row.index
    else named.zeroFurther |= 1 << (row.index - bits)
  }
  const { other, toolCalls, uncounted } = usage
  return other === undefined && toolCalls === undefined && uncounted === undefined ? named : undefined
}

/** How usages that name certain meters are charged. */
interface ChargePlan<R> {
  readonly operation: string
  readonly named: NamedMeters
  readonly charged: ReadonlyArray<{
    readonly row: Row
    readonly rate: R
    /** The parts of the quantity that the usages name. */
    readonly parts: Row["parts"]
  }>
}

// Programs name a handful of combinations. Bounded, should they ever be made up by data.
const maxPlans = 30

/** How usages are charged at some rates, by what they name. */
export class ChargePlans<R extends Rate<unknown>> {
  private readonly plans: Array<ChargePlan<R>> = []

  /** Remembers how a usage was charged. */
  add(usage: Quantities, named: NamedMeters, lines: ReadonlyArray<ChargeLine<R>>): void {
    if (this.plans.length >= maxPlans) return
    const charged = lines.map(({ meter, rate }) => {
      const row = rowOf(meter as MeterName)
      return { row, rate, parts: row.parts.filter(({ name }) => (usage[name] ?? 0) > 0) }
    })
    this.plans.push({ operation: usage.operation, named, charged })
  }

  /** The charges of a usage; `undefined` where none like it was charged, or where nothing is left of a total beside its parts. */
  chargesOf(usage: Quantities, named: NamedMeters, scale: number): Charged<R> | undefined {
    for (const plan of this.plans) {
      if (isSameNamed(plan.named, named) && plan.operation === usage.operation) return chargesBy(plan, usage, scale)
    }
    return undefined
  }
}

const isSameNamed = (one: NamedMeters, other: NamedMeters): boolean =>
  one.above === other.above &&
  one.zero === other.zero &&
  one.aboveFurther === other.aboveFurther &&
  one.zeroFurther === other.zeroFurther

const none: ReadonlyArray<never> = []

const chargesBy = <R extends Rate<unknown>>(
  { charged }: ChargePlan<R>,
  usage: Quantities,
  scale: number
): Charged<R> | undefined => {
  const lines: Array<ChargeLine<R>> = []
  for (const { parts, rate, row } of charged) {
    let rest = usage[row.name] as number
    for (const { factor, name } of parts) rest += factor * (usage[name] as number)
    if (rest <= 0) return undefined
    lines.push(lineOf(row.name, rest, row.unit, rate, row.divisor, scale))
  }
  return { lines, unpriced: none, uncounted: none }
}

/** The meters that a usage names, in the order of the table, and whether any is a part of another. Most usages name a few. */
const presentIn = (usage: Quantities): { readonly present: ReadonlyArray<Row>; readonly hasParts: boolean } => {
  const present: Array<Row> = []
  let hasParts = false
  for (const name in usage) {
    if (typeof usage[name as MeterName] !== "number") continue
    const row = byName.get(name as MeterName)
    if (row === undefined) continue
    let at = present.length
    for (; at > 0 && (present[at - 1] as Row).index > row.index; at -= 1) present[at] = present[at - 1] as Row
    present[at] = row
    hasParts ||= row.totals.length > 0
  }
  return { present, hasParts }
}

/** What a usage must say, for its cost at some rates to be known. */
interface Expectation {
  /** Totals of tokens with a price. */
  readonly totals: ReadonlyArray<Row>
  /** Alternatives with a price, of which one is expected. */
  readonly alternatives: ReadonlyArray<Row>
  /** Families with a price, of each of which one member is expected. */
  readonly families: ReadonlyArray<{ readonly rows: ReadonlyArray<Row>; readonly paid: Row }>
  /** Additions with a price, of which one is expected where nothing else has a price. */
  readonly additions: ReadonlyArray<Row>
}

const expectations = new WeakMap<Rates, Expectation>()

const expectationOf = (rates: Rates): Expectation => {
  const known = expectations.get(rates)
  if (known !== undefined) return known
  const isPaid = ({ unit }: Row): boolean => (rates.byUnit[unit]?.value ?? 0n) > 0n || rates.lacking.has(unit)
  const isForAdditions = rows.every(
    ({ role, unit }) => role === "addition" || (rates.byUnit[unit] === undefined && !rates.lacking.has(unit))
  )
  const expectation: Expectation = {
    totals: tokenTotals.filter(isPaid),
    alternatives: rows.filter((row) => row.role === "alternative" && isPaid(row)),
    families: families.flatMap((rows) => {
      const paid = rows.find(isPaid)
      return paid === undefined ? [] : [{ rows, paid }]
    }),
    additions: isForAdditions
      ? rows.filter((row) => !row.isIncidental && row.inherits === undefined && isPaid(row))
      : []
  }
  expectations.set(rates, expectation)
  return expectation
}

/** A quantity that is a part of two totals, which are parts of one whole. */
interface Overlap {
  /** How much of it there is at least. */
  readonly least: number
  readonly isUnknown: boolean
}

/** A row of the table, ready for use. */
interface Row {
  readonly index: number
  readonly name: MeterName
  readonly unit: Unit
  readonly inherits: Unit | undefined
  readonly role: MeterRow["role"]
  readonly side: MeterRow["side"]
  readonly isIncidental: boolean
  readonly measuredAs: ReadonlyArray<MeterName>
  /** Other measures of the same thing, of which this one need not have a price where one of them has. */
  readonly measures: ReadonlyArray<MeterName>
  readonly totals: ReadonlyArray<MeterName>
  /** What is to be added to the quantity for what no part of it says: each part, with its sign. */
  readonly parts: ReadonlyArray<{ readonly name: MeterName; readonly factor: number }>
  /** By what a product is divided, where that is no power of ten. */
  readonly divisor: bigint
}

const totalsOf = (name: MeterName): ReadonlyArray<MeterName> =>
  Object.keys(meterOf(name).partOf ?? {}) as ReadonlyArray<MeterName>

const isInside = (name: MeterName, total: MeterName): boolean =>
  totalsOf(name).some((other) => other === total || isInside(other, total))

/** By inclusion and exclusion, so that what is in two parts is not taken away twice. */
const partsOf = (total: MeterName): Row["parts"] => {
  const factors = new Map<MeterName, number>([[total, 1]])
  const factorOf = (name: MeterName): number => {
    const known = factors.get(name)
    if (known !== undefined) return known
    const above = meterNames.filter((other) => isInside(name, other) && (other === total || isInside(other, total)))
    const factor = -above.reduce((sum, other) => sum + factorOf(other), 0)
    factors.set(name, factor)
    return factor
  }
  return meterNames
    .filter((name) => isInside(name, total))
    .map((name) => ({ name, factor: factorOf(name) }))
    .filter(({ factor }) => factor !== 0)
}

/** Whether the units of a price are a power of ten of the quantity, such that a price of one is exact. */
export const decimalPlacesOf = ({ perUnit = 1 }: MeterRow): number | undefined => {
  const places = Math.round(Math.log10(perUnit))
  return 10 ** places === perUnit ? places : undefined
}

const rows: ReadonlyArray<Row> = meterNames.map((name, index) => {
  const row = meterOf(name)
  return {
    index,
    name,
    unit: row.unit as Unit,
    inherits: row.inherits === undefined ? undefined : (meterOf(row.inherits as MeterName).unit as Unit),
    role: row.role,
    side: row.side,
    isIncidental: row.isIncidental ?? false,
    measuredAs: (row.measuredAs ?? []) as ReadonlyArray<MeterName>,
    // Tokens hold more than one thing, so that the price of a measure of one is not theirs.
    measures: row.role === "alternative" ? meterNames.filter((other) => meterOf(other).measuredAs?.includes(name)) : [],
    totals: totalsOf(name),
    parts: partsOf(name),
    divisor: decimalPlacesOf(row) === undefined ? BigInt(row.perUnit as number) : 1n
  }
})

const byName = new Map(rows.map((row) => [row.name, row]))
const rowOf = (name: MeterName): Row => byName.get(name) as Row

const tokenTotals = [rowOf(inputs[0]), rowOf(outputs[0])]

/** Quantities that are parts of two totals at once. */
const shared = rows.flatMap(({ name, totals: [one, other], unit }) => {
  const whole = one === undefined ? undefined : totalsOf(one)[0]
  return one === undefined || other === undefined || whole === undefined ? [] : [{ name, unit, one, other, whole }]
})

const partsInside = (total: MeterName): ReadonlyArray<MeterName> => meterNames.filter((name) => isInside(name, total))

/** Parts of one total that may hold the same tokens, such as those of audio and those put into a cache, in an amount without a meter. */
const unsplit = rows.flatMap(({ name: one }) =>
  totalsOf(one).flatMap((whole) => {
    if (meterOf(one).partOf?.[whole] !== "cache" || totalsOf(whole).length > 0) return []
    const others = meterNames.filter(
      (other) =>
        meterOf(other).partOf?.[whole] === "modality" &&
        !shared.some((both) => [both.one, both.other].includes(one) && [both.one, both.other].includes(other))
    )
    return others.length === 0 ? [] : [{ one, others, whole }]
  })
)

/** Quantities of one thing, which are counted together: to count one of them is to say that there is none of the others. */
const families: ReadonlyArray<ReadonlyArray<Row>> = Array.from(
  new Set(meterNames.map((name) => meterOf(name).family).filter((family) => family !== undefined)),
  (family) => rows.filter(({ name }) => meterOf(name).family === family)
)

const hasRates = ({ byUnit, other, toolCalls }: Rates): boolean =>
  Object.keys(byUnit).length > 0 || toolCalls.size > 0 || other.size > 0

const roundedHalfUp = (numerator: bigint, denominator: bigint): bigint =>
  (2n * numerator + denominator) / (2n * denominator)
