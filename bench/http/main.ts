/**
 * Puts servers under load with and without the middleware, side by side in one run, and prints what the middleware leaves of the
 * requests per second, and what it adds to the response time of the slowest hundredth and to the CPU time of a request. A missed
 * aim is said, and fails nothing; a request that is not answered does. `npm run bench:http`, or a first impression with
 * `npm run bench:http -- --quick`; `npm run bench:http -- trusted` for the lines with `trusted` in their name.
 *
 * Each server is a process, and the load comes from another one. A server with the middleware and the one without take turns in
 * short slices, so that what slows the machine down slows both; a ratio is the median of those of all rounds.
 */
import { Effect, Random, type Scope } from "effect"
import { format, heading, type Line } from "../table.js"
import { type App, apps } from "./apps.js"
import { type Ask, start } from "./child.js"
import { type Edge, edges } from "./edges.js"
import type { Answers, Slice } from "./load.js"
import type { Status } from "./server.js"

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))

const plan = process.argv.includes("--quick")
  ? { warmUpRequests: 2000, rounds: 5, sliceMillis: 300 }
  : { warmUpRequests: 5000, rounds: 20, sliceMillis: 500 }

type Load = Ask<Slice, Answers>
type Server = Ask<object, Status>

/** What a slice of load found. */
interface Sample {
  readonly count: number
  readonly perSecond: number
  readonly p99Nanos: number
  readonly cpuNanos: number
}

type Sampling = (millis: number) => Effect.Effect<Sample>

interface Round {
  readonly ours: Sample
  readonly theirs: Sample
}

/** A server with the middleware beside one without, under the same load. */
class Comparison {
  readonly rounds: Array<Round> = []

  constructor(
    readonly name: string,
    private readonly ours: Sampling,
    private readonly theirs: Sampling,
    private readonly edge: Edge
  ) {}

  /**
   * By requests: a machine that is busy serves few in a given time. The server without the middleware is that of all comparisons,
   * so ours serves as many at once as that one does in all of them.
   */
  warmUp(comparisons: number): Effect.Effect<void> {
    const serve = (sampling: Sampling, requests: number) =>
      Effect.gen(function* () {
        for (let count = 0; count < requests; ) count += (yield* sampling(plan.sliceMillis)).count
      })
    return Effect.zipRight(serve(this.ours, plan.warmUpRequests * comparisons), serve(this.theirs, plan.warmUpRequests))
  }

  readonly round: Effect.Effect<void> = Effect.gen(this, function* () {
    // Who goes first changes, so that it is nobody's advantage.
    const oursFirst = this.rounds.length % 2 === 0
    const first = yield* (oursFirst ? this.ours : this.theirs)(plan.sliceMillis)
    const second = yield* (oursFirst ? this.theirs : this.ours)(plan.sliceMillis)
    this.rounds.push(oursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first })
  })

  lines(): ReadonlyArray<string> {
    return quantities.map(({ aim, name, of, unit }) =>
      format({
        name: `${this.name}: ${name}`,
        ours: median(this.rounds.map(({ ours }) => of(ours))),
        theirs: median(this.rounds.map(({ theirs }) => of(theirs))),
        ratio: median(this.rounds.map(({ ours, theirs }) => of(ours) / of(theirs))),
        unit,
        aim: this.edge.isReference ? undefined : name === cpu ? this.edge.cpuAim : aim
      })
    )
  }
}

const cpu = "CPU a request"

const quantities: ReadonlyArray<Pick<Line, "name" | "unit" | "aim"> & { readonly of: (sample: Sample) => number }> = [
  { name: "requests", of: ({ perSecond }) => perSecond, unit: "1/s", aim: 0.9 },
  { name: "p99", of: ({ p99Nanos }) => p99Nanos, unit: "ns", aim: 1.15 },
  { name: cpu, of: ({ cpuNanos }) => cpuNanos, unit: "ns" }
]

const median = (values: Array<number>): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const startServer = (appName: string, ...edgeName: ReadonlyArray<string>) =>
  start<object, Status>("server.js", [appName, ...edgeName])

const comparisonsOf = (
  appName: string,
  app: App,
  load: Load
): Effect.Effect<ReadonlyArray<Comparison>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const nameOf = (edge: Edge) => `${app.name}: ${edge.name}`
    const wanted = Object.entries(edges).filter(([, edge]) => named.every((text) => nameOf(edge).includes(text)))
    if (wanted.length === 0) return []
    const theirs = yield* startServer(appName)
    const comparisons: Array<Comparison> = []
    for (const [edgeName, edge] of wanted) {
      const ours = yield* startServer(appName, edgeName)
      const name = nameOf(edge)
      const under = (server: Server) => sampling(load, server, app, edge)
      comparisons.push(new Comparison(name, under(ours), under(theirs), edge))
    }
    return comparisons
  })

const sampling =
  (load: Load, server: Server, { requests }: App, edge: Edge): Sampling =>
  (millis) =>
    Effect.gen(function* () {
      const before = yield* server({})
      const answers = yield* load({
        url: before.origin + requests.path,
        requests: { ...requests, headers: { ...requests.headers, ...edge.headers } },
        millis
      })
      const after = yield* server({})
      if (answers.failed > 0) yield* Effect.dieMessage(`${answers.failed} of ${answers.count} requests failed`)
      return {
        count: answers.count,
        perSecond: answers.perSecond,
        p99Nanos: answers.p99Millis * 1e6,
        cpuNanos: ((after.cpuMicros - before.cpuMicros) * 1e3) / answers.count
      }
    })

const compare = (appName: string, app: App, load: Load): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const comparisons = yield* comparisonsOf(appName, app, load)
    for (const comparison of comparisons) yield* comparison.warmUp(comparisons.length)
    for (let round = 0; round < plan.rounds; round++) {
      for (const comparison of yield* Random.shuffle(comparisons)) yield* comparison.round
    }
    for (const comparison of comparisons) for (const line of comparison.lines()) console.log(line)
  })

const program = Effect.gen(function* () {
  const load: Load = yield* start<Slice, Answers>("load.js")
  console.log(heading())
  for (const [appName, app] of Object.entries(apps)) yield* Effect.scoped(compare(appName, app, load))
})

await Effect.runPromise(Effect.scoped(program))
