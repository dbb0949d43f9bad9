/**
 * Calls of databases, storage and messaging systems.
 */
import type { Tracer } from "effect"
import { normalizeSystem } from "./cost/Provider.js"
import type { UsageDetails } from "./cost/UsageRecord.js"
import { type CallDescription, makeTrack, type Track } from "./tracking/TrackedCall.js"
import { Db, Messaging } from "./wire/SemanticConventions.js"
import { CallAttribute } from "./wire/Wire.js"

/**
 * An operation of a database or a data warehouse.
 *
 * @example
 * ```ts
 * import { Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const call: Data.DatabaseCall = { system: "postgresql", operation: "SELECT", collection: "tickets" }
 * Effect.runPromise(Effect.succeed(["ticket-42"]).pipe(Data.trackDatabase({ ...call })))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface DatabaseCall {
  /** Such as `postgresql`; spelled as the database conventions do, whatever is given: `pg` is `postgresql`. */
  readonly system: string
  /** Such as `SELECT` (`db.operation.name`). */
  readonly operation: string
  /** The name of the database (`db.namespace`). */
  readonly database?: string | undefined
  /** The table or collection (`db.collection.name`). */
  readonly collection?: string | undefined
}

/**
 * An operation of a store of objects or files.
 *
 * @example
 * ```ts
 * import { Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const call: Data.StorageCall = { system: "aws.s3", operation: "GET", bucket: "attachments" }
 * Effect.runPromise(Effect.succeed("a file").pipe(Data.trackStorage({ ...call })))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageCall {
  /** Such as `aws.s3`; `s3` and `gcs` are understood. */
  readonly system: string
  /** Such as `GET` or `PUT`. */
  readonly operation: string
  /** The bucket or container. */
  readonly bucket?: string | undefined
}

/**
 * An operation of a messaging system.
 *
 * @example
 * ```ts
 * import { Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const call: Data.MessagingCall = { system: "kafka", operation: "send", destination: "tickets" }
 * Effect.runPromise(Effect.void.pipe(Data.trackMessaging({ ...call })))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface MessagingCall {
  /** Such as `kafka`; spelled as the messaging conventions do, whatever is given: `sqs` is `aws_sqs`. */
  readonly system: string
  /** Such as `send` or `receive` (`messaging.operation.name`). */
  readonly operation: string
  /** The queue or topic (`messaging.destination.name`). */
  readonly destination: string
}

/**
 * Tracks an effect or a stream as one operation of a database: opens its span, by OpenTelemetry's database conventions, and
 * records what it consumed, such as `rowsReturned` or `bytesScanned`, in a finalizer, however it ends.
 *
 * @example
 * ```ts
 * import { Botanu, Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.succeed(["ticket-42"]).pipe(
 *   Data.trackDatabase({ system: "postgresql", operation: "SELECT", collection: "tickets", usage: (rows: ReadonlyArray<string>) => ({ rowsReturned: rows.length }) }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category tracking
 */
export const trackDatabase: Track<DatabaseCall, never> = makeTrack(({ collection, database, operation, system }) =>
  described({ kind: "database", provider: system, operation, database, collection }, collection ?? database, "client", {
    [Db.systemName]: normalizeSystem("database", system),
    [Db.operationName]: operation,
    ...(database !== undefined && { [Db.namespace]: database }),
    ...(collection !== undefined && { [Db.collectionName]: collection })
  })
)

/**
 * Tracks an effect or a stream as one operation of a store: `bytesRead`, `bytesWritten`, `objects`. Else as `trackDatabase`.
 *
 * @example
 * ```ts
 * import { Botanu, Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.succeed(["ticket-42"]).pipe(
 *   Data.trackStorage({ system: "aws.s3", operation: "GET", bucket: "attachments", usage: (rows: ReadonlyArray<string>) => ({ bytesRead: rows.length }) }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category tracking
 */
export const trackStorage: Track<StorageCall, never> = makeTrack(({ bucket, operation, system }) =>
  described({ kind: "storage", provider: system, operation, bucket }, bucket, "client", {
    [CallAttribute.storageSystem]: normalizeSystem("storage", system),
    [CallAttribute.storageOperation]: operation,
    ...(bucket !== undefined && { [CallAttribute.storageBucket]: bucket })
  })
)

/**
 * Tracks an effect or a stream as one operation of a messaging system: `messages`, `bytesWritten`. The span is that of a
 * producer or of a consumer, by the operation. Else as `trackDatabase`.
 *
 * @example
 * ```ts
 * import { Botanu, Data } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.succeed(["ticket-42"]).pipe(
 *   Data.trackMessaging({ system: "kafka", operation: "send", destination: "tickets", usage: (rows: ReadonlyArray<string>) => ({ messages: rows.length }) }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category tracking
 */
export const trackMessaging: Track<MessagingCall, never> = makeTrack(({ destination, operation, system }) => {
  const type = operationTypes.get(operation.toLowerCase())
  return described({ kind: "messaging", provider: system, operation, destination }, destination, spanKindOf(type), {
    [Messaging.system]: normalizeSystem("messaging", system),
    [Messaging.operationName]: operation,
    [Messaging.destinationName]: destination,
    ...(type !== undefined && { [Messaging.operationType]: type })
  })
})

const described = (
  details: UsageDetails,
  target: string | undefined,
  spanKind: Tracer.SpanKind,
  attributes: Record<string, unknown>
): CallDescription => ({
  details,
  isModelCall: false,
  spanName: `${details.operation} ${target ?? normalizeSystem(details.kind, details.provider)}`,
  spanKind,
  attributes
})

/** The types of operations that the messaging conventions know, by the names that systems give them. */
const operationTypes: ReadonlyMap<string, string> = new Map([
  ["create", "create"],
  ["publish", "send"],
  ["produce", "send"],
  ["send", "send"],
  ["receive", "receive"],
  ["poll", "receive"],
  ["subscribe", "receive"],
  ["consume", "process"],
  ["process", "process"],
  ["deliver", "process"],
  ["ack", "settle"],
  ["nack", "settle"],
  ["commit", "settle"],
  ["settle", "settle"]
])

const spanKindOf = (type: string | undefined): Tracer.SpanKind => {
  if (type === "send" || type === "create") return "producer"
  return type === "receive" || type === "process" ? "consumer" : "client"
}
