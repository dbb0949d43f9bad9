/**
 * The records that wait for one exporter, and their delivery: off the path of the runs, bounded in number and in time.
 */
import {
  type Cause,
  Clock,
  type Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberId,
  type FiberRefs,
  FiberSet,
  MutableQueue,
  Runtime,
  type Scope
} from "effect"
import * as BoundedWarning from "../fiber/BoundedWarning.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import type { Run } from "../run/Run.js"
import { quote } from "../schema/FieldText.js"
import type { ExporterBounds } from "./ExporterOptions.js"
import { type ExportLoss, registerExporter, updateLost } from "./MetricUpdate.js"

/** What an exporter receives of a run. */
export interface ExportRecord {
  readonly kind: "started" | "completed"
  readonly run: Run
  /** Calls the exporter. */
  readonly deliver: Effect.Effect<void, unknown>
}

/** A record, and the fiber references of the run's caller: the delivery has its loggers, tracer and clock. */
interface Waiting {
  readonly record: ExportRecord
  readonly refs: FiberRefs.FiberRefs
}

/** A delivery that has begun. */
interface Delivery {
  readonly waiting: Waiting
  readonly startMillis: number
  fiber: Fiber.RuntimeFiber<void, unknown> | undefined
  isExpired: boolean
}

type Background = (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>

/** What the exporter works in. */
export interface Surroundings {
  readonly context: Context.Context<never>
  /** What the exporter does not take over from the caller of a run. */
  readonly withoutRun: (refs: FiberRefs.FiberRefs, fiber: FiberId.Single) => FiberRefs.FiberRefs
}

/** A queue, as long as the scope lasts. Its release delivers what is in it, within a limit, and reports what is left. */
export const make = (
  bounds: ExporterBounds,
  surroundings: Surroundings
): Effect.Effect<ExporterQueue, never, Scope.Scope> =>
  Effect.gen(function* () {
    const background: Background = yield* FiberSet.makeRuntime()
    const clock = yield* Clock.clockWith(Effect.succeed)
    const queue = new ExporterQueue(bounds, surroundings, clock, background, yield* Effect.getFiberRefs)
    yield* Effect.addFinalizer(() => queue.release)
    return queue
  })

export class ExporterQueue {
  /** Whether the queue takes no more records. */
  isOver = false
  private readonly waiting: MutableQueue.MutableQueue<Waiting>
  /** In the order in which they began. */
  private readonly deliveries = new Set<Delivery>()
  /** Deliveries of starts, by run: the record of a completed run waits for that of its start. */
  private readonly starts = new Map<string, Fiber.RuntimeFiber<void, unknown>>()
  private readonly lost = new Map<ExportLoss, number>()
  private readonly subject: string
  private isDraining = false
  private isReleasing = false
  /** After a pause, one delivery has to end in time before there are more. */
  private isOnTrial = false
  private pause: Fiber.RuntimeFiber<void> | undefined = undefined
  private watchdog: Fiber.RuntimeFiber<void> | undefined = undefined
  private onIdle = () => {}

  constructor(
    private readonly bounds: ExporterBounds,
    private readonly surroundings: Surroundings,
    private readonly clock: Clock.Clock,
    private readonly background: Background,
    /** Those of the caller whose run came last: losses are reported to the loggers of the program. */
    private latestRefs: FiberRefs.FiberRefs
  ) {
    this.waiting = MutableQueue.bounded(bounds.capacity)
    this.subject = bounds.name === "exporter" ? "run exporter" : `run exporter ${quote(bounds.name)}`
    registerExporter(bounds.name)
  }

  /**
   * Takes a record. Where the exporter is free the delivery begins at once, on the caller's stack: a synchronous one is done when
   * this returns.
   */
  offer(record: ExportRecord, caller: AnyFiber): void {
    const waiting: Waiting = { record, refs: caller.getFiberRefs() }
    this.latestRefs = waiting.refs
    if (this.isFree && MutableQueue.isEmpty(this.waiting)) this.start(waiting)
    else if (!this.hasRoomFor(record) || !MutableQueue.offer(this.waiting, waiting)) {
      this.lose("queue_full", waiting, `its queue of ${this.bounds.capacity} is full, dropped is ${described(record)}`)
    }
  }

  /** Delivers what is waiting, within the limit, and reports what was not delivered. */
  get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isReleasing = true
      this.isOnTrial = false
      this.resume()
      return Effect.flatMap(this.isIdle ? Effect.void : this.untilIdle, () => this.end())
    })
  }

  private get untilIdle(): Effect.Effect<void> {
    const idle = Effect.async<void>((resume) => {
      this.onIdle = () => resume(Effect.void)
    })
    return Effect.timeoutTo(Effect.interruptible(idle), {
      duration: this.bounds.releaseMillis,
      onSuccess: () => {},
      onTimeout: () => {}
    })
  }

  private end(): Effect.Effect<void> {
    this.isOver = true
    const interrupted = Array.from(this.deliveries)
    const left = [...interrupted.map(({ waiting }) => waiting), ...MutableQueue.pollUpTo(this.waiting, Infinity)]
    for (const { fiber } of interrupted) fiber?.unsafeInterruptAsFork(FiberId.none)
    if (left.length > 0) this.count("released", left.length)
    const lines = [...this.leftReport(left.map(({ record }) => record)), ...this.totalReport()]
    if (lines.length > 0) this.log(this.latestRefs, Effect.logWarning(`${this.subject}: ${lines.join("; ")}`))
    return Effect.void
  }

  private leftReport(left: ReadonlyArray<ExportRecord>): ReadonlyArray<string> {
    if (left.length === 0) return []
    const first = left.slice(0, 3).map(described)
    const names = `${first.join(", ")}${left.length > first.length ? ", …" : ""}`
    return [
      `${counted(left.length)} not delivered within ${inWords(this.bounds.releaseMillis)} of its release: ${names}`
    ]
  }

  private totalReport(): ReadonlyArray<string> {
    const reasons = Array.from(this.lost, ([reason, count]) => `${reason} ${count}`)
    const total = Array.from(this.lost.values()).reduce((sum, count) => sum + count, 0)
    return total === 0 ? [] : [`${counted(total)} lost in all (${reasons.join(", ")})`]
  }

  private get isIdle(): boolean {
    return this.deliveries.size === 0 && MutableQueue.isEmpty(this.waiting)
  }

  private get isFree(): boolean {
    if (this.pause !== undefined || this.deliveries.size >= this.bounds.concurrency) return false
    return !this.isOnTrial || this.oldestInTime === undefined
  }

  private get canStart(): boolean {
    return this.isFree && !MutableQueue.isEmpty(this.waiting)
  }

  private get oldestInTime(): Delivery | undefined {
    for (const delivery of this.deliveries) if (!delivery.isExpired) return delivery
    return undefined
  }

  private hasRoomFor({ kind }: ExportRecord): boolean {
    return kind === "completed" || MutableQueue.length(this.waiting) < this.bounds.capacity / 2
  }

  private start(waiting: Waiting): void {
    const delivery: Delivery = { waiting, startMillis: this.nowMillis, fiber: undefined, isExpired: false }
    // First, so that a run that the exporter itself starts finds the slot taken.
    this.deliveries.add(delivery)
    const { deliver, kind, run } = waiting.record
    const earlier = kind === "completed" ? this.starts.get(run.runId) : undefined
    const fiber = this.fork(earlier ? Effect.zipRight(Fiber.await(earlier), deliver) : deliver, waiting.refs)
    delivery.fiber = fiber
    if (fiber.unsafePoll() === null) {
      if (kind === "started") this.starts.set(run.runId, fiber)
      this.watch()
    }
    fiber.addObserver((exit) => this.ended(delivery, exit))
  }

  private ended(delivery: Delivery, exit: Exit.Exit<void, unknown>): void {
    // At the release it was counted as lost.
    if (this.isOver) return
    this.deliveries.delete(delivery)
    const { record } = delivery.waiting
    if (this.starts.get(record.run.runId) === delivery.fiber) this.starts.delete(record.run.runId)
    if (Exit.isFailure(exit)) {
      const reason = delivery.isExpired ? "timeout" : "failed"
      this.lose(
        reason,
        delivery.waiting,
        `${delivery.isExpired ? "interrupted" : "failed"} on ${described(record)}`,
        exit.cause
      )
    }
    if (!delivery.isExpired) {
      this.isOnTrial = false
      this.resume()
    } else this.drain()
    if (this.deliveries.size === 0) this.watchdog = stopped(this.watchdog)
    if (this.isIdle) this.onIdle()
  }

  private resume(): void {
    this.pause = stopped(this.pause)
    this.drain()
  }

  /** Starts what waits, in a fiber, which yields to others where there is much of it. */
  private drain(): void {
    if (this.isDraining || !this.canStart) return
    this.isDraining = true
    this.background(
      Effect.whileLoop({
        while: () => {
          this.isDraining = this.canStart
          return this.isDraining
        },
        body: () =>
          Effect.sync(() => {
            const next = MutableQueue.poll(this.waiting, undefined)
            if (next !== undefined) this.start(next)
          }),
        step: () => {}
      })
    )
  }

  private watch(): void {
    this.watchdog ??= this.background(this.watching)
  }

  /** Ends when every delivery was in time or has expired. */
  private get watching(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const oldest = this.oldestInTime
      if (oldest === undefined) {
        this.watchdog = undefined
        return Effect.void
      }
      const millis = oldest.startMillis + this.bounds.timeoutMillis - this.nowMillis
      if (millis > 0)
        return Effect.zipRight(this.clock.sleep(Duration.millis(Math.min(millis, maxSleepMillis))), this.watching)
      this.expire(oldest)
      return this.watching
    })
  }

  private expire(delivery: Delivery): void {
    const { pauseMillis, timeoutMillis } = this.bounds
    delivery.isExpired = true
    const { record, refs } = delivery.waiting
    this.warn(refs, {
      kind: "hung",
      text: `has not finished ${described(record)} within ${inWords(timeoutMillis)}, is paused for ${inWords(pauseMillis)}`
    })
    delivery.fiber?.unsafeInterruptAsFork(FiberId.none)
    if (this.isReleasing) return
    this.isOnTrial = true
    this.pause ??= this.background(
      Effect.zipRight(
        this.clock.sleep(Duration.millis(pauseMillis)),
        Effect.sync(() => {
          this.pause = undefined
          this.drain()
        })
      )
    )
  }

  private lose(reason: ExportLoss, { refs }: Waiting, text: string, cause?: Cause.Cause<unknown>): void {
    this.count(reason, 1)
    this.warn(refs, { kind: reason, text, cause })
  }

  private count(reason: ExportLoss, count: number): void {
    this.lost.set(reason, (this.lost.get(reason) ?? 0) + count)
    updateLost(this.bounds.name, reason, count)
  }

  private warn(refs: FiberRefs.FiberRefs, report: BoundedWarning.Report): void {
    this.log(refs, BoundedWarning.warn(this.subject, [report]))
  }

  private log(refs: FiberRefs.FiberRefs, line: Effect.Effect<void>): void {
    this.fork(line, refs)
  }

  /** Starts at once, on the caller's stack. */
  private fork<E>(effect: Effect.Effect<void, E>, fiberRefs: FiberRefs.FiberRefs): Fiber.RuntimeFiber<void, E> {
    const { context, withoutRun } = this.surroundings
    const runtime = Runtime.make({ context, fiberRefs, runtimeFlags: Runtime.defaultRuntimeFlags })
    return Runtime.runFork(runtime, effect, { immediate: true, updateRefs: withoutRun })
  }

  /** Of a clock that does not step. */
  private get nowMillis(): number {
    return Number(this.clock.unsafeCurrentTimeNanos()) / 1e6
  }
}

// A longer timer fires at once, or never.
const maxSleepMillis = 2 ** 31 - 1

const stopped = (fiber: Fiber.RuntimeFiber<void> | undefined): undefined => {
  fiber?.unsafeInterruptAsFork(FiberId.none)
  return undefined
}

const described = ({ kind, run }: ExportRecord): string =>
  kind === "started" ? `the start of run ${run.runId}` : `run ${run.runId}`

const counted = (count: number): string => (count === 1 ? "1 record" : `${count} records`)

const inWords = (millis: number): string => Duration.format(Duration.millis(millis))
