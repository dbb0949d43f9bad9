/**
 * The data API of `botanu serve`: what the page reads, for other programs too. Times are milliseconds since the epoch, amounts
 * are exact decimal texts in US dollars, rates are from 0 to 1.
 */
import { HttpApi, HttpApiEndpoint, HttpApiError, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import * as LineProblems from "../store/LineProblems.js"

const Nullable = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.NullOr(schema)

const Text = Schema.optional(Schema.String)

/** An instant that a date can hold, in milliseconds. */
const Instant = Schema.NumberFromString.pipe(Schema.int(), Schema.between(-8.64e15, 8.64e15))

/** Which events are meant. Absent: any. */
export const Selection = Schema.Struct({
  since: Schema.optional(Instant).annotations({
    description: "Events that started then or later, in milliseconds since the epoch"
  }),
  until: Schema.optional(Instant).annotations({ description: "Events that started before then" }),
  workflow: Text,
  customer: Text,
  tenant: Text,
  environment: Text,
  outcome: Schema.optional(Schema.String).annotations({
    description: "Outcomes with commas between them: success, failure, partial, timeout, canceled, running, none"
  }),
  model: Schema.optional(Schema.String).annotations({ description: "Events with a call of this model" }),
  step: Schema.optional(Schema.String).annotations({ description: "Events with a call in this step" }),
  reason: Schema.optional(Schema.String).annotations({ description: "Why the event did not succeed" }),
  value: Schema.optional(Schema.String).annotations({ description: "Events whose outcome has this value type" }),
  attempts: Schema.optional(Schema.NumberFromString).annotations({
    description: "Events with so many attempts or more"
  }),
  unpriced: Schema.optional(Schema.Literal("yes", "no")).annotations({
    description: "Events with calls without a price, or without such calls"
  }),
  amended: Schema.optional(Schema.Literal("yes", "no")),
  search: Schema.optional(Schema.String).annotations({
    description: "Part of an event id, a customer id or a workflow, or a whole run id"
  })
})
export type Selection = typeof Selection.Type

export const sortKeys = [
  "outcome",
  "event",
  "workflow",
  "customer",
  "started",
  "attempts",
  "duration",
  "calls",
  "beforeFinal",
  "cost",
  "toMedian"
] as const
export type SortKey = (typeof sortKeys)[number]

const Order = Schema.Struct({
  sort: Schema.optional(Schema.Literal(...sortKeys)),
  order: Schema.optional(Schema.Literal("ascending", "descending"))
})

/** Figures of a group of events. */
export const Sums = Schema.Struct({
  events: Schema.Number,
  attempts: Schema.Number,
  runs: Schema.Number,
  successes: Schema.Number,
  /** Events that ended as failure, timeout or canceled. */
  failures: Schema.Number,
  partials: Schema.Number,
  /** Events with an outcome. */
  ended: Schema.Number,
  running: Schema.Number,
  usd: Schema.String,
  usdOfSuccesses: Schema.String,
  usdOfFailures: Schema.String,
  usdOfPartials: Schema.String,
  usdBeforeFinal: Schema.String,
  /** Calls without a price among those of the failures, and of the attempts before the final ones. */
  unpricedCallsOfFailures: Schema.Number,
  unpricedCallsBeforeFinal: Schema.Number,
  /** The cost of all events divided by those that succeeded. */
  usdPerSuccess: Nullable(Schema.String),
  calls: Schema.Number,
  unpricedCalls: Schema.Number
})
export type Sums = typeof Sums.Type

/** Figures of a group of events, and of how long their outermost runs took. */
export const Totals = Schema.Struct({
  ...Sums.fields,
  /** Half of the outermost runs took no longer, in milliseconds. */
  p50Ms: Nullable(Schema.Number),
  p95Ms: Nullable(Schema.Number)
})
export type Totals = typeof Totals.Type

/** Figures of a group of calls. */
export const CallTotals = Schema.Struct({
  name: Schema.String,
  usd: Schema.String,
  calls: Schema.Number,
  unpricedCalls: Schema.Number,
  tokens: Schema.Number,
  p95Ms: Nullable(Schema.Number)
})
export type CallTotals = typeof CallTotals.Type

const Group = Schema.Struct({ name: Schema.String, now: Sums, before: Nullable(Sums) })
export type Group = typeof Group.Type

export const stacks = ["workflow", "outcome", "customer", "model"] as const
export type Stack = (typeof stacks)[number]

const Bucket = Schema.Struct({
  startMs: Schema.Number,
  totals: Totals,
  /** The cost of each series, in the order of `series`, and how many calls it lacks. */
  usd: Schema.Array(Schema.String),
  unpricedCalls: Schema.Array(Schema.Number)
})

/** Calls without a price, of one model and for one reason. */
export const Unpriced = Schema.Struct({
  name: Schema.String,
  provider: Schema.String,
  reason: Schema.String,
  /** The meters without a price. */
  missing: Schema.Array(Schema.String),
  calls: Schema.Number,
  events: Schema.Number,
  /** Sums by the name of the quantity, such as `inputTokens`. */
  quantities: Schema.Record({ key: Schema.String, value: Schema.Number }),
  /** What is known of them. */
  usd: Schema.String
})
export type Unpriced = typeof Unpriced.Type

export const Overview = Schema.Struct({
  sinceMs: Schema.Number,
  untilMs: Schema.Number,
  beforeSinceMs: Schema.Number,
  bucketMs: Schema.Number,
  now: Totals,
  /** The period of the same length before; `null` where the ledger holds nothing of it. */
  before: Nullable(Totals),
  series: Schema.Array(Schema.Struct({ name: Schema.String, usd: Schema.String, unpricedCalls: Schema.Number })),
  buckets: Schema.Array(Bucket),
  bucketsBefore: Schema.Array(Schema.Struct({ usd: Schema.String, successes: Schema.Number })),
  reasons: Schema.Array(
    Schema.Struct({
      status: Schema.String,
      reason: Schema.String,
      workflow: Schema.String,
      events: Schema.Number,
      usd: Schema.String,
      unpricedCalls: Schema.Number
    })
  ),
  unpriced: Schema.Array(Unpriced),
  values: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      amount: Schema.Number,
      usd: Schema.String,
      unpricedCalls: Schema.Number
    })
  ),
  customers: Schema.Array(Group),
  workflows: Schema.Array(Group),
  models: Schema.Array(CallTotals),
  steps: Schema.Array(CallTotals),
  counts: Schema.Struct({
    customers: Schema.Number,
    workflows: Schema.Number,
    models: Schema.Number,
    steps: Schema.Number,
    reasons: Schema.Number
  })
})
export type Overview = typeof Overview.Type

/** Groups of events, or of calls, the dearest first. */
export const Groups = Schema.Struct({
  sinceMs: Schema.Number,
  untilMs: Schema.Number,
  beforeSinceMs: Schema.Number,
  /** How many there are. */
  count: Schema.Number,
  events: Schema.Array(Group),
  calls: Schema.Array(CallTotals)
})
export type Groups = typeof Groups.Type

export const groupKeys = ["customer", "workflow", "model", "step"] as const
export type GroupKey = (typeof groupKeys)[number]

export const EventRow = Schema.Struct({
  eventId: Schema.String,
  customerId: Schema.String,
  workflow: Schema.String,
  environment: Schema.String,
  tenantId: Nullable(Schema.String),
  startMs: Schema.Number,
  /** From the first start to the last end; `null` while a run has no end. */
  durationMs: Nullable(Schema.Number),
  /** What came of it: amended, else recorded. `null` where no outcome was recorded. */
  status: Nullable(Schema.String),
  isAmended: Schema.Boolean,
  reason: Nullable(Schema.String),
  valueType: Nullable(Schema.String),
  valueAmount: Nullable(Schema.Number),
  /** How each outermost run ended. */
  attempts: Schema.Array(Schema.String),
  runs: Schema.Number,
  calls: Schema.Number,
  unpricedCalls: Schema.Number,
  usd: Schema.String,
  usdBeforeFinal: Schema.String,
  unpricedBeforeFinal: Schema.Number,
  /** The cost divided by the median of its workflow. */
  toMedian: Nullable(Schema.Number)
})
export type EventRow = typeof EventRow.Type

export const Events = Schema.Struct({
  totals: Totals,
  /** Events by the start of the hour or day. */
  histogram: Schema.Array(Schema.Struct({ startMs: Schema.Number, successes: Schema.Number, others: Schema.Number })),
  bucketMs: Schema.Number,
  offset: Schema.Number,
  rows: Schema.Array(EventRow),
  /** Where nothing is found: for each part of the selection, how many events there are without it. */
  without: Schema.Array(Schema.Struct({ field: Schema.String, events: Schema.Number }))
})
export type Events = typeof Events.Type

/** A row of the timeline of an event. */
export const TimelineRow = Schema.Struct({
  id: Schema.Number,
  kind: Schema.Literal("run", "call", "data", "wait"),
  depth: Schema.Number,
  /** The row of the enclosing run. */
  parent: Nullable(Schema.Number),
  title: Schema.String,
  detail: Schema.String,
  startMs: Nullable(Schema.Number),
  endMs: Nullable(Schema.Number),
  status: Nullable(Schema.String),
  note: Schema.String,
  usd: Schema.String,
  calls: Schema.Number,
  unpricedCalls: Schema.Number,
  /** The cost of the run and of the runs inside of it; `null` where there is none inside. */
  withNested: Nullable(Schema.Struct({ usd: Schema.String, calls: Schema.Number, unpricedCalls: Schema.Number })),
  /** When a deadline struck, and up to which row it stopped the work. */
  deadlineMs: Nullable(Schema.Number),
  runId: Nullable(Schema.String),
  rootRunId: Nullable(Schema.String),
  traceId: Nullable(Schema.String)
})
export type TimelineRow = typeof TimelineRow.Type

const Charge = Schema.Struct({
  meter: Schema.String,
  quantity: Schema.Number,
  unit: Schema.String,
  unitPrice: Schema.String,
  usd: Schema.String,
  source: Schema.String,
  entry: Nullable(Schema.String),
  tier: Nullable(Schema.String),
  fromMs: Nullable(Schema.Number)
})

/** What a call consumed and what that cost. */
export const CallCharges = Schema.Struct({
  /** The row of the call in the timeline. */
  row: Schema.Number,
  name: Schema.String,
  provider: Schema.String,
  usd: Schema.String,
  isUnpriced: Schema.Boolean,
  reason: Nullable(Schema.String),
  /** What has no price. */
  missing: Schema.Array(Schema.Struct({ meter: Schema.String, quantity: Nullable(Schema.Number) })),
  charges: Schema.Array(Charge)
})
export type CallCharges = typeof CallCharges.Type

const OutcomeEntry = Schema.Struct({
  status: Nullable(Schema.String),
  atMs: Nullable(Schema.Number),
  /** Who amended it; `null` for the recorded outcome. */
  by: Nullable(Schema.String),
  attempt: Nullable(Schema.Number),
  reason: Nullable(Schema.String),
  valueType: Nullable(Schema.String),
  valueAmount: Nullable(Schema.Number),
  confidence: Nullable(Schema.Number)
})

export const EventDetail = Schema.Struct({
  event: EventRow,
  workflowVersion: Nullable(Schema.String),
  /** The median and the 95th percentile of the cost of ended events of its workflow. */
  median: Nullable(Schema.String),
  p95: Nullable(Schema.String),
  /** The latest first. */
  outcomes: Schema.Array(OutcomeEntry),
  rows: Schema.Array(TimelineRow),
  charges: Schema.Array(CallCharges),
  /** The event as `botanu event` prints it. */
  text: Schema.String,
  /** The records of its runs and its amendments. */
  records: Schema.Array(Schema.Unknown)
})
export type EventDetail = typeof EventDetail.Type

export const Position = Schema.Struct({
  index: Nullable(Schema.Number),
  total: Schema.Number,
  previous: Nullable(Schema.Struct({ eventId: Schema.String, customerId: Schema.String })),
  next: Nullable(Schema.Struct({ eventId: Schema.String, customerId: Schema.String }))
})
export type Position = typeof Position.Type

export const Found = Schema.Struct({
  /** Events with this id, or with a run of this id. */
  events: Schema.Array(Schema.Struct({ eventId: Schema.String, customerId: Schema.String })),
  isCustomer: Schema.Boolean,
  /** Event ids that begin like it. */
  similar: Schema.Array(Schema.Struct({ eventId: Schema.String, customerId: Schema.String }))
})
export type Found = typeof Found.Type

export const Prices = Schema.Struct({
  totals: Totals,
  unpriced: Schema.Array(Unpriced),
  /** What calls that have a price were priced with. */
  models: Schema.Array(CallTotals),
  /** What a price file would add to the sum; `null` where the server has none (`--prices`). */
  repriced: Nullable(
    Schema.Struct({
      source: Schema.String,
      usd: Schema.String,
      calls: Schema.Number,
      unpricedCalls: Schema.Number,
      models: Schema.Array(
        Schema.Struct({ name: Schema.String, reason: Schema.String, usd: Schema.String, calls: Schema.Number })
      )
    })
  )
})
export type Prices = typeof Prices.Type

/** The state of the ledger that the page shows. */
export const Status = Schema.Struct({
  ledger: Schema.String,
  version: Schema.String,
  state: Schema.Literal("loading", "ready", "away"),
  /** Changes with each change of the ledger. */
  revision: Schema.Number,
  events: Schema.Number,
  runs: Schema.Number,
  firstStartMs: Nullable(Schema.Number),
  lastStartMs: Nullable(Schema.Number),
  /** When the figures were read. */
  atMs: Schema.Number,
  /** What is wrong while the ledger is away, and when it is tried again. */
  problem: Nullable(Schema.String),
  awaySinceMs: Nullable(Schema.Number),
  nextTryMs: Nullable(Schema.Number),
  /** Lines that are in no figure, by what is wrong with them. A compacted day that cannot be read counts as one. */
  problems: Schema.Array(
    Schema.Struct({
      problem: Schema.Literal(...LineProblems.names),
      lines: Schema.Number,
      places: Schema.Array(Schema.String)
    })
  ),
  /** Records that writers counted as lost. */
  lost: Schema.Number,
  traceUrl: Nullable(Schema.String),
  canAmend: Schema.Boolean
})
export type Status = typeof Status.Type

export class NotInLedger extends Schema.TaggedError<NotInLedger>()(
  "NotInLedger",
  { eventId: Schema.String, similar: Found.fields.similar },
  HttpApiSchema.annotations({ status: 404 })
) {}

export class LedgerAway extends Schema.TaggedError<LedgerAway>()(
  "LedgerAway",
  { problem: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

export class Refused extends Schema.TaggedError<Refused>()(
  "Refused",
  { problem: Schema.String },
  HttpApiSchema.annotations({ status: 403 })
) {}

const EventKey = Schema.Struct({ eventId: Schema.String, customerId: Schema.optional(Schema.String) })

export const Amendment = Schema.Struct({
  eventId: Schema.NonEmptyString,
  customerId: Schema.optional(Schema.NonEmptyString),
  status: Schema.Literal("success", "failure", "partial", "timeout", "canceled"),
  reason: Schema.optional(Schema.String),
  by: Schema.NonEmptyString
})

const Offset = Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.nonNegative()))
const limitOf = (most: number) => Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, most)))

export type Amendment = typeof Amendment.Type

const ledgerGroup = HttpApiGroup.make("ledger")
  .add(HttpApiEndpoint.get("status", "/status").addSuccess(Status).annotate(OpenApi.Summary, "The state of the ledger"))
  .add(
    HttpApiEndpoint.get("live", "/live")
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })))
      .annotate(
        OpenApi.Summary,
        "The state of the ledger, again with each change: server-sent events with JSON of `status`"
      )
  )
  .add(
    HttpApiEndpoint.get("overview", "/overview")
      .setUrlParams(Schema.Struct({ ...Selection.fields, stack: Schema.optional(Schema.Literal(...stacks)) }))
      .addSuccess(Overview)
      .annotate(OpenApi.Summary, "Figures of a period, against the period before")
  )
  .add(
    HttpApiEndpoint.get("events", "/events")
      .setUrlParams(
        Schema.Struct({
          ...Selection.fields,
          ...Order.fields,
          offset: Offset,
          limit: limitOf(500)
        })
      )
      .addSuccess(Events)
      .annotate(OpenApi.Summary, "Events, and their sums")
  )
  .add(
    HttpApiEndpoint.get("rows", "/rows")
      .setUrlParams(Schema.Struct({ ...Selection.fields, ...Order.fields, offset: Offset, limit: limitOf(500) }))
      .addSuccess(Schema.Array(EventRow))
      .annotate(OpenApi.Summary, "More of the events, without their sums")
  )
  .add(
    HttpApiEndpoint.get("groups", "/groups")
      .setUrlParams(
        Schema.Struct({
          ...Selection.fields,
          by: Schema.Literal(...groupKeys),
          offset: Offset,
          limit: limitOf(1000)
        })
      )
      .addSuccess(Groups)
      .annotate(OpenApi.Summary, "Customers, workflows, models or steps, the dearest first")
  )
  .add(
    HttpApiEndpoint.get("eventsCsv", "/events.csv")
      .setUrlParams(Schema.Struct({ ...Selection.fields, ...Order.fields }))
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/csv" })))
      .annotate(OpenApi.Summary, "Events as CSV, all of them")
  )
  .add(
    HttpApiEndpoint.get("event", "/event")
      .setUrlParams(EventKey)
      .addSuccess(EventDetail)
      .addError(NotInLedger)
      .annotate(OpenApi.Summary, "One event: its timeline, charges and outcomes")
  )
  .add(
    HttpApiEndpoint.get("position", "/position")
      .setUrlParams(Schema.Struct({ ...EventKey.fields, ...Selection.fields, ...Order.fields }))
      .addSuccess(Position)
      .annotate(OpenApi.Summary, "Where an event is in a list, and its neighbours")
  )
  .add(
    HttpApiEndpoint.get("find", "/find")
      .setUrlParams(Schema.Struct({ id: Schema.String }))
      .addSuccess(Found)
      .annotate(OpenApi.Summary, "What an id is of: an event, a run or a customer")
  )
  .add(
    HttpApiEndpoint.get("values", "/values")
      .setUrlParams(
        Schema.Struct({
          field: Schema.Literal("workflow", "customer", "tenant", "environment", "model", "step", "reason", "value"),
          begin: Schema.optional(Schema.String)
        })
      )
      .addSuccess(Schema.Array(Schema.String))
      .annotate(OpenApi.Summary, "Values of a field, at most 50")
  )
  .add(
    HttpApiEndpoint.get("unpriced", "/unpriced")
      .setUrlParams(Selection)
      .addSuccess(Prices)
      .annotate(OpenApi.Summary, "Calls without a price, and what a price file would add")
  )
  .add(
    HttpApiEndpoint.post("amend", "/amend")
      .setPayload(Amendment)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotInLedger)
      .addError(Refused)
      .annotate(OpenApi.Summary, "Amends the outcome of an event; needs --allow-amend")
  )
  .addError(LedgerAway)
  .addError(HttpApiError.HttpApiDecodeError)

/** The API, with everything below `/api`. */
export const PageApi = HttpApi.make("botanu")
  .add(ledgerGroup)
  .prefix("/api")
  .annotate(OpenApi.Title, "botanu")
  .annotate(
    OpenApi.Description,
    "What business work cost and what came of it. Times are milliseconds since the epoch, amounts are exact decimal texts in US dollars, rates are from 0 to 1."
  )
