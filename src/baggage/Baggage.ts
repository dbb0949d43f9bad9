/**
 * W3C Baggage: an ordered, immutable list of members, each a key with a value and properties.
 */
import { Either, Option, Schema } from "effect"
import { quote } from "../schema/FieldText.js"
import type { Dropped, Member, ReadOptions } from "./BaggageHeader.js"
import * as BaggageHeader from "./BaggageHeader.js"
import { type Baggage, fromMembers, isBaggage } from "./BaggageMembers.js"

export type { Dropped, DroppedPart, DropReason, Member, Property, ReadOptions } from "./BaggageHeader.js"
export { type Baggage, empty, isBaggage, TypeId } from "./BaggageMembers.js"

/**
 * A key that is not a token of RFC 7230, which no header can carry.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const refused = Baggage.fromEntries([["cost center", "CC-1200"]])
 * console.log(Either.isLeft(refused) && refused.left instanceof Baggage.InvalidBaggageKey)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidBaggageKey extends Schema.TaggedError<InvalidBaggageKey>()("InvalidBaggageKey", {
  key: Schema.String
}) {
  override get message(): string {
    return `baggage key ${quote(this.key)}: expected an RFC 7230 token (letters, digits and !#$%&'*+-.^_\`|~)`
  }
}

/**
 * Baggage of these entries, in order; of several with one key, the last. Refuses a key that is not a token.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const baggage = Either.getOrThrow(Baggage.fromEntries([["team", "support"]]))
 * console.log(Baggage.encode(baggage))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromEntries = (
  entries: Iterable<readonly [key: string, value: string | Member]>
): Either.Either<Baggage, InvalidBaggageKey> => {
  const members = new Map<string, Member>()
  for (const [key, value] of entries) {
    if (!BaggageHeader.isToken(key)) return Either.left(new InvalidBaggageKey({ key }))
    members.set(key, typeof value === "string" ? { value, properties: [] } : value)
  }
  return Either.right(fromMembers(members))
}

/**
 * The value under a key; `None` where there is no such member.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const { baggage } = Baggage.decode("team=support")
 * console.log(Baggage.get(baggage, "team"))
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const get = (baggage: Baggage, key: string): Option.Option<string> =>
  Option.fromNullable(baggage.members.get(key)?.value)

/**
 * Keys and values, in order.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const { baggage } = Baggage.decode("team=support,region=eu")
 * console.log(Baggage.entries(baggage))
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const entries = (baggage: Baggage): ReadonlyArray<readonly [key: string, value: string]> =>
  Array.from(baggage.members, ([key, member]) => [key, member.value] as const)

/**
 * Reads a `baggage` header, or several lines of one (W3C Baggage, section "Header Content"). Total and pure: what cannot be
 * read is left out and counted in `dropped`, its neighbours are kept. At most 8192 bytes and 64 members are taken in.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const { baggage, dropped } = Baggage.decode("team=support,no equals sign")
 * console.log(Baggage.entries(baggage), dropped.count)
 * ```
 *
 * @since 0.1.0
 * @category headers
 */
export const decode = (
  header: string | ReadonlyArray<string>,
  options?: ReadOptions
): { readonly baggage: Baggage; readonly dropped: Dropped } => {
  const { dropped, members } = BaggageHeader.read(header, options)
  return { baggage: fromMembers(members), dropped }
}

/**
 * Baggage as header text; empty when there is nothing to send. Members that do not fit into 8192 bytes or 64 members are left
 * out whole.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const { baggage } = Baggage.decode(["team=support", "region=eu"])
 * console.log(Baggage.encode(baggage))
 * ```
 *
 * @since 0.1.0
 * @category headers
 */
export const encode = (baggage: Baggage): string => {
  const writer = new BaggageHeader.Writer()
  for (const [key, member] of baggage.members) writer.add(key, member.value, member.properties)
  return writer.text
}

/**
 * Baggage as it is in memory.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Schema } from "effect"
 *
 * const Message = Schema.Struct({ id: Schema.String, baggage: Baggage.BaggageFromSelf })
 * console.log(Schema.is(Message)({ id: "1", baggage: Baggage.empty }))
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const BaggageFromSelf = Schema.declare(isBaggage, { identifier: "Baggage" })

/**
 * Header text to `Baggage` and back. Reads as `decode` does: never fails on text.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Schema } from "effect"
 *
 * const baggage = Schema.decodeSync(Baggage.FromHeader)("team=support")
 * console.log(Schema.encodeSync(Baggage.FromHeader)(baggage))
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const FromHeader = Schema.transform(Schema.String, BaggageFromSelf, {
  strict: true,
  decode: (header) => decode(header).baggage,
  encode
}).annotations({ identifier: "BaggageFromHeader" })
