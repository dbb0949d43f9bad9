/**
 * What the example shows: an order whose shipping fails twice, and one whose worker is killed in the middle of it.
 */
import { type InvalidRunContext, type Run, RunExporter } from "botanu-effect"
import { Queue } from "bullmq"
import { Effect, Option, type Scope } from "effect"
import type { Attempt } from "./Attempt.js"
import { Inbox, type ProcessEnded, type Silence } from "./Heard.js"
import * as JobRun from "./JobRun.js"
import { type Order, queueName } from "./Order.js"
import * as Producer from "./Producer.js"
import * as RedisServer from "./RedisServer.js"
import * as WorkerProcess from "./WorkerProcess.js"

/** Who is told how it goes. */
export interface Audience {
  readonly say: (text: string) => Effect.Effect<void>
  /** An attempt is over. */
  readonly attempt: (attempt: Attempt) => Effect.Effect<void>
}

export type StoryError =
  | RedisServer.RedisNotFound
  | RedisServer.RedisFailed
  | ProcessEnded
  | Silence
  | InvalidRunContext

const busy: Order = { id: "order-1001", customer: "bigretail", simulate: { carrierBusy: 2 } }
const silent: Order = { id: "order-1002", customer: "bigretail", simulate: { carrierSilent: 1 } }

/** Plays it, and gives the attempts in the order in which they ended. What it starts is stopped with the scope. */
export const play = (audience: Audience): Effect.Effect<ReadonlyArray<Attempt>, StoryError, Scope.Scope> =>
  Effect.flatMap(Inbox.make, (inbox) =>
    Effect.raceFirst(scenes(audience, inbox), inbox.ended).pipe(Effect.provide(exporter(inbox)))
  )

const exporter = (inbox: Inbox) =>
  RunExporter.layer({
    export: (completed) => Effect.sync(() => inbox.unsafeHear("producer", { _tag: "Completed", completed }))
  })

const scenes = (audience: Audience, inbox: Inbox) =>
  Effect.gen(function* () {
    const port = yield* RedisServer.start((how) => inbox.unsafeHearOfEnd("redis-server", how))
    const queue = yield* openQueue(port)
    const workers = yield* Effect.forEach(["worker A", "worker B"], (name) => WorkerProcess.start(name, port, inbox))
    // Each says first that it is ready.
    yield* Effect.forEach(workers, () => inbox.next)
    const processes = workers.map(({ name, pid }) => `${name} is process ${pid}`)
    yield* audience.say(`redis-server on ${RedisServer.host}:${port}, ${processes.join(", ")}`)

    const stage = { audience, inbox, queue }
    yield* audience.say(`\n${busy.id}: the carrier is busy twice, and BullMQ tries again`)
    const first = yield* follow(busy, stage, () => Effect.succeedNone)
    yield* audience.say(`\n${silent.id}: a worker is killed in the middle, and BullMQ redelivers the stalled job`)
    const second = yield* follow(silent, stage, (jobId, process) => killFirstAttempt(jobId, process, workers, queue))
    yield* audience.say("")
    return [...first, ...second]
  })

interface Stage {
  readonly audience: Audience
  readonly queue: Queue<Order>
  readonly inbox: Inbox
}

const openQueue = (port: number): Effect.Effect<Queue<Order>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const queue = new Queue<Order>(queueName, { connection: { host: RedisServer.host, port } })
      // That the server has gone is heard of anyway.
      return queue.on("error", () => {})
    }),
    (queue) => Effect.promise(() => queue.close())
  )

/**
 * Places an order, and follows it until it has been shipped. `onWork` hears of each job that a process is in the middle of, and
 * says which run that process will not report, if it has put an end to it.
 */
const follow = (
  order: Order,
  { audience, inbox, queue }: Stage,
  onWork: (jobId: string, process: string) => Effect.Effect<Option.Option<Run>>
): Effect.Effect<ReadonlyArray<Attempt>, Silence | InvalidRunContext> =>
  Effect.gen(function* () {
    const attempts: Array<Attempt> = []
    const add = (attempt: Attempt) =>
      Effect.suspend(() => {
        attempts.push(attempt)
        return audience.attempt(attempt)
      })
    yield* Producer.place(order, queue)
    while (!attempts.some(hasShipped)) {
      const { message, process } = yield* inbox.next
      if (message._tag === "Completed") {
        yield* add({ process, run: message.completed.run, completed: message.completed })
      } else if (message._tag === "Working") {
        const unreported = yield* onWork(message.jobId, process)
        if (Option.isSome(unreported)) yield* add({ process, run: unreported.value })
      }
    }
    return attempts
  })

const hasShipped = ({ completed, run }: Attempt): boolean =>
  run.parentRunId !== undefined && completed?.status === "success"

/** Kills the process that works on the first attempt at a job. What is known of the attempt then is what it left in the job. */
const killFirstAttempt = (
  jobId: string,
  process: string,
  workers: ReadonlyArray<WorkerProcess.WorkerProcess>,
  queue: Queue<Order>
): Effect.Effect<Option.Option<Run>> =>
  Effect.gen(function* () {
    const job = yield* Effect.promise(() => queue.getJob(jobId))
    const run = job === undefined ? Option.none() : yield* JobRun.lastAttempt(job)
    const isFirst = Option.exists(run, ({ attempt }) => attempt === 1)
    if (!isFirst) return Option.none()
    for (const worker of workers) if (worker.name === process) yield* worker.kill
    return run
  })
