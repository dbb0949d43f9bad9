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

/** Baggage that is made when somebody reads it: most contexts are never sent. */
export class LazyBaggage implements Api {
  private made: Api | undefined

  constructor(private readonly entries: () => ReadonlyArray<NamedEntry>) {}

  private get baggage(): Api {
    this.made ??= toOpenTelemetry(this.entries())
    return this.made
  }

  getEntry(key: string): BaggageEntry | undefined {
    return this.baggage.getEntry(key)
  }

  getAllEntries(): Array<[string, BaggageEntry]> {
    return this.baggage.getAllEntries()
  }

  setEntry(key: string, entry: BaggageEntry): Api {
    return this.baggage.setEntry(key, entry)
  }

  removeEntry(key: string): Api {
    return this.baggage.removeEntry(key)
  }

  removeEntries(...keys: ReadonlyArray<string>): Api {
    return this.baggage.removeEntries(...keys)
  }

  clear(): Api {
    return this.baggage.clear()
  }
}

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
