/**
 * Baggage as a value: members by key, in order.
 */
import { Equal, Hash, Inspectable } from "effect"
import type { Member } from "./BaggageHeader.js"

/**
 * Members by key, in order. Two are equal when they hold equal members in the same order.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Equal } from "effect"
 *
 * const same = (a: Baggage.Baggage, b: Baggage.Baggage) => Equal.equals(a, b)
 * console.log(same(Baggage.empty, Baggage.decode("").baggage))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Baggage extends Equal.Equal, Inspectable.Inspectable {
  readonly [TypeId]: typeof TypeId
  /** The members by key, in order. */
  readonly members: ReadonlyMap<string, Member>
}

/**
 * The key of the property by which `Baggage` is recognized.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * console.log(Baggage.TypeId in Baggage.empty)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const TypeId: unique symbol = Symbol.for("botanu/Baggage")

/**
 * Whether `value` is a `Baggage`.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * console.log(Baggage.isBaggage(Baggage.empty), Baggage.isBaggage({}))
 * ```
 *
 * @since 0.1.0
 * @category guards
 */
export const isBaggage = (value: unknown): value is Baggage =>
  typeof value === "object" && value !== null && TypeId in value

/** Baggage of members whose keys are known to be tokens. */
export const fromMembers = (members: ReadonlyMap<string, Member>): Baggage => new BaggageImpl(members)

class BaggageImpl extends Inspectable.Class implements Baggage {
  readonly [TypeId]: typeof TypeId = TypeId

  constructor(readonly members: ReadonlyMap<string, Member>) {
    super()
  }

  [Hash.symbol](): number {
    return Hash.cached(this, Hash.array(Array.from(this.members, ([key, member]) => `${key}=${member.value}`)))
  }

  [Equal.symbol](that: unknown): boolean {
    if (!isBaggage(that) || that.members.size !== this.members.size) return false
    const others = that.members.entries()
    for (const [key, member] of this.members) {
      const [otherKey, other] = others.next().value as [string, Member]
      if (key !== otherKey || !sameMember(member, other)) return false
    }
    return true
  }

  override toJSON(): unknown {
    return { _id: "Baggage", members: Array.from(this.members) }
  }
}

const sameMember = (one: Member, other: Member): boolean =>
  one.value === other.value &&
  one.properties.length === other.properties.length &&
  one.properties.every((property, index) => {
    const counterpart = other.properties[index]
    return property.key === counterpart?.key && Equal.equals(property.value, counterpart.value)
  })

/**
 * Baggage without members.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * console.log(Baggage.encode(Baggage.empty) === "")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: Baggage = fromMembers(new Map())
