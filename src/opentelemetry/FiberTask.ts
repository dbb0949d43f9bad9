/**
 * OpenTelemetry's active context in a task of Effect's scheduler, which does the steps of one fiber until that pauses. In a task it is
 * attached where it changes, and not set for each step: on Node 20 that takes several times as long as most steps.
 */
import { context, type Context as OtelContext } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import type { AnyFiber } from "../fiber/CurrentFiber.js"

/** A task of a fiber. What other fibers do within one of its steps is no part of it. */
export class FiberTask {
  /** What was active before the first context was attached. */
  private before: Attached | undefined = undefined

  constructor(
    readonly fiber: AnyFiber,
    /** What the task has made active for the steps of the fiber. */
    private entered: OtelContext
  ) {}

  /**
   * Makes a context active for the steps to come, where `active` is. Gives whether that could be done: not where a tracer of the program,
   * around that of the run, has made another context active for this step, or a step has attached one and left it.
   */
  enter(active: OtelContext, wanted: OtelContext): boolean {
    if (active !== this.entered) return false
    const attached = attachingManager()?.attach(wanted)
    if (attached === undefined) return false
    this.before ??= attached
    this.entered = wanted
    return true
  }

  leave(): void {
    this.before?.dispose()
  }
}

let current: FiberTask | undefined

/** The task whose steps a fiber does; none where it was begun by a call, outside of the scheduler. */
export const taskOf = (fiber: AnyFiber): FiberTask | undefined => (current?.fiber === fiber ? current : undefined)

/** Does a task of a fiber, which begins in a context. Afterwards the context is active that was before. */
export const doTask = (fiber: AnyFiber, wanted: OtelContext, task: () => void): void => {
  const outer = current
  const own = new FiberTask(fiber, wanted)
  const done = () => {
    current = own
    try {
      task()
    } finally {
      current = outer
      own.leave()
    }
  }
  inContext(wanted, done)
}

/** Calls a function in a context, which is not set anew where it is active. */
export const inContext = (wanted: OtelContext, call: () => void): void => {
  if (context.active() === wanted) call()
  else context.with(wanted, call)
}

/** A context that was attached, until it is disposed of. */
interface Attached {
  readonly dispose: () => void
}

interface AttachingManager {
  readonly attach: (context: OtelContext) => Attached
}

/**
 * The manager that is set, where it can attach contexts: OpenTelemetry's own, from version 2.11 on. One that does more to make a context
 * active is asked for each step. The API has no public question for the manager: this one is assumed.
 */
const attachingManager = (): AttachingManager | undefined => {
  const manager = (context as unknown as { _getContextManager?: () => object })._getContextManager?.()
  return manager instanceof AsyncLocalStorageContextManager &&
    manager.with === AsyncLocalStorageContextManager.prototype.with &&
    "attach" in manager
    ? manager
    : undefined
}
