/**
 * A region of a fiber's work that can be interrupted by itself: afterwards the fiber goes on as if it had not been
 * interrupted. Fibers that are forked in the region belong to it.
 */
import { Cause, Effect, Fiber, type FiberId, FiberRef, GlobalValue, Hash, Option, type RuntimeFlags } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { type ForkScope, internals } from "./FiberInternals.js"

/** Where the fibers go that a fiber forks, other than to itself: Effect's own reference, by the key of its global value. */
export const currentForkScope: FiberRef.FiberRef<Option.Option<ForkScope>> = GlobalValue.globalValue(
  Symbol.for("effect/FiberRef/currentForkScopeOverride"),
  () =>
    FiberRef.unsafeMake<Option.Option<ForkScope>>(Option.none(), { fork: () => Option.none(), join: (outer) => outer })
)

export class FiberRegion implements ForkScope {
  /** What the reference holds in this region. */
  readonly asForkScope: Option.Option<ForkScope> = Option.some(this)
  readonly fiberId: FiberId.FiberId
  private fiber: AnyFiber | undefined
  private outer: ForkScope | undefined
  /** None before the first. */
  private children: Set<AnyFiber> | undefined = undefined
  /** Fibers that Effect starts outside of all others, and whose end the region waits for: see `endWithRegion`. */
  private items: Set<AnyFiber> | undefined = undefined
  private interruption: Cause.Cause<never> | undefined = undefined

  /** A region of what `fiber` does next. */
  constructor(fiber: AnyFiber) {
    this.fiber = fiber
    this.outer = Option.getOrElse(fiber.getFiberRef(currentForkScope), () => internals(fiber).scope())
    this.fiberId = this.outer.fiberId
  }

  /** Effect compares what references hold, by their hashes first: one that it makes itself stays in a table until a full collection. */
  [Hash.symbol](): number {
    return 0
  }

  /**
   * The region is over. It lets go of its fiber: fibers that were forked in it, and those that they fork, keep it among their
   * references.
   */
  release(): void {
    this.fiber = undefined
    this.outer = undefined
    this.children = undefined
    this.items = undefined
  }

  /**
   * A fiber that is forked in the region is one of the region, and is the fiber's child as it would be without. When it is over, some
   * fibers still have its references: finalizers of an outer scope, and items that a bounded `Effect.forEach` interrupts and, in
   * effect 3.22, does not wait for. What they fork is a child of the fiber that is at work.
   */
  add(runtimeFlags: RuntimeFlags.RuntimeFlags, child: AnyFiber): void {
    if (this.fiber === undefined) {
      const closing = Option.getOrNull(Fiber.getCurrentFiber())
      if (closing !== null) internals(closing).scope().add(runtimeFlags, child)
      return
    }
    this.outer?.add(runtimeFlags, child)
    this.children ??= new Set()
    this.children.add(child)
    child.addObserver(() => this.children?.delete(child))
  }

  /** Takes in a fiber that does a part of the work in the region and is nobody's child. */
  takeIn(item: AnyFiber): void {
    if (this.fiber === undefined || item === this.fiber || this.items?.has(item)) return
    if (this.outer instanceof FiberRegion) this.outer.takeIn(item)
    this.items ??= new Set()
    this.items.add(item)
    item.addObserver(() => this.items?.delete(item))
  }

  /** Interrupts the fiber in this region, and the fibers that were forked in the region. Only the first call counts. */
  interrupt(by: FiberId.FiberId): void {
    if (this.interruption !== undefined || this.fiber === undefined) return
    const fiber = internals(this.fiber)
    const cause = Cause.interrupt(by)
    this.interruption = cause
    let others: ReadonlyArray<AnyFiber> = []
    // The signal reaches all children of the fiber. Those that are not of the region are set aside meanwhile: the three
    // messages are processed in one go.
    const setAside = () => {
      const children = fiber.getChildren()
      const own = this.children ?? noChildren
      others = Array.from(children).filter((child) => !own.has(child))
      for (const child of others) children.delete(child)
      for (const child of own) if (!children.has(child)) child.unsafeInterruptAsFork(fiber.id())
    }
    const putBack = () => {
      for (const child of others) if (child.unsafePoll() === null) fiber.getChildren().add(child)
    }
    fiber.tell({ _tag: "Stateful", onFiber: setAside })
    fiber.tell({ _tag: "InterruptSignal", cause, isOfRegion: true })
    fiber.tell({ _tag: "Stateful", onFiber: putBack })
  }

  /** Interrupts the fibers that were forked in the region, and waits for them; nothing where there is none. */
  endChildren(): Effect.Effect<void> | undefined {
    const children = Array.from(this.children ?? noChildren).concat(Array.from(this.items ?? noChildren))
    if (children.length === 0) return undefined
    return Effect.withFiberRuntime((fiber) => {
      for (const child of children) child.unsafeInterruptAsFork(fiber.id())
      const ended = Effect.forEach(children, Fiber.await, { discard: true })
      return Effect.flatMap(ended, () => this.endChildren() ?? Effect.void)
    })
  }

  /** What is left of the interruption of the fiber when the region is over. */
  without(interrupted: Cause.Cause<never>): Cause.Cause<never> {
    return this.interruption === undefined ? interrupted : removed(interrupted, this.interruption)
  }
}

const noChildren: ReadonlySet<AnyFiber> = new Set()

/**
 * Has the region in which a fiber works wait for that fiber at its end. To be called where it begins something that has to be done
 * before that. Effect's concurrent `forEach` starts the fibers of its items in the global scope and waits for them itself; but one with a
 * bound, in effect 3.22, does not wait for what it interrupts where an item fails while others wait for their turn.
 */
export const endWithRegion = (fiber: AnyFiber): void => {
  const scope = fiber.getFiberRef(currentForkScope)
  if (scope._tag === "Some" && scope.value instanceof FiberRegion) scope.value.takeIn(fiber)
}

const removed = (cause: Cause.Cause<never>, part: Cause.Cause<never>): Cause.Cause<never> => {
  if (cause === part) return Cause.empty
  if (cause._tag !== "Sequential") return cause
  const left = removed(cause.left, part)
  const right = removed(cause.right, part)
  if (left._tag === "Empty") return right
  return right._tag === "Empty" ? left : Cause.sequential(left, right)
}
