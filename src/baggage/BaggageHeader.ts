/**
 * The text of the `baggage` header (W3C Baggage, section "Baggage HTTP Header Format"): reading it member by member in one
 * linear scan, and writing it within its limits.
 */
import { Option } from "effect"
import { Key, keyPrefix, maxHeaderBytes, maxHeaderMembers } from "../wire/Wire.js"

/**
 * A property of a member, such as `ttl=60` or a bare `secret`.
 *
 * @example
 * ```ts
 * import type { Baggage } from "botanu-effect"
 * import { Option } from "effect"
 *
 * const ttl: Baggage.Property = { key: "ttl", value: Option.some("60") }
 * console.log(ttl.key)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Property {
  /** The key: a token of RFC 7230. */
  readonly key: string
  /** The value; `None` of a bare property. */
  readonly value: Option.Option<string>
}

/**
 * The member under a key: its value, percent-decoded, and its properties in order.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const member: Baggage.Member = { value: "support", properties: [] }
 * console.log(Either.isRight(Baggage.fromEntries([["team", member]])))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Member {
  /** The value, percent-decoded. */
  readonly value: string
  /** The properties, in order. */
  readonly properties: ReadonlyArray<Property>
}

/**
 * Why a part of a header was left out.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const reason: Baggage.DropReason | undefined = Baggage.decode("no equals sign").dropped.first[0]?.reason
 * console.log(reason)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type DropReason =
  | "too_many_bytes"
  | "too_many_members"
  | "no_equals_sign"
  | "key_not_a_token"
  | "value_not_baggage_octets"
  | "property_key_not_a_token"
  | "property_value_not_baggage_octets"

/**
 * A part that was left out: the number of its member in the header, from 1, and why.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const text = ({ member, reason }: Baggage.DroppedPart) => `member ${member}: ${reason}`
 * console.log(Baggage.decode("a=1,no equals sign").dropped.first.map(text))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface DroppedPart {
  /** The number of the member in the header, from 1. */
  readonly member: number
  /** Why the part was left out. */
  readonly reason: DropReason
}

/**
 * How much of a header was left out: all parts are counted, the first five explained; none is quoted.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const dropped: Baggage.Dropped = Baggage.decode("a=1,no equals sign").dropped
 * console.log(dropped.count)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Dropped {
  /** How many parts were left out. */
  readonly count: number
  /** The first five of them. */
  readonly first: ReadonlyArray<DroppedPart>
}

/**
 * How a `baggage` header is read.
 *
 * @example
 * ```ts
 * import { Baggage } from "botanu-effect"
 *
 * const fromPython: Baggage.ReadOptions = { plusAsSpace: true }
 * console.log(Baggage.entries(Baggage.decode("team=customer+support", fromPython).baggage))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadOptions {
  /**
   * Whether a raw `+` is read as a space. In the W3C format it is a plus, and OpenTelemetry Go sends it so; OpenTelemetry Python
   * writes each space so, and a plus as `%2B`. With `"auto"` it is a space in the members of a run (`botanu.*`), unless the same
   * header line contains a `%20`, which shows that its writer encodes spaces otherwise; in all other members it is a plus. `true`
   * and `false` hold for all members.
   * @default "auto"
   */
  readonly plusAsSpace?: boolean | "auto" | undefined
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const baggageOctets = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** Whether `key` may be the key of a member or of a property (RFC 7230, `token`). */
export const isToken = (key: string): boolean => token.test(key)

// Keys that are known to be tokens, and the ones that come most often.
const ownKeys: ReadonlySet<string> = new Set(Object.values(Key))

const noProperties: ReadonlyArray<Property> = []
export const nothingDropped: Dropped = { count: 0, first: [] }
const maxExplained = 5

// Far more than may be kept, so that junk does not hide good members, and few enough that junk costs no time.
const maxMembersRead = 8 * maxHeaderMembers

/** Reads the members of a header, or of several lines of one, in order. Total: whatever cannot be read is dropped. */
export const read = (
  header: string | ReadonlyArray<string>,
  options?: ReadOptions
): { readonly members: Map<string, Member>; readonly dropped: Dropped } => {
  const reader = new Reader(options?.plusAsSpace ?? "auto")
  reader.read(typeof header === "string" ? [header] : header)
  return { members: reader.members, dropped: reader.dropped }
}

/** A header of one or several lines, as one list. */
interface Joined {
  readonly text: string
  /** Where each line ends in the text. */
  readonly ends: ReadonlyArray<number>
}

/** The lines as one list; lines beyond the limit are not looked at. */
const joinLines = (lines: ReadonlyArray<string>): Joined => {
  const [first] = lines
  if (first !== undefined && lines.length === 1) return { text: first, ends: [first.length] }
  let text = ""
  const ends: Array<number> = []
  for (const [index, line] of lines.entries()) {
    text = index === 0 ? line : `${text},${line}`
    ends.push(text.length)
    if (text.length > maxHeaderBytes) break
  }
  return { text, ends }
}

class Reader {
  readonly members = new Map<string, Member>()
  private count = 0
  private readonly first: Array<DroppedPart> = []
  private position = 0
  private isSuspect = false
  private lineSeen: string | undefined
  private isSpaceEncoded = false

  constructor(private readonly plusAsSpace: boolean | "auto") {}

  get dropped(): Dropped {
    return this.count === 0 ? nothingDropped : { count: this.count, first: this.first }
  }

  read(lines: ReadonlyArray<string>): void {
    const { ends, text: header } = joinLines(lines)
    const text = this.wholeMembersWithinLimit(header)
    const commas = new Occurrences(text, ",")
    const marks = { equals: new Occurrences(text, "="), semicolons: new Occurrences(text, ";") }
    let start = 0
    let line = 0
    while (start < text.length) {
      while (start > (ends[line] ?? text.length)) line += 1
      const end = commas.from(start)
      this.position += 1
      if (this.position > maxMembersRead) {
        this.drop("too_many_members")
        return
      }
      const refusal = this.readMember(text, start, end, marks, lines[line] as string)
      if (refusal !== undefined) this.drop(refusal)
      start = end + 1
    }
    if (text.length < header.length) {
      this.position += 1
      this.drop("too_many_bytes")
    }
  }

  private wholeMembersWithinLimit(header: string): string {
    if (header.length <= maxHeaderBytes) return header
    return header.slice(0, Math.max(0, header.lastIndexOf(",", maxHeaderBytes)))
  }

  /** Reads the member between two positions of a text. */
  private readMember(text: string, start: number, end: number, marks: Marks, line: string): DropReason | undefined {
    const equals = marks.equals.from(start)
    const semicolon = Math.min(marks.semicolons.from(start), end)
    if (equals >= semicolon) {
      return semicolon === end && trimmed(text, start, end) === "" ? undefined : "no_equals_sign"
    }
    const key = trimmed(text, start, equals)
    if (!ownKeys.has(key) && !token.test(key)) return "key_not_a_token"
    const raw = trimmed(text, equals + 1, semicolon)
    if (!baggageOctets.test(raw)) return "value_not_baggage_octets"
    if (this.members.size >= maxHeaderMembers && !this.members.has(key)) return "too_many_members"
    this.members.set(key, {
      value: this.decode(raw, this.isPlusSpace(key, raw, line)),
      properties: semicolon === end ? noProperties : this.readProperties(text.slice(semicolon + 1, end))
    })
    return undefined
  }

  private readProperties(text: string): ReadonlyArray<Property> {
    const properties: Array<Property> = []
    for (const part of text.split(";")) {
      const property = trim(part)
      if (property === "") continue
      const equals = property.indexOf("=")
      const key = equals === -1 ? property : trim(property.slice(0, equals))
      const raw = equals === -1 ? undefined : trim(property.slice(equals + 1))
      if (!token.test(key)) this.drop("property_key_not_a_token")
      else if (raw === undefined) properties.push({ key, value: Option.none() })
      else if (!baggageOctets.test(raw)) this.drop("property_value_not_baggage_octets")
      else properties.push({ key, value: Option.some(this.decode(raw, this.plusAsSpace === true)) })
    }
    return properties
  }

  private decode(raw: string, isPlusSpace: boolean): string {
    return this.percentDecode(isPlusSpace ? raw.replaceAll("+", " ") : raw)
  }

  /** Whether a plus in the value of a member stands for a space. */
  private isPlusSpace(key: string, raw: string, line: string): boolean {
    if (this.plusAsSpace !== "auto") return this.plusAsSpace
    return raw.includes("+") && key.startsWith(keyPrefix) && !this.encodesSpaces(line)
  }

  private encodesSpaces(line: string): boolean {
    if (this.lineSeen !== line) {
      this.lineSeen = line
      this.isSpaceEncoded = line.slice(0, maxHeaderBytes).includes("%20")
    }
    return this.isSpaceEncoded
  }

  /** `raw` decoded once. Bytes that are not UTF-8 become U+FFFD, a malformed `%` stays as it is. */
  private percentDecode(raw: string): string {
    if (!raw.includes("%")) return raw
    // An exception takes far longer than the test that avoids it: at most one a header.
    if (!this.isSuspect || wellFormed.test(raw)) {
      try {
        return decodeURIComponent(raw)
      } catch {
        this.isSuspect = true
      }
    }
    return raw.replace(escapes, (_, sound: string | undefined) =>
      sound === undefined ? "\ufffd" : decodeURIComponent(sound)
    )
  }

  private drop(reason: DropReason): void {
    this.count += 1
    if (this.first.length < maxExplained) this.first.push({ member: this.position, reason })
  }
}

/** Where a character is in a text, for a reader that goes through the text once: no part of it is searched twice. */
class Occurrences {
  private next = -1

  constructor(
    private readonly text: string,
    private readonly character: string
  ) {}

  /** The first from a position on, which is never before the last one asked for; the length of the text where there is none. */
  from(start: number): number {
    if (this.next < start) {
      const found = this.text.indexOf(this.character, start)
      this.next = found === -1 ? this.text.length : found
    }
    return this.next
  }
}

/** The marks inside of a member. */
interface Marks {
  readonly equals: Occurrences
  readonly semicolons: Occurrences
}

/** Without spaces and tabs at its ends, the only optional whitespace of the grammar. */
const trim = (text: string): string => trimmed(text, 0, text.length)

/** The part of a text between two positions, trimmed. */
const trimmed = (text: string, from: number, to: number): string => {
  let start = from
  let end = to
  while (start < end && isSpaceOrTab(text.charCodeAt(start))) start += 1
  while (end > start && isSpaceOrTab(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const isSpaceOrTab = (code: number): boolean => code === 0x20 || code === 0x09

// Percent-encoded UTF-8 (Unicode, table 3-7). Each alternative begins where no other can, so matching is linear.
const next = "%[89ab][0-9a-f]"
const sequences = [
  "[0-7][0-9a-f]",
  `(?:c[2-9a-f]|d[0-9a-f])${next}`,
  `e0%[ab][0-9a-f]${next}`,
  `ed%[89][0-9a-f]${next}`,
  `e[1-9a-cef]${next}${next}`,
  `f0%[9ab][0-9a-f]${next}${next}`,
  `f[1-3]${next}${next}${next}`,
  `f4%8[0-9a-f]${next}${next}`
].join("|")
const brokenSequences = [
  "e0%[ab][0-9a-f]",
  "ed%[89][0-9a-f]",
  `e[1-9a-cef]${next}`,
  `f0%[9ab][0-9a-f](?:${next})?`,
  `f[1-3]${next}(?:${next})?`,
  `f4%8[0-9a-f](?:${next})?`,
  "[89a-f][0-9a-f]"
].join("|")
const wellFormed = new RegExp(`^(?:[^%]|%(?:${sequences}))*$`, "i")
const escapes = new RegExp(`((?:%(?:${sequences}))+)|%(?:${brokenSequences})`, "gi")

/** Writes members one after the other, whole ones only, as far as the limits allow. */
export class Writer {
  text = ""
  private members = 0
  private readonly maxBytes: number

  constructor(maxBytes: number = maxHeaderBytes) {
    // Nothing fits into what is not a number.
    this.maxBytes = Number.isNaN(maxBytes) ? 0 : Math.min(maxBytes, maxHeaderBytes)
  }

  /** Adds a member, unless it does not fit any more, and says whether it did. The key must be a token. */
  add(key: string, value: string, properties: ReadonlyArray<Property> = noProperties): boolean {
    if (this.members >= maxHeaderMembers) return false
    const member = `${key}=${percentEncode(value)}${propertiesText(properties)}`
    const separator = this.members === 0 ? 0 : 1
    if (this.text.length + separator + member.length > this.maxBytes) return false
    this.text = separator === 0 ? member : `${this.text},${member}`
    this.members += 1
    return true
  }
}

/** Properties as they follow a value, each after a `;`. */
export const propertiesText = (properties: ReadonlyArray<Property>): string => {
  let text = ""
  for (const { key, value } of properties)
    text += Option.isNone(value) ? `;${key}` : `;${key}=${percentEncode(value.value)}`
  return text
}

// baggage-octet without `%`, and without `+`, which some peers read as a space.
const unescaped = /^[\x21\x23\x24\x26-\x2a\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** What stands for each character of ASCII. */
const asciiText = Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return unescaped.test(character) ? character : encodeURIComponent(character)
})

/** `text` as the value of a member: percent-encoded UTF-8. A lone surrogate becomes U+FFFD. */
export const percentEncode = (text: string): string => {
  if (unescaped.test(text)) return text
  let encoded = ""
  let index = 0
  while (index < text.length) {
    const code = text.charCodeAt(index)
    if (code < asciiText.length) {
      encoded += asciiText[code]
      index += 1
      continue
    }
    const start = index
    while (index < text.length && text.charCodeAt(index) >= asciiText.length) index += 1
    encoded += percentEncodeBeyondAscii(text.slice(start, index))
  }
  return encoded
}

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const percentEncodeBeyondAscii = (text: string): string => {
  try {
    return encodeURIComponent(text)
  } catch {
    return encodeURIComponent(text.replace(loneSurrogate, "\ufffd"))
  }
}
