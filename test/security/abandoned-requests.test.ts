/**
 * Clients that ask for work and go away before it is done, many at once and at any moment: nothing of it is left behind.
 */
import { createServer, type ServerResponse } from "node:http"
import { connect, type Socket } from "node:net"
import { type HttpApp, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import {
  Context,
  Effect,
  type Fiber,
  Layer,
  Metric,
  type MetricPair,
  MetricState,
  Scheduler,
  Stream,
  Supervisor
} from "effect"
import { Botanu, type CompletedRun, RunExporter } from "../../src/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { request, serving } from "../platform/servers.js"
import { ids, runId } from "../runs.js"

const get = "GET / HTTP/1.1\r\nHost: edge\r\n\r\n"
const halfAHead = "GET / HTTP/1.1\r\nHost: edge\r\nbaggage: botanu.run"
const halfABody = "POST / HTTP/1.1\r\nHost: edge\r\nContent-Length: 1000\r\n\r\nhalf"
const lean = `botanu.run_id=${runId},botanu.workflow=W,botanu.event_id=e,botanu.customer_id=c`
const inARun = `GET / HTTP/1.1\r\nHost: edge\r\nbaggage: ${lean},botanu.deadline=8640000000000000\r\n\r\n`

/** A connection on which text was sent. What comes back is not looked at, and one that is reset is no error here. */
const sending = (origin: string, text: string) =>
  Effect.async<Socket>((resume) => {
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname, () => socket.write(text, () => resume(Effect.succeed(socket))))
    socket.on("data", () => {}).on("error", () => {})
  })

/** The ways in which a client goes away. */
const leaving: ReadonlyArray<(socket: Socket) => unknown> = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy()
]

const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const waitUntil = (condition: () => boolean) => Effect.repeat(turn, { until: condition })

/** Counts the fibers that are alive of those that are started in this scope. */
const counting = Effect.gen(function* () {
  const supervisor = yield* Supervisor.track
  yield* Layer.build(Supervisor.addSupervisor(supervisor))
  const fibers = () => Array.from<Fiber.RuntimeFiber<unknown, unknown>>(Effect.runSync(supervisor.value))
  return () => fibers().filter((fiber) => fiber.unsafePoll() === null).length
})

/** Sees the fibers that are alive, and the runs that have completed, in this scope. */
const watching = Effect.gen(function* () {
  const alive = yield* counting
  const completed: Array<CompletedRun> = []
  yield* Layer.build(RunExporter.layer({ export: (run) => Effect.sync(() => completed.push(run)) }))
  return { alive, completed }
})

type Options = RunHttpServer.Options & Partial<RunHttpServer.OptionsOrElse>

const asRun = (inbound: "trusted" | "untrusted"): RunHttpServer.OptionsOrElse => ({
  inbound,
  orElse: () => ({ workflow: "Request", ...ids })
})

const served = (app: HttpApp.Default, options: Options) =>
  HttpServer.serve(Effect.orDie(RunHttpServer.middleware(options)(app) as HttpApp.Default))

const text = (body: string) => HttpServerResponse.text(body)
const streamed = (stream: Stream.Stream<string>) => HttpServerResponse.stream(Stream.encodeText(stream))

/** Handlers that hang, once they have begun. */
const hanging: Readonly<Record<string, (begun: Effect.Effect<void>) => HttpApp.Default>> = {
  "a handler": (begun) => Effect.zipRight(begun, Effect.never),
  "a workflow": (begun) => Effect.zipRight(begun, Effect.never).pipe(Botanu.workflow("Inner", ids), Effect.orDie),
  "fibers of a handler": (begun) =>
    Effect.all([Effect.fork(Effect.never), Effect.never, begun, Effect.never], { concurrency: 4, discard: true }).pipe(
      Effect.as(text("done"))
    ),
  "a stream": (begun) =>
    Effect.succeed(
      streamed(
        Stream.concat(Stream.make("begin"), Stream.drain(Stream.fromEffect(begun).pipe(Stream.concat(Stream.never))))
      )
    )
}

const edges: Readonly<Record<string, readonly [options: Options, request: string, runs: number]>> = {
  "untrusted, orElse": [asRun("untrusted"), get, 1],
  "untrusted, orElse, in the middle of a body": [asRun("untrusted"), halfABody, 1],
  "trusted, orElse": [asRun("trusted"), get, 1],
  "trusted, in a run with a deadline": [{ inbound: "trusted" }, inARun, 0]
}

const clients = 200

describe.each(Object.entries(hanging))("200 clients that leave %s", (name, hangingApp) => {
  it.scopedLive.each(Object.entries(edges))("leave nothing else: %s", ([, [options, text, runsAtEdge]]) =>
    Effect.gen(function* () {
      const { alive, completed } = yield* watching
      let begun = 0
      const app = hangingApp(
        Effect.sync(() => {
          begun += 1
        })
      )
      const origin = yield* serving(served(app, options))
      const sockets = yield* Effect.replicateEffect(sending(origin, text), clients)
      yield* waitUntil(() => begun === clients)
      const runs = clients * (name === "a workflow" ? runsAtEdge + 1 : runsAtEdge)
      expect(yield* Botanu.activeRuns).toHaveLength(runs)
      expect(alive()).toBeGreaterThanOrEqual(clients)
      for (const [index, socket] of sockets.entries()) leaving[index % leaving.length]?.(socket)
      yield* waitUntil(() => completed.length >= runs && alive() === 0)
      expect(completed).toHaveLength(runs)
      for (const run of completed) {
        expect(run).toMatchObject({ status: "canceled", cancellationReason: "client_disconnected" })
      }
      expect(yield* Botanu.activeRuns).toEqual([])
    })
  )
})

describe("200 clients that leave", () => {
  it.scopedLive("before they have asked for anything cause no work", () =>
    Effect.gen(function* () {
      const { alive, completed } = yield* watching
      const origin = yield* serving(served(Effect.succeed(text("done")), asRun("trusted")))
      const sockets = yield* Effect.replicateEffect(sending(origin, halfAHead), clients)
      expect(yield* request(origin)).toMatchObject({ status: 200, text: "done" })
      for (const socket of sockets) socket.destroy()
      expect(yield* request(origin)).toMatchObject({ status: 200, text: "done" })
      yield* waitUntil(() => alive() === 0)
      expect(completed.map(({ status }) => status)).toEqual(["success", "success"])
    })
  )

  it.scopedLive("while it is asked whether to believe them interrupt the question", () =>
    Effect.gen(function* () {
      const { alive, completed } = yield* watching
      let asked = 0
      let interrupted = 0
      const inbound = () =>
        Effect.suspend(() => {
          asked += 1
          return Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted += 1)))
        })
      const origin = yield* serving(served(Effect.succeed(text("done")), { ...asRun("trusted"), inbound }))
      const sockets = yield* Effect.replicateEffect(sending(origin, inARun), clients)
      yield* waitUntil(() => asked === clients)
      for (const socket of sockets) socket.destroy()
      yield* waitUntil(() => alive() === 0)
      expect(interrupted).toBe(clients)
      expect(completed).toEqual([])
    })
  )
})

/** Stops a fiber before its n-th step, until it is let go on. */
class StoppingScheduler implements Scheduler.Scheduler {
  private step = 0
  private stop = -1
  private isStopping = false
  private rest: (() => void) | undefined

  get hasStopped(): boolean {
    return this.rest !== undefined
  }

  stopBefore(step: number): void {
    this.step = 0
    this.stop = step
  }

  shouldYield(): number | false {
    this.isStopping = this.step === this.stop
    this.step += 1
    return this.isStopping ? 0 : false
  }

  scheduleTask(task: () => void, priority: number): void {
    if (this.isStopping) this.rest = task
    else Scheduler.defaultScheduler.scheduleTask(task, priority)
    this.isStopping = false
  }

  goOn(): void {
    const rest = this.rest
    this.rest = undefined
    rest?.()
  }
}

/** Far more than there are until the head of a response is sent. */
const mostSteps = 400

describe("a client that leaves", () => {
  const apps: Readonly<Record<string, HttpApp.Default>> = {
    // Text would be written to a connection that is gone, for which the platform waits in vain.
    "no body": Effect.as(Effect.yieldNow(), HttpServerResponse.empty()),
    "a workflow": Effect.as(
      Effect.yieldNow().pipe(Botanu.workflow("Inner", ids), Effect.orDie),
      HttpServerResponse.empty()
    ),
    "a stream": Effect.succeed(streamed(Stream.concat(Stream.make("one", "two"), Stream.make("three"))))
  }

  it.scopedLive.each(Object.entries(apps))(
    "at whichever step of the server ends its run: %s",
    ([name, app]) =>
      Effect.gen(function* () {
        const alive = yield* counting
        const node = createServer()
        let step = 0
        const responses: Array<ServerResponse> = []
        node.on("request", (_, response) => responses.push(response))
        const isClosed = () => responses[step]?.closed === true
        const workflow = `Left at any step: ${name}`
        const options: Options = { inbound: "trusted", orElse: () => ({ workflow, ...ids }) }
        const scheduler = new StoppingScheduler()
        const around = yield* Layer.build(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" }))
        yield* Layer.build(served(app, options)).pipe(Effect.provide(around), Effect.withScheduler(scheduler))
        const { address } = Context.get(around, HttpServer.HttpServer)
        if (address._tag !== "TcpAddress") return yield* Effect.die("expected a TCP address")
        for (let isOver = false; !isOver && step < mostSteps; step += 1) {
          scheduler.stopBefore(step)
          const socket = yield* sending(`http://127.0.0.1:${address.port}`, get)
          yield* waitUntil(() => scheduler.hasStopped || (isClosed() && alive() === 0))
          isOver = !scheduler.hasStopped
          // Once the head is sent, the body is the platform's.
          if (responses[step]?.headersSent === false) {
            socket.destroy()
            yield* waitUntil(isClosed)
          }
          scheduler.goOn()
          yield* waitUntil(() => alive() === 0)
          socket.destroy()
          expect([step, ...(yield* Botanu.activeRuns)]).toEqual([step])
        }
        scheduler.stopBefore(Number.POSITIVE_INFINITY)
        expect(step).toBeGreaterThan(100)
        const status = (pair: MetricPair.MetricPair.Untyped) =>
          Array.from(pair.metricKey.tags).flatMap(({ key, value }) => (key === "status" ? [value] : []))
        const counts = (yield* Metric.snapshot).filter(
          ({ metricKey, metricState }) =>
            metricKey.name === "botanu_runs_total" &&
            Array.from(metricKey.tags).some(({ value }) => value === workflow) &&
            MetricState.isCounterState(metricState) &&
            metricState.count > 0
        )
        expect(counts.flatMap(status).toSorted()).toEqual(["canceled", "success"])
      }),
    30_000
  )
})
