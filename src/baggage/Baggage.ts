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

/** A key that is not a token of RFC 7230, which no header can carry. */
export class InvalidBaggageKey extends Schema.TaggedError<InvalidBaggageKey>()("InvalidBaggageKey", {
  key: Schema.String
}) {
  override get message(): string {
    return `baggage key ${quote(this.key)}: expected an RFC 7230 token (letters, digits and !#$%&'*+-.^_\`|~)`
  }
}

/** Baggage of these entries, in order; of several with one key, the last. Refuses a key that is not a token. */
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

/** The value that stands under a key. */
export const get = (baggage: Baggage, key: string): Option.Option<string> =>
  Option.fromNullable(baggage.members.get(key)?.value)

/** Keys and values, in order. */
export const entries = (baggage: Baggage): ReadonlyArray<readonly [key: string, value: string]> =>
  Array.from(baggage.members, ([key, member]) => [key, member.value] as const)

/**
 * Reads a `baggage` header, or several lines of one (W3C Baggage, section "Header Content"). Total and pure: what cannot be
 * read is left out and counted in `dropped`, its neighbours are kept. At most 8192 bytes and 64 members are taken in.
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
 */
export const encode = (baggage: Baggage): string => {
  const writer = new BaggageHeader.Writer()
  for (const [key, member] of baggage.members) writer.add(key, member.value, member.properties)
  return writer.text
}

/** Baggage as it is in memory. */
export const BaggageFromSelf = Schema.declare(isBaggage, { identifier: "Baggage" })

/** Header text to `Baggage` and back. Reads as `decode` does: never fails on text. */
export const FromHeader = Schema.transform(Schema.String, BaggageFromSelf, {
  strict: true,
  decode: (header) => decode(header).baggage,
  encode
}).annotations({ identifier: "BaggageFromHeader" })
