/**
 * The exporters that are active in a fiber, and how a completed run reaches them.
 */
import { Effect, Fiber, FiberRef, GlobalValue, HashSet, Runtime, type Scope } from "effect"
import type { CompletedRun } from "./CompletedRun.js"

/**
 * Receives each completed run, once. The run waits for it for up to a second, then goes on without it; should it fail, that
 * is logged.
 */
export interface RunExporter {
  readonly export: (run: CompletedRun) => Effect.Effect<void, unknown>
}

/** An exporter, as long as its layer lasts. */
class Activation {
  isOver = false

  constructor(readonly exporter: RunExporter) {}
}

const currentExporters = GlobalValue.globalValue("botanu/RunExporter", () =>
  FiberRef.unsafeMakeHashSet<Activation>(HashSet.empty())
)

/** Adds an exporter to those of the fiber, as long as the scope lasts. */
export const activate = (exporter: RunExporter): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Activation(exporter)),
    // Layers that are merged are released in fibers of their own, and what a fiber held stays with the one that was provided.
    (activation) =>
      Effect.sync(() => {
        activation.isOver = true
      })
  ).pipe(
    Effect.flatMap((activation) =>
      Effect.locallyScopedWith(currentExporters, (others) => HashSet.add(HashSet.filter(others, isOn), activation))
    )
  )

const isOn = ({ isOver }: Activation): boolean => !isOver

const patience = "1 second"

/** Hands a run to all exporters of the fiber; `undefined` where there is none. */
export const exportFor = (
  run: CompletedRun,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<void> | undefined => {
  const exporters = activeExporters(fiber)
  if (exporters.length === 0) return undefined
  return Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.forEach(
      exporters.map((exporter) => Runtime.runFork(runtime)(isolated(exporter, run))),
      (delivery) => awaitPatiently(delivery, run),
      { discard: true }
    )
  )
}

const activeExporters = (fiber: Fiber.RuntimeFiber<unknown, unknown>): ReadonlyArray<RunExporter> => {
  const activations = fiber.getFiberRef(currentExporters)
  if (HashSet.size(activations) === 0) return []
  return Array.from(activations)
    .filter(isOn)
    .map(({ exporter }) => exporter)
}

const isolated = (exporter: RunExporter, run: CompletedRun): Effect.Effect<void> =>
  Effect.interruptible(Effect.suspend(() => exporter.export(run))).pipe(
    Effect.catchAllCause((cause) => Effect.logWarning(`run exporter failed on run ${run.run.runId}`, cause))
  )

const awaitPatiently = (delivery: Fiber.RuntimeFiber<void>, run: CompletedRun): Effect.Effect<void> =>
  delivery.unsafePoll() === null
    ? Effect.timeoutTo(Effect.interruptible(Fiber.await(delivery)), {
        duration: patience,
        onSuccess: () => Effect.void,
        onTimeout: () => Effect.logWarning(`run exporter is still busy with run ${run.run.runId} after ${patience}`)
      }).pipe(Effect.flatten)
    : Effect.void
