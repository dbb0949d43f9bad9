/**
 * Runs of other programs, from lines of the OpenTelemetry Collector's file exporter.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { FastCheck } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { spansOf } from "../../src/otlp/OtlpSpan.js"
import { actsOnTerminal, botanu, ledgerOf } from "../botanu.js"
import { stores } from "../stores.js"

type Value = string | number | boolean

const attributesOf = (attributes: Readonly<Record<string, Value>>) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : typeof value === "boolean"
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value }
  }))

const nanos = (second: number) => String(BigInt(1_770_000_000 + second) * 1_000_000_000n)

interface SpanOptions {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly attributes: Readonly<Record<string, Value>>
  readonly events?: ReadonlyArray<{ readonly name: string; readonly attributes: Readonly<Record<string, Value>> }>
  readonly isError?: boolean
}

const span = ({ attributes, end, events = [], isError = false, name, start }: SpanOptions) => ({
  traceId: "5b8efff798038103d269b633813fc60c",
  spanId: "eee19b7ec3c1b174",
  name,
  kind: 2,
  startTimeUnixNano: nanos(start),
  endTimeUnixNano: nanos(end),
  attributes: attributesOf(attributes),
  events: events.map((event) => ({
    name: event.name,
    timeUnixNano: nanos(end),
    attributes: attributesOf(event.attributes)
  })),
  status: isError ? { code: 2 } : {}
})

const lineOf = (spans: ReadonlyArray<object>) =>
  JSON.stringify({
    resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: "botanu" }, spans }] }]
  })

const run = "0190b0c4-1111-4222-8333-444455556666"
const ids = {
  "botanu.run_id": run,
  "botanu.workflow": "Customer Support",
  "botanu.event_id": "ticket-1",
  "botanu.customer_id": "bigretail"
}

/** A run as the SDK for Python records it: its calls have the attributes of that SDK. */
const python = [
  span({
    name: "chat quill-2",
    start: 1,
    end: 2,
    attributes: {
      ...ids,
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2",
      "gen_ai.usage.input_tokens": 1000,
      "gen_ai.usage.output_tokens": 10,
      "botanu.usage.cached_tokens": 400,
      "botanu.vendor.request_id": "req-1"
    }
  }),
  span({
    name: "db.postgresql.select",
    start: 2,
    end: 3,
    attributes: {
      ...ids,
      "db.system": "postgresql",
      "db.operation": "SELECT",
      "db.name": "shop",
      "botanu.data.rows_returned": 7
    }
  }),
  span({
    name: "botanu.run/Customer Support",
    start: 0,
    end: 4,
    attributes: {
      ...ids,
      "botanu.environment": "production",
      "botanu.tenant_id": "acme",
      "botanu.attempt": 2,
      "botanu.root_run_id": "0190b0c4-1111-4222-8333-444455550000",
      "botanu.outcome": "failed",
      "botanu.outcome.reason_code": "no_answer",
      "botanu.outcome.value_amount": 0.5,
      "botanu.team": "support"
    },
    events: [
      { name: "botanu.run.completed", attributes: { status: "failed", duration_ms: 4000, error_class: "NoAnswer" } }
    ],
    isError: true
  })
]

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "botanu-import-"))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const fileOf = (lines: ReadonlyArray<string>): string => {
  const path = join(folder(), "traces.jsonl")
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""))
  return path
}

describe.each(stores())("into $name", { timeout: 60_000 }, (store) => {
  it("a run of another SDK comes with its calls, wherever they are in the files, and once", async () => {
    const ledger = await store.ledgerOf([])
    // The spans of calls come before that of their run, on lines of their own.
    const file = fileOf([lineOf(python.slice(0, 1)), lineOf(python.slice(1)), ""])
    const prices = join(folder(), "prices.json")
    writeFileSync(
      prices,
      JSON.stringify({
        "quill-2": {
          litellm_provider: "openai",
          mode: "chat",
          input_cost_per_token: 0.000001,
          output_cost_per_token: 0.00001,
          cache_read_input_token_cost: 0.0000005
        }
      })
    )
    const first = await botanu(["import", file, "--prices", prices, "--ledger", ledger])
    expect(first).toMatchObject({ code: 0, err: "" })
    expect(first.out).toBe("1 runs imported, 2 calls, 1 without a price")
    const { out } = await botanu(["event", "ticket-1", "--json", "--ledger", ledger])
    const [event] = JSON.parse(out)
    expect(event).toMatchObject({
      status: "failure",
      cost: { usd: "0.0009", calls: 2, unpricedCalls: 1 },
      runs: [
        {
          run: {
            runId: run,
            attempt: 2,
            tenantId: "acme",
            environment: "production",
            rootRunId: "0190b0c4-1111-4222-8333-444455550000"
          },
          status: "failure",
          errorClass: "NoAnswer",
          outcome: { status: "failure", reason: "no_answer", valueAmount: 0.5 },
          durationMs: 4000,
          traceId: "5b8efff798038103d269b633813fc60c",
          annotations: { team: "support" },
          usages: [
            {
              usage: {
                kind: "llm",
                provider: "openai",
                inputTokens: 1000,
                cacheReadTokens: 400,
                providerRequestId: "req-1",
                durationMs: 1000
              }
            },
            {
              usage: {
                kind: "database",
                provider: "postgresql",
                operation: "SELECT",
                database: "shop",
                rowsReturned: 7
              }
            }
          ]
        }
      ]
    })
    const again = await botanu(["import", file, file, "--ledger", ledger])
    expect(again.out).toBe("0 runs imported, 0 calls\n1 runs were in the ledger already")
    expect(JSON.parse((await botanu(["report", "--format", "json", "--ledger", ledger])).out)).toMatchObject([
      { events: 1, runs: 1, calls: 2 }
    ])
  })

  it("runs of the SDKs for TypeScript and Python come as the Collector's file exporter writes them", async () => {
    const ledger = await store.ledgerOf([])
    const files = ["typescript-sdk.jsonl", "python-sdk.jsonl"].map((name) =>
      fileURLToPath(new URL(`../otlp/${name}`, import.meta.url))
    )
    expect(await botanu(["import", ...files, "--ledger", ledger])).toEqual({
      code: 0,
      err: "",
      out: "3 runs imported, 7 calls, 7 without a price (--prices FILE)"
    })
    const recordsOf = async (event: string) =>
      JSON.parse((await botanu(["event", event, "--json", "--ledger", ledger])).out)[0].runs
    // The SDK for TypeScript leaves an outcome on the span of the call in which it was emitted.
    expect(await recordsOf("ticket-ts-1")).toMatchObject([
      {
        run: { workflow: "Customer Support", workflowVersion: "v:0a1b2c3d4e5f", deadline: "2026-02-02T02:40:30.500Z" },
        status: "success",
        outcome: {
          status: "partial",
          valueType: "tickets_resolved",
          valueAmount: 0.5,
          confidence: 0.9,
          reason: "needs_review"
        },
        annotations: { team: "support" },
        usages: [
          {
            usage: {
              provider: "openai",
              model: "quill-2",
              responseModel: "quill-2-0125",
              inputTokens: 1200,
              outputTokens: 80,
              cacheReadTokens: 400,
              finishReason: "stop"
            }
          },
          { usage: { operation: "execute_tool", model: "lookup", objects: 3 } },
          { usage: { kind: "storage", operation: "PUT", bucket: "replies", objects: 1, bytesWritten: 2048 } }
        ]
      }
    ])
    // It failed after it had emitted a success.
    expect(await recordsOf("ticket-ts-2")).toMatchObject([
      {
        status: "failure",
        errorClass: "NoAnswer",
        outcome: { status: "failure" },
        usages: [{ usage: { status: "failure", errorType: "APIError", attempt: 2 } }]
      }
    ])
    // The SDK for Python emits no status.
    expect(await recordsOf("invoice-py-1")).toMatchObject([
      {
        run: { attempt: 2, tenantId: "acme", parentRunId: "019c1d2e-0001-7000-8000-000000000001" },
        status: "success",
        outcome: { status: "success", valueType: "invoices_matched", valueAmount: 1, reason: "exact" },
        annotations: { costCenter: "cc-7" },
        usages: [
          { usage: { provider: "anthropic", cacheWriteTokens: 100, finishReason: "end_turn" } },
          { usage: { provider: "snowflake", collection: "invoices", bytesScanned: 1048576, rowsReturned: 12 } },
          { usage: { kind: "messaging", destination: "paid", messages: 2 } }
        ]
      }
    ])
    expect((await botanu(["import", ...files, "--ledger", ledger])).out).toContain("3 runs were in the ledger already")
  })
})

describe("an import", () => {
  /** The span of a call that costs this. */
  const rendering = (usd: number) =>
    span({
      name: "render",
      start: 1,
      end: 2,
      attributes: {
        ...ids,
        "botanu.usage.kind": "compute",
        "botanu.usage.provider": "fleet",
        "botanu.usage.operation": "render",
        "botanu.usage.cost_usd": usd
      }
    })

  it("takes the cost that a span of this library reports", async () => {
    const ledger = await ledgerOf([])
    const own = span({
      name: "botanu.run/X",
      start: 0,
      end: 3,
      attributes: { ...ids, "botanu.outcome.status": "success" }
    })
    await botanu(["import", fileOf([lineOf([rendering(0.000012), own])]), "--ledger", ledger])
    expect(JSON.parse((await botanu(["report", "--format", "json", "--ledger", ledger])).out)).toMatchObject([
      { usd: "0.000012", successes: 1, unpricedCalls: 0 }
    ])
  })

  /** Imports the span of a run with these attributes, and calls of these costs. */
  const imported = async (attributes: Readonly<Record<string, Value>>, costs: ReadonlyArray<number>) => {
    const ledger = await ledgerOf([])
    const own = span({ name: "botanu.run/X", start: 0, end: 3, attributes: { ...ids, ...attributes } })
    await botanu(["import", fileOf([lineOf([...costs.map(rendering), own])]), "--ledger", ledger])
    const [row] = JSON.parse((await botanu(["report", "--format", "json", "--ledger", ledger])).out)
    return [row.usd, row.unpricedCalls]
  }

  it("takes what a run cost beside the calls that have a span", async () => {
    const run = (usd: number, unpriced = 0) => ({ "botanu.run.cost_usd": usd, "botanu.run.unpriced_calls": unpriced })
    expect(await imported(run(0.0012), [0.0005])).toEqual(["0.0012", 0])
    expect(await imported(run(0.0007), [])).toEqual(["0.0007", 0])
    // Sums of binary numbers are no difference.
    expect(await imported(run(0.3), [0.1, 0.2])).toEqual(["0.3", 0])
    // A run that knows less than its calls do, as one that ended before them.
    expect(await imported(run(0.1), [0.2])).toEqual(["0.2", 0])
    expect(await imported(run(0.0012, 2), [0.0005])).toEqual(["0.0012", 2])
    expect(await imported(run(0, 1), [])).toEqual(["0", 1])
  })

  it("takes the part of a cost that is known for that part", async () => {
    const ledger = await ledgerOf([])
    const call = (reason: string) =>
      span({
        name: "chat",
        start: 1,
        end: 2,
        attributes: {
          ...ids,
          "botanu.usage.unpriced": reason,
          "botanu.usage.cost_usd": 0.002,
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "quill-2",
          "gen_ai.usage.input_tokens": 1000
        }
      })
    const prices = join(folder(), "prices.json")
    writeFileSync(
      prices,
      JSON.stringify({ "quill-2": { litellm_provider: "openai", mode: "chat", input_cost_per_token: 0.000003 } })
    )
    const own = span({ name: "botanu.run/X", start: 0, end: 3, attributes: ids })
    // A stream that was cut, and a model whose price was not known.
    const file = fileOf([lineOf([call("no_usage"), call("unknown_model"), own])])
    await botanu(["import", file, "--ledger", ledger, "--prices", prices])
    expect(JSON.parse((await botanu(["report", "--format", "json", "--ledger", ledger])).out)).toMatchObject([
      { usd: "0.005", unpricedCalls: 1 }
    ])
  })

  it("begins a ledger where there is none, and not for a file that cannot be read", async () => {
    const ledger = join(folder(), "new", "ledger")
    expect((await botanu(["import", "/no/such/file.jsonl", "--ledger", ledger])).code).toBe(3)
    expect(existsSync(ledger)).toBe(false)
    const own = span({ name: "botanu.run/X", start: 0, end: 3, attributes: ids })
    expect((await botanu(["import", fileOf([lineOf([own])]), "--ledger", ledger])).out).toContain("1 runs imported")
    expect((await botanu(["report", "--ledger", ledger])).code).toBe(0)
  })

  it("says what it leaves out", async () => {
    const ledger = await ledgerOf([])
    const { "botanu.customer_id": _, ...withoutCustomer } = ids
    const file = fileOf([
      "{",
      "7",
      lineOf([
        span({
          name: "chat",
          start: 0,
          end: 1,
          attributes: {
            ...ids,
            "botanu.run_id": "0190b0c4-0000-4222-8333-444455556666",
            "gen_ai.request.model": "quill-2"
          }
        })
      ]),
      lineOf([
        span({
          name: "botanu.run/X",
          start: 0,
          end: 1,
          attributes: { ...withoutCustomer, "botanu.workflow": "\u001b[2J" }
        })
      ]),
      JSON.stringify({ resourceMetrics: [] })
    ])
    const { err, out } = await botanu(["import", file, "--ledger", ledger])
    expect(out).toBe("0 runs imported, 0 calls")
    expect(err).toContain("2 lines are no JSON, and are left out")
    expect(err).toContain("1 spans are of runs whose own span is in none of the files")
    expect(err).toContain("1 runs are not valid, and are left out")
    expect(err).not.toMatch(actsOnTerminal)
  })

  it("reads files as the Collector leaves them: rotated, in gzip, cut, with logs, metrics and every kind of attribute", async () => {
    const ledger = await ledgerOf([])
    const [chat, select, own] = python as [ReturnType<typeof span>, ReturnType<typeof span>, ReturnType<typeof span>]
    const others = [
      { key: "process.command_args", value: { arrayValue: { values: [{ stringValue: "node" }] } } },
      { key: "context", value: { kvlistValue: { values: [{ key: "a", value: { intValue: "1" } }] } } },
      { key: "digest", value: { bytesValue: "AAEC" } },
      { key: "empty", value: {} },
      { key: "gen_ai.usage.output_tokens", value: { intValue: 11 } }
    ]
    const withOthers = { ...chat, attributes: [...chat.attributes, ...others], flags: 257, droppedAttributesCount: 0 }
    const logs = JSON.stringify({
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: "hello" } }] }] }]
    })
    const metrics = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", sum: {} }] }] }] })
    const gzip = (lines: ReadonlyArray<string>) => gzipSync(lines.map((line) => `${line}\n`).join(""))
    const rotated = join(folder(), "traces-2026-02-02.jsonl.gz")
    // Compressed twice and joined, as programs do that append to a compressed file.
    writeFileSync(rotated, Buffer.concat([gzip([logs, lineOf([withOthers])]), gzip([metrics])]))
    const current = fileOf([lineOf([own]), lineOf([select]), lineOf([select]).slice(0, 300)])
    const { code, err, out } = await botanu(["import", rotated, current, "--ledger", ledger])
    expect({ code, err, out }).toEqual({
      code: 0,
      err: "botanu: 1 lines are no JSON, and are left out",
      out: "1 runs imported, 2 calls, 2 without a price (--prices FILE)"
    })
    const rows = await botanu([
      "sql",
      "select output_tokens from usages where kind = 'llm'",
      "--format",
      "csv",
      "--ledger",
      ledger
    ])
    expect(rows.out).toBe("output_tokens\n11")
  })

  it("says what a file is that it cannot read: one that is cut in gzip, or compressed by the Collector", async () => {
    const ledger = await ledgerOf([])
    const whole = gzipSync(lineOf(python))
    const path = join(folder(), "traces.gz")
    writeFileSync(path, whole.subarray(0, whole.length - 20))
    const cut = await botanu(["import", path, "--ledger", ledger])
    expect([cut.code, cut.err.split("\n").length]).toEqual([3, 1])
    expect(cut.err).toContain("traces.gz cannot be read")
    for (const before of [[], [0, 0, 0, 9]]) {
      writeFileSync(path, Buffer.from([...before, 0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00]))
      const { code, err } = await botanu(["import", path, "--ledger", ledger])
      expect(code).toBe(3)
      expect(err).toContain("it is compressed with zstd: expected JSON lines, or those in gzip")
    }
  })

  it("says that a file is not there", async () => {
    const { code, err } = await botanu(["import", "/nowhere/at-all.jsonl", "--ledger", await ledgerOf([])])
    expect(code).toBe(3)
    expect(err).toContain("/nowhere/at-all.jsonl cannot be read")
  })
})

describe("a line of spans", () => {
  it("is read without a fault, whatever it holds", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.json(), FastCheck.string(), (json, text) => {
        expect(() => spansOf(json)).not.toThrow()
        expect(() => spansOf(text)).not.toThrow()
        expect(() => spansOf(`{"resourceSpans":[{"scopeSpans":[{"spans":[${json}]}]}]}`)).not.toThrow()
      })
    )
  })
})
