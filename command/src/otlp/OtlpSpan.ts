/**
 * Spans in the lines that the file exporter of the OpenTelemetry Collector writes (OTLP as JSON).
 */

/** The value of an attribute. Of a list of texts it is the first; other lists and maps are left out. */
export type AttributeValue = string | number | boolean

/** A span, as far as runs and calls are made of it. */
export interface OtlpSpan {
  readonly traceId: string
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly startMillis: number
  readonly endMillis: number
  readonly isError: boolean
  readonly attributes: ReadonlyMap<string, AttributeValue>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: ReadonlyMap<string, AttributeValue> }>
}

/** The spans of a line; `undefined` where it is no JSON object. A line of metrics or logs has none. Total. */
export const spansOf = (line: string): ReadonlyArray<OtlpSpan> | undefined => {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  if (!isObject(json)) return undefined
  return listOf(json["resourceSpans"]).flatMap((resource) =>
    [...listOf(resource["scopeSpans"]), ...listOf(resource["instrumentationLibrarySpans"])].flatMap((scope) =>
      listOf(scope["spans"]).flatMap(spanOf)
    )
  )
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const listOf = (value: unknown): ReadonlyArray<Json> => (Array.isArray(value) ? value.filter(isObject) : [])

const spanOf = (json: Json): ReadonlyArray<OtlpSpan> => {
  const [startMillis, endMillis] = [millisOf(json["startTimeUnixNano"]), millisOf(json["endTimeUnixNano"])]
  if (startMillis === undefined || endMillis === undefined) return []
  const status = isObject(json["status"]) ? json["status"]["code"] : undefined
  return [
    {
      traceId: textOf(json["traceId"]),
      name: textOf(json["name"]),
      startMillis,
      endMillis,
      isError: status === 2 || status === "STATUS_CODE_ERROR",
      attributes: attributesOf(json["attributes"]),
      events: listOf(json["events"]).map((event) => ({
        name: textOf(event["name"]),
        attributes: attributesOf(event["attributes"])
      }))
    }
  ]
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** Nanoseconds as text, because they are more than a number holds. */
const millisOf = (value: unknown): number | undefined => {
  const text = typeof value === "number" ? String(value) : value
  if (typeof text !== "string" || !/^\d{1,20}$/.test(text) || text === "0") return undefined
  return Number(BigInt(text) / 1000n) / 1000
}

const attributesOf = (value: unknown): ReadonlyMap<string, AttributeValue> => {
  const attributes = new Map<string, AttributeValue>()
  for (const { key, value: one } of listOf(value)) {
    if (typeof key !== "string" || !isObject(one)) continue
    const { arrayValue, boolValue, doubleValue, intValue } = one
    const stringValue = isObject(arrayValue) ? listOf(arrayValue["values"])[0]?.["stringValue"] : one["stringValue"]
    if (typeof stringValue === "string") attributes.set(key, stringValue)
    else if (typeof boolValue === "boolean") attributes.set(key, boolValue)
    else {
      const number = Number(intValue ?? doubleValue)
      if ((intValue !== undefined || doubleValue !== undefined) && Number.isFinite(number)) attributes.set(key, number)
    }
  }
  return attributes
}
