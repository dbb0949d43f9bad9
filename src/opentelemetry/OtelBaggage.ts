/**
 * Baggage as OpenTelemetry's API has it, from ours and to ours.
 */
import { type Baggage as Api, type BaggageEntry, baggageEntryMetadataFromString, propagation } from "@opentelemetry/api"
import * as Baggage from "../baggage/Baggage.js"
import * as BaggageHeader from "../baggage/BaggageHeader.js"
import { keyPrefix } from "../wire/Wire.js"

export type NamedEntry = readonly [key: string, entry: BaggageEntry]

/** The members of a header. */
export const entriesOf = (header: string): ReadonlyArray<NamedEntry> =>
  Array.from(BaggageHeader.read(header).members, ([key, { properties, value }]) => {
    const metadata = BaggageHeader.propertiesText(properties).slice(1)
    return [key, metadata === "" ? { value } : { value, metadata: baggageEntryMetadataFromString(metadata) }]
  })

/** Whether a key is one of a run, to readers that fold the case too. */
export const isOfRun = (key: string): boolean => key.trimStart().toLowerCase().startsWith(keyPrefix)

/** The entries that are of no run. */
export const othersIn = (baggage: Api | undefined): ReadonlyArray<NamedEntry> =>
  (baggage?.getAllEntries() ?? []).filter(([key]) => !isOfRun(key))

/** Baggage of these entries; of several with one key, the last. */
export const toOpenTelemetry = (entries: ReadonlyArray<NamedEntry>): Api =>
  entries.reduce((baggage, [key, entry]) => baggage.setEntry(key, entry), propagation.createBaggage())

/** Members whose keys no header can carry are left out. */
export const fromOpenTelemetry = (baggage: Api): Baggage.Baggage =>
  Baggage.decode(
    baggage.getAllEntries().flatMap(([key, { metadata, value }]) => {
      const member = `${key}=${BaggageHeader.percentEncode(value)}`
      return BaggageHeader.isToken(key) ? [metadata === undefined ? member : `${member};${metadata}`] : []
    })
  ).baggage
