/**
 * One event with all that an event can have: attempts that fail, time out and succeed, a nested run that a deadline stops, calls
 * with and without a price, waits, and an outcome that was amended. As lines of a ledger.
 */

/** What a model costs for a million tokens: input, cached input, output. */
const prices: Readonly<Record<string, readonly [number, number, number]>> = {
  "gpt-4o-mini": [0.15, 0.075, 0.6],
  "gpt-4o-2024-08-06": [2.5, 1.25, 10],
  "claude-sonnet-4": [3, 0.3, 15],
  "text-embedding-3-small": [0.02, 0.02, 0]
}

/** The start of the event. */
export const start = Date.UTC(2026, 10, 18, 14, 3, 21, 904)

const iso = (millis: number): string => new Date(start + millis).toISOString()

/** Amounts in 10^-12 US dollars, which holds a token's price exactly. */
const usdText = (picos: number): string => {
  const digits = String(Math.round(picos)).padStart(13, "0")
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, "")
}

interface CallSpec {
  readonly step: string
  readonly model?: string
  readonly from: number
  readonly to: number
  readonly tokens?: readonly [input: number, cached: number, output: number]
  readonly queries?: number
  readonly database?: readonly [collection: string, rows: number]
  readonly status?: "failure" | "interrupted"
  readonly errorType?: string
}

const callOf = (spec: CallSpec) => {
  const { database, from, model, queries, status = "success", step, to, tokens } = spec
  const usage = {
    kind: database === undefined ? "llm" : "database",
    provider: database === undefined ? "openai" : "postgresql",
    operation: database === undefined ? "chat" : "SELECT",
    step,
    time: iso(to),
    status,
    durationMs: to - from,
    requests: 1,
    ...(model !== undefined && { model, responseModel: model }),
    ...(tokens !== undefined && {
      inputTokens: tokens[0] + tokens[1],
      ...(tokens[1] > 0 && { cacheReadTokens: tokens[1] }),
      outputTokens: tokens[2]
    }),
    ...(queries !== undefined && { queries }),
    ...(database !== undefined && { collection: database[0], rowsReturned: database[1] }),
    ...(spec.errorType !== undefined && { errorType: spec.errorType })
  }
  const price = model === undefined ? undefined : prices[model]
  if (database !== undefined)
    return { picos: 0, isUnpriced: false, json: { usage, cost: { _tag: "Priced", usd: "0", charges: [] } } }
  if (price === undefined || tokens === undefined) {
    return {
      picos: 0,
      isUnpriced: true,
      json: { usage, cost: { _tag: "Unpriced", reason: "unknown_model", usd: "0", charges: [] } }
    }
  }
  const charges = (["inputTokens", "cacheReadTokens", "outputTokens"] as const).flatMap((meter, index) => {
    const quantity = tokens[index] ?? 0
    const perMillion = price[index] ?? 0
    return quantity === 0
      ? []
      : [
          {
            meter,
            quantity,
            unit: meter.replace(/s$/, ""),
            unitPrice: usdText(perMillion * 1e6),
            usd: usdText(quantity * perMillion * 1e6),
            price: {
              source: "prices.json",
              entry: model?.startsWith("gpt-4o-2") ? "gpt-4o" : model,
              tier: "standard",
              from: "2026-08-01T00:00:00.000Z"
            }
          }
        ]
  })
  const picos = tokens.reduce((sum, quantity, index) => sum + quantity * (price[index] ?? 0) * 1e6, 0)
  return { picos, isUnpriced: false, json: { usage, cost: { _tag: "Priced", usd: usdText(picos), charges } } }
}

interface RunSpec {
  readonly n: number
  readonly workflow: string
  readonly attempt?: number
  readonly parent?: number
  readonly from: number
  readonly to: number
  readonly deadline?: number
  readonly status: string
  readonly outcome?: Readonly<Record<string, unknown>>
  readonly errorClass?: string
  readonly reason?: string
  readonly calls: ReadonlyArray<CallSpec>
}

const idOf = (n: number): string => `019ab7c4-51e9-7d02-b1c6-${String(n).padStart(12, "0")}`

const lineOf = (eventId: string, spec: RunSpec): string => {
  const { attempt = 1, calls, deadline, from, n, parent, status, to, workflow } = spec
  const found = calls.map(callOf)
  const run = {
    runId: idOf(n),
    workflow,
    eventId,
    customerId: "bigretail",
    environment: "production",
    workflowVersion: "2.14.0",
    tenantId: "acme",
    ...(parent !== undefined && { parentRunId: idOf(parent) }),
    rootRunId: parent === undefined ? idOf(1) : idOf(n),
    attempt,
    ...(attempt > 1 && { retryOfRunId: idOf(1) }),
    startTime: iso(from),
    ...(deadline !== undefined && { deadline: iso(deadline) }),
    cancelled: false
  }
  return JSON.stringify({
    v: 1,
    type: "completed",
    completed: {
      run,
      status,
      outcome: { status, ...spec.outcome },
      ...(spec.errorClass !== undefined && { errorClass: spec.errorClass }),
      ...(spec.reason !== undefined && { cancellationReason: spec.reason }),
      endTime: iso(to),
      durationMs: to - from,
      traceId: "8f1d3c5e7a9b4c2d0e6f1a3b5c7d9e0f",
      usages: found.map(({ json }) => json),
      totals: {
        usd: usdText(found.reduce((sum, { picos }) => sum + picos, 0)),
        inputTokens: 0,
        outputTokens: 0,
        calls: found.length,
        unpricedCalls: found.filter(({ isUnpriced }) => isUnpriced).length
      }
    }
  })
}

const classify = (from: number, to: number): CallSpec => ({
  step: "classify",
  model: "gpt-4o-mini",
  from,
  to,
  tokens: [812, 0, 14]
})

/** The lines of the event. */
export const ticketLines: ReadonlyArray<string> = [
  lineOf("ticket-48213", {
    n: 1,
    workflow: "Customer Support",
    from: 0,
    to: 9412,
    deadline: 30_000,
    status: "failure",
    errorClass: "RateLimited",
    calls: [
      classify(40, 690),
      { step: "retrieve", model: "text-embedding-3-small", from: 700, to: 790, tokens: [64, 0, 0] },
      { step: "retrieve", from: 792, to: 842, database: ["kb_articles", 12] },
      {
        step: "draft reply",
        model: "claude-sonnet-4",
        from: 860,
        to: 9380,
        tokens: [6214, 4096, 611],
        status: "failure",
        errorType: "429 while streaming"
      }
    ]
  }),
  lineOf("ticket-48213", {
    n: 3,
    workflow: "Refund Review",
    parent: 2,
    from: 12_100,
    to: 41_412,
    status: "canceled",
    reason: "deadline",
    calls: [
      { step: "verify refund", model: "gpt-4o-2024-08-06", from: 12_140, to: 19_030, tokens: [9410, 2048, 702] },
      {
        step: "verify refund",
        model: "gpt-4o-2024-08-06",
        from: 23_500,
        to: 41_412,
        tokens: [14_820, 2048, 388],
        status: "interrupted"
      }
    ]
  }),
  lineOf("ticket-48213", {
    n: 2,
    workflow: "Customer Support",
    attempt: 2,
    from: 11_412,
    to: 41_412,
    deadline: 41_412,
    status: "timeout",
    calls: [classify(11_450, 12_060)]
  }),
  lineOf("ticket-48213", {
    n: 5,
    workflow: "Refund Review",
    parent: 4,
    from: 46_060,
    to: 55_210,
    status: "success",
    calls: [
      { step: "rerank", model: "nova-rerank-2", from: 46_100, to: 46_480, queries: 1 },
      { step: "verify refund", model: "gpt-4o-2024-08-06", from: 46_500, to: 55_190, tokens: [4210, 9216, 734] }
    ]
  }),
  lineOf("ticket-48213", {
    n: 4,
    workflow: "Customer Support",
    attempt: 3,
    from: 45_412,
    to: 63_980,
    deadline: 75_412,
    status: "success",
    outcome: { valueType: "tickets_resolved", valueAmount: 1, confidence: 0.94 },
    calls: [
      classify(45_450, 46_020),
      { step: "draft reply", model: "claude-sonnet-4", from: 55_240, to: 63_900, tokens: [2390, 8192, 843] },
      { step: "save reply", from: 63_910, to: 63_950, database: ["replies", 1] }
    ]
  }),
  JSON.stringify({
    v: 1,
    type: "amended",
    amendment: {
      eventId: "ticket-48213",
      customerId: "bigretail",
      outcome: {
        status: "partial",
        valueType: "tickets_resolved",
        valueAmount: 0,
        reason: "reopened by the customer: refund not received"
      },
      by: "crm-sync",
      at: "2026-11-25T09:12:40.000Z"
    }
  })
]

const word = "Donaudampfschifffahrtsgesellschaft".repeat(6).slice(0, 200)

/** Texts that a page must not take for more than texts. */
export const hostileTexts = [
  '<script>document.title="owned"</script>',
  '<img src=x onerror="document.title=1">',
  "\u202egnp.elif\u202c and \u2067\u05e9\u05dc\u05d5\u05dd\u2069",
  word,
  "🧾👩‍👩‍👧‍👦🇪🇺 e\u0301\u0301\u0301",
  "'\"><svg/onload=alert(1)>",
  "javascript:alert(1)",
  "a b%2F/..?x=1&y#z"
]

/** Events whose every text is hostile. */
export const hostileLines: ReadonlyArray<string> = hostileTexts.map((text, index) =>
  lineOf(text, {
    n: 100 + index,
    workflow: hostileTexts[(index + 1) % hostileTexts.length] ?? "",
    from: index * 1000,
    to: index * 1000 + 900,
    status: "failure",
    errorClass: text,
    outcome: { reason: hostileTexts[(index + 2) % hostileTexts.length], valueType: text, valueAmount: 1 },
    calls: [{ step: text, model: text, from: index * 1000, to: index * 1000 + 500, tokens: [1, 0, 1] }]
  }).replaceAll('"bigretail"', JSON.stringify(text))
)
