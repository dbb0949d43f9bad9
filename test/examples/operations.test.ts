/**
 * The files of operations, with a real Prometheus that scrapes the running example.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { processProgram } from "../bundle.js"
import { freePort } from "../freePort.js"
import { read } from "../markdown.js"

const folder = fileURLToPath(new URL("../../examples/operations/", import.meta.url))
const text = (name: string) => readFileSync(join(folder, name), "utf8")

const Dashboard = Schema.parseJson(
  Schema.Struct({
    panels: Schema.Array(
      Schema.Struct({ title: Schema.String, targets: Schema.Array(Schema.Struct({ expr: Schema.String })) })
    )
  })
)

const panels = Schema.decodeUnknownSync(Dashboard)(text("grafana-dashboard.json")).panels.flatMap(
  ({ targets, title }) => targets.map(({ expr }) => ({ title, expr }))
)

/** A query of the dashboard, with what Grafana would put into it. */
const filledIn = (expr: string) =>
  expr.replaceAll("$workflow", ".+").replaceAll("$__rate_interval", "1m").replaceAll("$__range", "1m")

const documentedMetrics = Array.from(read("docs/operations.md").matchAll(/^\| `(botanu_\w+)`/gm), ([, name]) => name)

const Answer = Schema.Struct({ status: Schema.Literal("success"), data: Schema.Unknown })
const Vector = Schema.Struct({
  result: Schema.Array(Schema.Struct({ value: Schema.Tuple(Schema.Number, Schema.NumberFromString) }))
})
const Names = Schema.Array(Schema.String)
const Rules = Schema.Struct({
  groups: Schema.Array(
    Schema.Struct({
      rules: Schema.Array(
        Schema.Struct({ name: Schema.String, query: Schema.String, health: Schema.String, state: Schema.String })
      )
    })
  )
})

describe("with a Prometheus that scrapes the example", () => {
  const processes: Array<ChildProcess> = []
  const directory = mkdtempSync(join(tmpdir(), "botanu-prometheus-"))
  let prometheus = ""

  const start = (command: string, ...args: ReadonlyArray<string>) =>
    processes.push(spawn(command, args, { stdio: "ignore" }))

  const ask = async <A, I>(schema: Schema.Schema<A, I>, path: string, query: Record<string, string> = {}) => {
    const answer = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(query)}`)
    const body: unknown = await answer.json()
    return Schema.decodeUnknownSync(schema)(Schema.decodeUnknownSync(Answer)(body).data)
  }

  const valuesOf = async (query: string) => {
    const { result } = await ask(Vector, "query", { query })
    return result.map(({ value: [, value] }) => value)
  }

  const rules = async () => (await ask(Rules, "rules")).groups.flatMap(({ rules }) => rules)

  beforeAll(async () => {
    const metricsPort = await freePort()
    const port = await freePort()
    prometheus = `http://127.0.0.1:${port}`
    const config = join(directory, "prometheus.yml")
    const settings = text("prometheus.yml")
      .replace("127.0.0.1:9464", `127.0.0.1:${metricsPort}`)
      .replaceAll("15s", "1s")
      .replace("alerts.yml", join(folder, "alerts.yml"))
    writeFileSync(config, settings)
    start(process.execPath, await processProgram(new URL("main.ts", `file://${folder}`)), String(metricsPort))
    start(
      "prometheus",
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`
    )
    const passed = 'sum(increase(botanu_budget_exceeded_total{workflow="Order Summary"}[1m])) > 0'
    await vi.waitFor(async () => expect(await valuesOf(passed)).toHaveLength(1), { timeout: 60_000, interval: 500 })
  }, 90_000)

  afterAll(async () => {
    const ended = processes.map((child) => (child.exitCode === null ? once(child, "exit") : undefined))
    for (const child of processes) child.kill("SIGKILL")
    await Promise.all(ended)
    rmSync(directory, { recursive: true, force: true })
  })

  it("each metric that the page lists is there, and no other", async () => {
    const names = await ask(Names, "label/__name__/values")
    const metrics = names.flatMap((name) =>
      name.startsWith("botanu_") ? [name.replace(/_(bucket|sum|count)$/, "")] : []
    )
    expect(Array.from(new Set(metrics)).sort()).toEqual([...documentedMetrics].sort())
  })

  it.each(panels)("the panel $title shows a number", async ({ expr }) => {
    const values = await valuesOf(filledIn(expr))
    expect(values.length).toBeGreaterThan(0)
    expect(values.filter(Number.isFinite).length).toBeGreaterThan(0)
  })

  it("each alert is evaluated, on numbers", async () => {
    const names = Array.from(text("alerts.yml").matchAll(/alert: (\w+)/g), ([, name]) => name)
    await vi.waitFor(async () => {
      const evaluated = (await rules()).map(({ health, name }) => [name, health])
      expect(evaluated).toEqual(names.map((name) => [name, "ok"]))
    })
    for (const { name, query } of await rules()) {
      const values = await valuesOf(query.replace(/ > [\d.]+$/, ""))
      expect([name, values.filter(Number.isFinite).length > 0]).toEqual([name, true])
    }
  })

  it("a budget that is passed fires its alert", () =>
    vi.waitFor(
      async () => {
        const fired = (await rules()).find(({ name }) => name === "BotanuBudgetExceeded")
        expect(fired?.state).toBe("firing")
      },
      { timeout: 20_000, interval: 500 }
    ))

  it.each([
    ["check", "rules", "alerts.yml"],
    ["test", "rules", "alerts.test.yml"],
    ["check", "config", "prometheus.yml"]
  ])("promtool %s %s %s", (...args) => {
    const { status, stderr, stdout } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" })
    expect(status, `${stdout}${stderr}`).toBe(0)
  })
})

it("the page names each file of operations", () => {
  const page = read("docs/operations.md")
  for (const name of [
    "prometheus.yml",
    "alerts.yml",
    "alerts.test.yml",
    "grafana-dashboard.json",
    "collector.yml",
    "main.ts"
  ]) {
    expect(page).toContain(`../examples/operations/${name}`)
  }
})
