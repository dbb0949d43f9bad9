/**
 * Puts servers under load with and without the middleware, side by side in one run, and prints what the middleware leaves of the
 * requests per second, and what it adds to the response time of the slowest hundredth and to the CPU time of a request. A missed
 * aim is said, and fails nothing; a request that is not answered does. `npm run bench:http`, or a first impression with
 * `npm run bench:http -- --quick`; `npm run bench:http -- trusted` for the lines with `trusted` in their name.
 *
 * A server with the middleware and one without take turns in short slices, so that what slows the machine down slows both; a ratio is
 * the median of those of all rounds. Each server is a process, and the load comes from another one. What V8 compiles differs from one
 * process to the next, so the rounds are of several pairs. Nothing else runs beside a pair: a process that is idle loses its pages and
 * its compiled code.
 */
import { Effect, type Scope } from "effect"
import { format, heading, type Line } from "../table.js"
import { type App, apps } from "./apps.js"
import { type Ask, start } from "./child.js"
import { type Edge, edges } from "./edges.js"
import type { Answers, Slice } from "./load.js"
import type { Status } from "./server.js"

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))

const plan = process.argv.includes("--quick")
  ? { pairs: 1, warmUpRequests: 2000, rounds: 5, sliceMillis: 300 }
  : { pairs: 5, warmUpRequests: 6000, rounds: 8, sliceMillis: 500 }

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

const cpu = "CPU a request"

const quantities: ReadonlyArray<Pick<Line, "name" | "unit" | "aim"> & { readonly of: (sample: Sample) => number }> = [
  { name: "requests", of: ({ perSecond }) => perSecond, unit: "1/s", aim: 0.9 },
  { name: "p99", of: ({ p99Nanos }) => p99Nanos, unit: "ns", aim: 1.15 },
  { name: cpu, of: ({ cpuNanos }) => cpuNanos, unit: "ns" }
]

const median = (values: Array<number>): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** A server with the middleware beside one without, under the same load, each in a process of its own. */
const roundsOf = (
  appName: string,
  edgeName: string,
  sampling: (server: Server) => Sampling
): Effect.Effect<ReadonlyArray<Round>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ours = sampling(yield* start<object, Status>("server.js", [appName, edgeName]))
    const theirs = sampling(yield* start<object, Status>("server.js", [appName]))
    yield* warmUp(ours)
    yield* warmUp(theirs)
    const rounds: Array<Round> = []
    for (let round = 0; round < plan.rounds; round++) {
      // Who goes first changes, so that it is nobody's advantage.
      const oursFirst = round % 2 === 0
      const first = yield* (oursFirst ? ours : theirs)(plan.sliceMillis)
      const second = yield* (oursFirst ? theirs : ours)(plan.sliceMillis)
      rounds.push(oursFirst ? { ours: first, theirs: second } : { ours: second, theirs: first })
    }
    return rounds
  })

/** By requests: a machine that is busy serves few in a given time. */
const warmUp = (sampling: Sampling): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let count = 0; count < plan.warmUpRequests; ) count += (yield* sampling(plan.sliceMillis)).count
  })

const sampling =
  (load: Load, { requests }: App, edge: Edge) =>
  (server: Server): Sampling =>
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

const linesOf = (named: string, edge: Edge, rounds: ReadonlyArray<Round>): ReadonlyArray<string> =>
  quantities.map(({ aim, name, of, unit }) =>
    format({
      name: `${named}: ${name}`,
      ours: median(rounds.map(({ ours }) => of(ours))),
      theirs: median(rounds.map(({ theirs }) => of(theirs))),
      ratio: median(rounds.map(({ ours, theirs }) => of(ours) / of(theirs))),
      unit,
      aim: edge.isReference ? undefined : name === cpu ? edge.cpuAim : aim
    })
  )

const program = Effect.gen(function* () {
  const load: Load = yield* start<Slice, Answers>("load.js")
  console.log(heading())
  for (const [appName, app] of Object.entries(apps)) {
    for (const [edgeName, edge] of Object.entries(edges)) {
      const name = `${app.name}: ${edge.name}`
      if (!named.every((text) => name.includes(text))) continue
      const pair = Effect.scoped(roundsOf(appName, edgeName, sampling(load, app, edge)))
      const rounds = yield* Effect.replicateEffect(pair, plan.pairs)
      for (const line of linesOf(name, edge, rounds.flat())) console.log(line)
    }
  }
})

await Effect.runPromise(Effect.scoped(program))
