import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Botanu, Data, type RunContext, Usage } from "../src/index.js"
import { observed } from "./observed.js"
import { ids } from "./runs.js"
import { allUsages, spanNamed } from "./usages.js"

const run = Botanu.workflow("Customer Support", ids)

/** OpenTelemetry's numbers for kinds of spans. */
const kinds = { client: 2, producer: 3, consumer: 4 }

interface Scenario {
  readonly call: Effect.Effect<unknown, unknown, RunContext>
  readonly span: string
  readonly kind: keyof typeof kinds
  readonly attributes: object
  readonly usage: object
}

const scenarios: Readonly<Record<string, Scenario>> = {
  "a query, with all that can be told of it": {
    call: Data.trackDatabase(Effect.succeed(["a", "b"]), {
      system: "pg",
      operation: "SELECT",
      database: "support",
      collection: "tickets",
      usage: (rows) => ({ rowsReturned: rows.length, bytesScanned: 4_096, providerRequestId: "query-1" })
    }),
    span: "SELECT tickets",
    kind: "client",
    attributes: {
      "db.system.name": "postgresql",
      "db.operation.name": "SELECT",
      "db.namespace": "support",
      "db.collection.name": "tickets",
      "db.response.returned_rows": 2,
      "botanu.warehouse.bytes_scanned": 4_096,
      "botanu.warehouse.query_id": "query-1"
    },
    usage: {
      kind: "database",
      provider: "postgresql",
      operation: "SELECT",
      rowsReturned: 2,
      bytesScanned: 4_096,
      providerRequestId: "query-1"
    }
  },
  "a query of a database as a whole": {
    call: Data.trackDatabase(Usage.report({ rowsAffected: 3 }), {
      system: "MySQL",
      operation: "UPDATE",
      database: "support"
    }),
    span: "UPDATE support",
    kind: "client",
    attributes: {
      "db.system.name": "mysql",
      "db.operation.name": "UPDATE",
      "db.namespace": "support",
      "botanu.data.rows_affected": 3
    },
    usage: { provider: "mysql", rowsAffected: 3 }
  },
  "a query of nothing in particular": {
    call: Data.trackDatabase(Effect.void, { system: "BigQuery", operation: "SELECT" }),
    span: "SELECT gcp.bigquery",
    kind: "client",
    attributes: { "db.system.name": "gcp.bigquery", "db.operation.name": "SELECT" },
    usage: { provider: "gcp.bigquery", status: "success" }
  },
  "rows as a stream": {
    call: Stream.runDrain(
      Data.trackDatabase(Stream.make("a", "b", "c"), {
        system: "sqlite3",
        operation: "SELECT",
        usage: (_, { rowsReturned = 0 }) => ({ rowsReturned: rowsReturned + 1 })
      })
    ),
    span: "SELECT sqlite",
    kind: "client",
    attributes: { "db.system.name": "sqlite", "db.operation.name": "SELECT", "db.response.returned_rows": 3 },
    usage: { rowsReturned: 3 }
  },
  "an object that is read": {
    call: Data.trackStorage(Effect.succeed(new Uint8Array(7)), {
      system: "S3",
      operation: "GET",
      bucket: "letters",
      usage: ({ byteLength }) => ({ bytesRead: byteLength, objects: 1, providerRequestId: "request-1" })
    }),
    span: "GET letters",
    kind: "client",
    attributes: {
      "botanu.storage.system": "aws.s3",
      "botanu.storage.operation": "GET",
      "botanu.storage.bucket": "letters",
      "botanu.data.bytes_read": 7,
      "botanu.data.objects_count": 1,
      "botanu.vendor.request_id": "request-1"
    },
    usage: { kind: "storage", provider: "aws.s3", operation: "GET", bytesRead: 7, objects: 1 }
  },
  "objects that are written, in no bucket": {
    call: Data.trackStorage(Usage.report({ bytesWritten: 9 }), { system: "gcs", operation: "PUT" }),
    span: "PUT gcp.cloud_storage",
    kind: "client",
    attributes: {
      "botanu.storage.system": "gcp.cloud_storage",
      "botanu.storage.operation": "PUT",
      "botanu.data.bytes_written": 9
    },
    usage: { bytesWritten: 9 }
  },
  "messages that are sent": {
    call: Data.trackMessaging(Effect.void, {
      system: "sqs",
      operation: "SendMessageBatch",
      destination: "tickets",
      usage: () => ({ messages: 10, bytesWritten: 2_000 })
    }),
    span: "SendMessageBatch tickets",
    kind: "client",
    attributes: {
      "messaging.system": "aws_sqs",
      "messaging.operation.name": "SendMessageBatch",
      "messaging.destination.name": "tickets",
      "messaging.batch.message_count": 10,
      "botanu.data.bytes_written": 2_000
    },
    usage: { kind: "messaging", provider: "aws_sqs", messages: 10, bytesWritten: 2_000 }
  }
}

const attributesOfRun = /^botanu\.(run_id|workflow|event_id|customer_id)$/

describe("on its span, of OpenTelemetry's conventions, and on record", () => {
  for (const [name, { attributes, call, kind, span: spanName, usage }] of Object.entries(scenarios)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        yield* run(call)
        const span = yield* spanNamed(spanName)
        const own = Object.entries(span.attributes).filter(([key]) => !attributesOfRun.test(key))
        expect(Object.fromEntries(own)).toEqual({ ...attributes, "botanu.usage.unpriced": "no_price_for_kind" })
        expect(span.kind).toBe(kinds[kind])
        const usages = yield* allUsages
        expect(usages).toHaveLength(1)
        expect({ ...usages[0] }).toMatchObject(usage)
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("what was used is on the usage", () => {
  const targets: ReadonlyArray<readonly [call: Effect.Effect<void>, target: object]> = [
    [
      Data.trackDatabase(Effect.void, {
        system: "pg",
        operation: "SELECT",
        database: "support",
        collection: "tickets"
      }),
      { database: "support", collection: "tickets" }
    ],
    [Data.trackStorage(Effect.void, { system: "s3", operation: "GET", bucket: "letters" }), { bucket: "letters" }],
    [
      Data.trackMessaging(Effect.void, { system: "sqs", operation: "send", destination: "tickets" }),
      { destination: "tickets" }
    ]
  ]
  for (const [call, target] of targets) {
    it.effect(Object.keys(target).join(" and "), () =>
      Effect.gen(function* () {
        yield* run(call)
        expect((yield* allUsages).map((usage) => ({ ...usage }))).toEqual([expect.objectContaining(target)])
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("outside of a run", () => {
  const ping = Data.trackDatabase(Effect.succeed(["a", "b"]), {
    system: "pg",
    operation: "SELECT",
    collection: "tickets",
    usage: (rows) => ({ rowsReturned: rows.length })
  })
  const rows = Data.trackDatabase(Stream.make("a", "b"), {
    system: "pg",
    operation: "SELECT",
    collection: "tickets",
    usage: (_, { rowsReturned = 0 }) => ({ rowsReturned: rowsReturned + 1 })
  })
  const calls: ReadonlyArray<readonly [name: string, call: Effect.Effect<unknown>]> = [
    ["an effect", ping],
    ["a stream", Stream.runCollect(rows)],
    [
      "from inside",
      Data.trackDatabase(Usage.report({ rowsReturned: 2 }), {
        system: "pg",
        operation: "SELECT",
        collection: "tickets"
      })
    ]
  ]
  for (const [name, call] of calls) {
    it.effect(`there is the span, with what was consumed and no cost: ${name}`, () =>
      Effect.gen(function* () {
        yield* call
        const span = yield* spanNamed("SELECT tickets")
        expect(span.attributes).toEqual({
          "db.system.name": "postgresql",
          "db.operation.name": "SELECT",
          "db.collection.name": "tickets",
          "db.response.returned_rows": 2
        })
        expect(yield* allUsages).toEqual([])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("a failure is the call's own", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(Data.trackStorage(Effect.fail("gone"), { system: "s3", operation: "GET" }))
      expect(failed).toBe("gone")
    }).pipe(Effect.provide(observed))
  )
})

describe("the span of an operation of a messaging system, by its name", () => {
  const operations: ReadonlyArray<readonly [operation: string, type: string | undefined, kind: keyof typeof kinds]> = [
    ["create", "create", "producer"],
    ["send", "send", "producer"],
    ["publish", "send", "producer"],
    ["Produce", "send", "producer"],
    ["receive", "receive", "consumer"],
    ["poll", "receive", "consumer"],
    ["process", "process", "consumer"],
    ["consume", "process", "consumer"],
    ["deliver", "process", "consumer"],
    ["ack", "settle", "client"],
    ["nack", "settle", "client"],
    ["commit", "settle", "client"],
    ["settle", "settle", "client"],
    ["purge", undefined, "client"]
  ]
  for (const [operation, type, kind] of operations) {
    it.effect(`${operation}: ${kind}`, () =>
      Effect.gen(function* () {
        yield* run(Data.trackMessaging(Effect.void, { system: "Kafka", operation, destination: "tickets" }))
        const span = yield* spanNamed(`${operation} tickets`)
        expect([span.attributes["messaging.operation.type"], span.kind]).toEqual([type, kinds[kind]])
      }).pipe(Effect.provide(observed))
    )
  }
})
