/**
 * The exporters that are active in a fiber, and how runs reach them.
 */
import { Effect, type Fiber, type FiberId, FiberRef, FiberRefs, GlobalValue, HashSet, type Scope } from "effect"
import type { Run } from "../run/Run.js"
import { quote } from "../schema/FieldText.js"
import type { CompletedRun } from "./CompletedRun.js"
import { currentRun, withoutRun } from "./CurrentRun.js"
import { boundsOf, type ExporterOptions } from "./ExporterOptions.js"
import * as ExporterQueue from "./ExporterQueue.js"
import { registerExporter } from "./MetricUpdate.js"
import { withoutOurs } from "./RunAnnotations.js"

/**
 * Receives runs. No run waits for it. Whatever it does with a record, fails, throws, dies or never ends, the program goes on; a
 * record that is lost is counted and reported in the log. Each record is delivered at most once: `Effect.retry` in the exporter
 * makes a second attempt.
 *
 * An exporter works in the context of its layer, outside of any run, with the loggers and the tracer of the program whose run it
 * receives. Runs that it starts itself are not exported to it.
 *
 * @example
 * ```ts
 * import { Console } from "effect"
 * import { RunExporter } from "botanu-effect"
 *
 * const toConsole: RunExporter.RunExporter = {
 *   export: ({ run, status }) => Console.log(`${run.workflow} ended as ${status}`),
 *   started: (run) => Console.log(`${run.workflow} has started`)
 * }
 *
 * console.log(Object.keys(toConsole)) // [ 'export', 'started' ]
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RunExporter {
  /** Receives each completed run, once. */
  readonly export: (run: CompletedRun) => Effect.Effect<void, unknown>
  /** Receives each run that starts, once, before it is completed. */
  readonly started?: ((run: Run) => Effect.Effect<void, unknown>) | undefined
  /**
   * Writes what was received, where the exporter keeps it for a while. A run of a durable workflow waits for it, for 5 seconds at
   * most, before its start and its end are stored: what is stored is not recorded again.
   */
  readonly flush?: Effect.Effect<void, unknown> | undefined
}

/** Notes runs on their path: at once, without waiting, and without a failure. It starts no runs. */
export interface RunRecorder {
  readonly started: (run: Run) => void
  readonly completed: (run: CompletedRun) => void
  readonly flush: Effect.Effect<void, unknown>
}

/** What receives runs, as long as its layer lasts. */
interface Activation {
  readonly isOver: boolean
  readonly started: (run: Run, fiber: Fiber.RuntimeFiber<unknown, unknown>) => void
  readonly completed: (run: CompletedRun, fiber: Fiber.RuntimeFiber<unknown, unknown>) => void
  readonly flush: Effect.Effect<void, unknown> | undefined
}

/** An exporter that may take its time, behind a queue. */
class Queued implements Activation {
  constructor(
    private readonly exporter: RunExporter,
    private readonly queue: ExporterQueue.ExporterQueue
  ) {}

  get isOver(): boolean {
    return this.queue.isOver
  }

  get flush(): Effect.Effect<void, unknown> | undefined {
    return this.exporter.flush === undefined ? undefined : called("flush", () => this.exporter.flush)
  }

  started(run: Run, fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    if (this.exporter.started === undefined) return
    this.queue.offer({ kind: "started", run, deliver: called("started", () => this.exporter.started?.(run)) }, fiber)
  }

  completed(completed: CompletedRun, fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    const deliver = called("export", () => this.exporter.export(completed))
    this.queue.offer({ kind: "completed", run: completed.run, deliver }, fiber)
  }
}

/** A recorder has a queue of its own. */
class Recording implements Activation {
  isOver = false
  readonly started: (run: Run) => void
  readonly completed: (run: CompletedRun) => void
  readonly flush: Effect.Effect<void, unknown>

  constructor({ completed, flush, started }: RunRecorder) {
    this.started = started
    this.completed = completed
    this.flush = flush
  }
}

const currentExporters = GlobalValue.globalValue("botanu/RunExporter", () =>
  FiberRef.unsafeMakeHashSet<Activation>(HashSet.empty())
)

/** Adds an exporter to those of the fiber, as long as the scope lasts. */
export const activate = (
  exporter: RunExporter,
  options?: ExporterOptions | undefined
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const bounds = yield* boundsOf(options)
    const outer = yield* Effect.context<never>()
    const context = currentRun(outer) === undefined ? outer : withoutRun(outer)
    const queue: ExporterQueue.ExporterQueue = yield* ExporterQueue.make(bounds, {
      context,
      withoutRun: (refs, fiber) => outsideOfRuns(refs, fiber, activation)
    })
    const activation: Activation = new Queued(exporter, queue)
    yield* added(activation)
  })

/** Adds a recorder to what receives the runs of the fiber, as long as the scope lasts. `name` is that of its metrics. */
export const record = (recorder: RunRecorder, name: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    registerExporter(name)
    const recording = yield* Effect.acquireRelease(
      Effect.sync(() => new Recording(recorder)),
      (recording) =>
        Effect.sync(() => {
          recording.isOver = true
        })
    )
    yield* added(recording)
  })

// Layers that are merged are released in fibers of their own, and what a fiber held stays with the one that was provided.
const added = (activation: Activation): Effect.Effect<void, never, Scope.Scope> =>
  Effect.locallyScopedWith(currentExporters, (others) => HashSet.add(HashSet.filter(others, isOn), activation))

const isOn = ({ isOver }: Activation): boolean => !isOver

/** An exporter is not active in its own work, and what it does is not done in the run that it receives. */
const outsideOfRuns = (
  refs: FiberRefs.FiberRefs,
  fiberId: FiberId.Single,
  activation: Activation
): FiberRefs.FiberRefs => {
  const exporters = HashSet.remove(FiberRefs.getOrDefault(refs, currentExporters), activation)
  let outside = FiberRefs.updateAs(refs, { fiberId, fiberRef: currentExporters, value: exporters })
  for (const fiberRef of [FiberRef.currentTracerSpanAnnotations, FiberRef.currentLogAnnotations]) {
    const annotations = FiberRefs.getOrDefault(refs, fiberRef)
    const value = withoutOurs(annotations)
    if (value !== annotations) outside = FiberRefs.updateAs(outside, { fiberId, fiberRef, value })
  }
  return outside
}

/** Hands a run that has started to the exporters of the fiber that take starts. */
export const exportStartFor = (run: Run, fiber: Fiber.RuntimeFiber<unknown, unknown>): void => {
  for (const activation of exportersOf(fiber)) if (isOn(activation)) activation.started(run, fiber)
}

/** Hands a completed run to all exporters of the fiber. */
export const exportFor = (completed: CompletedRun, fiber: Fiber.RuntimeFiber<unknown, unknown>): void => {
  for (const activation of exportersOf(fiber)) if (isOn(activation)) activation.completed(completed, fiber)
}

/** Waits until the exporters of the fiber have written what they received. One that fails or takes too long is logged. */
export const flushFor = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.forEach(
    exportersOf(fiber).filter(isOn),
    ({ flush }) =>
      flush === undefined
        ? Effect.void
        : flush.pipe(
            Effect.interruptible,
            Effect.timeout(maxFlush),
            Effect.catchAllCause((cause) => Effect.logWarning("a run exporter was not flushed", cause))
          ),
    { discard: true }
  )

const maxFlush = "5 seconds"

/** The exporters of a set, for which a set of Effect takes longer than a run does for them. */
const listed = new WeakMap<HashSet.HashSet<Activation>, ReadonlyArray<Activation>>()

/** The exporters of the fiber, those whose layer is released included. */
const exportersOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): ReadonlyArray<Activation> => {
  const activations = fiber.getFiberRef(currentExporters)
  const known = listed.get(activations)
  if (known !== undefined) return known
  const list = Array.from(activations)
  listed.set(activations, list)
  return list
}

const called = (
  hook: keyof RunExporter,
  call: () => Effect.Effect<void, unknown> | undefined
): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const effect: unknown = call()
    return Effect.isEffect(effect)
      ? (effect as Effect.Effect<void, unknown>)
      : Effect.die(new TypeError(`run exporter: ${hook}: expected an Effect, got ${quote(effect)}`))
  })
