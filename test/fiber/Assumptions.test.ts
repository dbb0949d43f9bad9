/**
 * What this library assumes of Effect's runtime beyond its documented API. Each test is named for one assumption: where a patch of
 * Effect breaks it, the test fails by that name.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Either,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  HashMap,
  HashSet,
  Option,
  Runtime,
  RuntimeFlags,
  Tracer
} from "effect"
import { runtimeFlagsRef } from "../../src/fiber/ChildFiber.js"
import { setRefFor } from "../../src/fiber/CurrentFiber.js"
import { internals } from "../../src/fiber/FiberInternals.js"
import { currentForkScope } from "../../src/fiber/FiberRegion.js"

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}
class Volume extends Context.Reference<Volume>()("test/Volume", { defaultValue: () => 3 }) {}

const thisFiber = Effect.withFiberRuntime<Fiber.RuntimeFiber<unknown, unknown>>((fiber) => Effect.succeed(fiber))

const runtimeOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Runtime.make({
    context: fiber.currentContext as Context.Context<never>,
    runtimeFlags: Runtime.defaultRuntimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })

describe("Effect.makeSpan", () => {
  it.effect("is one step of its fiber, which gives the span", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const effect = Effect.makeSpan("made", { kind: "server" }) as unknown as {
        readonly _op: string
        readonly effect_instruction_i0: (of: typeof fiber) => Exit.Exit<Tracer.Span>
      }
      expect(effect._op).toBe("WithRuntime")
      const made = effect.effect_instruction_i0(fiber)
      expect(made).toMatchObject({
        _op: "Success",
        effect_instruction_i0: { _tag: "Span", name: "made", kind: "server" }
      })
    })
  )
})

describe("the references of a fiber", () => {
  it.effect("are in _fiberRefs, which getFiberRefs replaces by a copy with the runtime flags among them", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const before = internals(fiber)._fiberRefs
      const known = new Map(before.locals)
      const given = fiber.getFiberRefs()
      expect(internals(fiber)._fiberRefs).toBe(given)
      expect(before.locals).toEqual(known)
      const further = Array.from(given.locals.keys()).filter((ref) => given.locals.get(ref) !== known.get(ref))
      expect(further.filter((ref) => (ref as unknown) !== runtimeFlagsRef())).toEqual([])
    }).pipe(Effect.locally(FiberRef.currentContext, Context.empty() as never))
  )

  it.effect("can be replaced by a map of them", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const ref = FiberRef.unsafeMake("initial")
      const locals = new Map(internals(fiber)._fiberRefs.locals)
      locals.set(ref, [[fiber.id(), "set"]])
      internals(fiber).setFiberRefs(FiberRefs.unsafeMake(locals))
      expect(yield* FiberRef.get(ref)).toBe("set")
    })
  )
})

describe("the context of a fiber", () => {
  it.effect("is a Map by the keys of tags", () =>
    Effect.gen(function* () {
      const { currentContext } = yield* thisFiber
      expect(currentContext.unsafeMap).toBeInstanceOf(Map)
      expect(currentContext.unsafeMap.get(Greeting.key)).toBe("hello")
    }).pipe(Effect.provideService(Greeting, "hello"))
  )

  it.effect("can be made from such a Map", () =>
    Effect.gen(function* () {
      const made = Context.unsafeMake<Greeting>(new Map([[Greeting.key, "hello"]]))
      expect(yield* Effect.provide(Greeting, made)).toBe("hello")
    })
  )

  it.effect("has no entry for a Context.Reference that nobody set", () =>
    Effect.gen(function* () {
      expect((yield* thisFiber).currentContext.unsafeMap.has(Volume.key)).toBe(false)
      expect(yield* Volume).toBe(3)
      const set = new Map<string, unknown>([[Volume.key, 5]])
      expect(yield* Effect.provide(Volume, Context.unsafeMake<never>(set))).toBe(5)
    })
  )

  it.effect("is what the reference currentContext holds", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      expect(fiber.getFiberRef(FiberRef.currentContext)).toBe(fiber.currentContext)
    })
  )
})

describe("the references of a fiber", () => {
  it.effect("are a Map with the fiber's own value first, and those of its parents below", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("nobody's")
      yield* FiberRef.set(ref, "parent")
      const held = yield* Effect.zipRight(FiberRef.set(ref, "child"), thisFiber).pipe(
        Effect.map((fiber) => fiber.getFiberRefs().locals.get(ref)),
        Effect.fork,
        Effect.flatMap(Fiber.join)
      )
      expect(held?.map(([, value]) => value)).toEqual(["child", "parent"])
    })
  )

  it.effect("set together by updateFiberRefs hold at once, also for the context and what spans and logs carry", () =>
    Effect.gen(function* () {
      const annotations = HashMap.make(["key", "value"])
      yield* Effect.updateFiberRefs((id, refs) => {
        const locals = new Map(refs.locals)
        const context = Context.make(Greeting, "hello")
        locals.set(FiberRef.currentContext, [[id, context]])
        locals.set(FiberRef.currentTracerSpanAnnotations, [[id, annotations]])
        locals.set(FiberRef.currentLogAnnotations, [[id, annotations]])
        return FiberRefs.unsafeMake(locals)
      })
      const fiber = yield* thisFiber
      expect(fiber.currentContext.unsafeMap.get(Greeting.key)).toBe("hello")
      expect(yield* Effect.logAnnotations).toBe(annotations)
      const span = yield* Effect.makeSpan("inner")
      expect(span.attributes.get("key")).toBe("value")
    })
  )

  it.effect("are a new copy each time that getFiberRefs is called, which may be changed and set by setFiberRefs", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake("before")
      const fiber = yield* thisFiber
      const before = fiber.getFiberRefs()
      const copy = fiber.getFiberRefs()
      copy.locals.set(ref, [[fiber.id(), "after"]])
      copy.locals.set(FiberRef.currentContext, [[fiber.id(), Context.make(Greeting, "hello")]])
      expect(before.locals.has(ref)).toBe(false)
      internals(fiber).setFiberRefs(copy)
      expect(yield* FiberRef.get(ref)).toBe("after")
      expect(fiber.currentContext.unsafeMap.get(Greeting.key)).toBe("hello")
    })
  )

  it.effect("are copied by updateManyAs, so that the copy may be changed", () =>
    Effect.gen(function* () {
      const caller = yield* thisFiber
      const before = caller.getFiberRef(FiberRef.currentLogAnnotations)
      const own = HashMap.make(["key", "value"])
      const id = FiberId.unsafeMake()
      const refs = FiberRefs.updateManyAs(internals(caller)._fiberRefs, {
        forkAs: id,
        entries: [[FiberRef.currentContext, [[id, Context.empty()]]]]
      })
      refs.locals.set(FiberRef.currentLogAnnotations, [[id, own]])
      expect(FiberRefs.getOrDefault(refs, FiberRef.currentLogAnnotations)).toBe(own)
      expect(caller.getFiberRef(FiberRef.currentLogAnnotations)).toBe(before)
      expect(yield* Effect.logAnnotations).toBe(before)
    })
  )

  it.effect("show the runtime flags in one of them, which is the only number of a new fiber", () =>
    Effect.gen(function* () {
      const numbers = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
        Array.from(fiber.getFiberRefs().locals).filter(([, [[, value]]]) => typeof value === "number")
      expect(numbers(Effect.runFork(Effect.void)).map(([ref]) => ref)).toEqual([runtimeFlagsRef()])
      const seen = Effect.withFiberRuntime<unknown>((fiber) =>
        Effect.succeed(numbers(fiber).find(([ref]) => ref === runtimeFlagsRef())?.[1][0][1])
      )
      expect(yield* Effect.uninterruptible(seen)).not.toBe(yield* Effect.interruptible(seen))
    })
  )

  it.effect("can be set by a program that is no effect, through setFiberRef of the fiber", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake(0)
      const fiber = yield* thisFiber
      setRefFor(fiber, ref, 1)
      expect(yield* FiberRef.get(ref)).toBe(1)
    })
  )

  it.effect("that changed are inherited by inheritFiberRefs, but for those that were deleted from them", () =>
    Effect.gen(function* () {
      const kept = FiberRef.unsafeMake("kept before")
      const deleted = FiberRef.unsafeMake("deleted before")
      const change = Effect.zipRight(FiberRef.set(kept, "kept after"), FiberRef.set(deleted, "deleted after"))
      const child = Runtime.runFork(runtimeOf(yield* thisFiber), change)
      yield* Fiber.await(child)
      yield* Effect.inheritFiberRefs(FiberRefs.delete(child.getFiberRefs(), deleted))
      expect([yield* FiberRef.get(kept), yield* FiberRef.get(deleted)]).toEqual(["kept after", "deleted before"])
    })
  )
})

describe("a fiber that the constructor of another one makes", () => {
  it.effect("has the id, references and flags that it is given, and begins at once when it is started", () =>
    Effect.gen(function* () {
      const caller = yield* thisFiber
      const id = FiberId.unsafeMake()
      const refs = FiberRefs.updateManyAs(internals(caller)._fiberRefs, {
        forkAs: id,
        entries: [[FiberRef.currentContext, [[id, Context.make(Greeting, "hello")]]]]
      })
      const flags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.Interruption)
      const fiber = new (internals(caller).constructor)<readonly [string, boolean], never>(id, refs, flags)
      const isInterruptible = Effect.withFiberRuntime<boolean>((_, { runtimeFlags }) =>
        Effect.succeed(RuntimeFlags.interruptible(runtimeFlags))
      )
      fiber.start(Effect.all([Greeting, isInterruptible]) as Effect.Effect<[string, boolean]>)
      expect(fiber.unsafePoll()).toEqual(Exit.succeed(["hello", false]))
      expect(fiber.id()).toBe(id)
    })
  )
})

describe("a fiber that runFork starts", () => {
  it.effect("begins at once, on the stack of its caller, and is over where nothing is awaited", () =>
    Effect.gen(function* () {
      let isBegun = false
      const work = Effect.sync(() => {
        isBegun = true
      })
      const child = Runtime.runFork(runtimeOf(yield* thisFiber), work, { immediate: true })
      expect(isBegun).toBe(true)
      expect(child.unsafePoll()).toEqual(Exit.void)
    })
  )

  it.effect("is polled as null while it runs, and calls its observers when it ends", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<string>()
      const child = Runtime.runFork(runtimeOf(yield* thisFiber), Deferred.await(gate))
      const observed = yield* Deferred.make<Exit.Exit<string>>()
      child.addObserver((exit) => Deferred.unsafeDone(observed, Exit.succeed(exit)))
      expect(child.unsafePoll()).toBeNull()
      yield* Deferred.succeed(gate, "done")
      expect(yield* Deferred.await(observed)).toEqual(Exit.succeed("done"))
      expect(child.unsafePoll()).toEqual(Exit.succeed("done"))
    })
  )

  it.effect("is no child of its caller: the end of that leaves it running", () =>
    Effect.gen(function* () {
      const caller = yield* Effect.fork(
        Effect.map(thisFiber, (fiber) => Runtime.runFork(runtimeOf(fiber), Effect.never))
      )
      const child = yield* Fiber.join(caller)
      yield* Effect.yieldNow()
      expect(child.unsafePoll()).toBeNull()
      yield* Fiber.interrupt(child)
    })
  )

  it.effect("is interrupted in the name of the id that unsafeInterruptAsFork was given", () =>
    Effect.gen(function* () {
      const child = Runtime.runFork(runtimeOf(yield* thisFiber), Effect.never)
      const interruptor = FiberId.runtime(-1, 0)
      child.unsafeInterruptAsFork(interruptor)
      const exit = yield* Fiber.await(child)
      const interruptors = Exit.isFailure(exit) ? Array.from(Cause.interruptors(exit.cause)) : []
      expect(interruptors).toEqual([interruptor])
    })
  )
})

/** What a fiber can do and its type does not show. */
interface FiberInternals {
  scope(): { readonly fiberId: FiberId.FiberId }
  getChildren(): Set<unknown>
  tell(message: unknown): void
}

const internalsOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => fiber as unknown as FiberInternals

describe("the fibers that a fiber forks", () => {
  it.effect("are its children, in a Set that can be changed", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      const child = yield* Effect.fork(Effect.never)
      expect(internalsOf(fiber).getChildren().has(child)).toBe(true)
      internalsOf(fiber).getChildren().delete(child)
      expect(internalsOf(fiber).getChildren().has(child)).toBe(false)
      yield* Fiber.interrupt(child)
    })
  )

  it.effect("go to the scope of the fiber, unless currentForkScopeOverride, found by its key, names another", () =>
    Effect.gen(function* () {
      const fiber = yield* thisFiber
      expect(internalsOf(fiber).scope().fiberId).toEqual(fiber.id())
      expect(fiber.getFiberRef(currentForkScope)).toEqual(Option.none())
      const inGraft = yield* Effect.transplant((graft) => graft(FiberRef.get(currentForkScope)))
      expect(Option.map(inGraft, ({ fiberId }) => fiberId)).toEqual(Option.some(fiber.id()))
    })
  )
})

describe("messages to a fiber", () => {
  it.effect("are processed in order, and those that are sent together before anything else", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const fiber = yield* Effect.fork(
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => order.push("finalizer")))
      )
      yield* Effect.yieldNow()
      const by = FiberId.runtime(42, 0)
      internalsOf(fiber).tell({ _tag: "Stateful", onFiber: () => order.push("before") })
      internalsOf(fiber).tell({ _tag: "InterruptSignal", cause: Cause.interrupt(by) })
      internalsOf(fiber).tell({ _tag: "Stateful", onFiber: () => order.push("after") })
      const exit = yield* Fiber.await(fiber)
      expect(order).toEqual(["before", "after", "finalizer"])
      expect(Exit.isFailure(exit) && HashSet.has(Cause.interruptors(exit.cause), by)).toBe(true)
    })
  )
})

describe("an interruption", () => {
  it.effect.each(["interrupt", "interruptAsFork", "unsafeInterruptAsFork", "the end of its parent"] as const)(
    "comes through `tell` of the fiber, which can be set on it: %s",
    (way) =>
      Effect.gen(function* () {
        const [parentMayEnd, mayEnd, held] = yield* Effect.all([
          Deferred.make<void>(),
          Deferred.make<void>(),
          Deferred.make<string>()
        ])
        const parent = yield* Effect.fork(
          Effect.zipLeft(Effect.fork(Effect.as(Deferred.await(mayEnd), "done")), Deferred.await(parentMayEnd))
        )
        yield* Effect.yieldNow()
        const [fiber = yield* Effect.dieMessage("no child")] = internals(parent).getChildren()
        const { tell } = internals(fiber)
        internals(fiber).tell = (message) =>
          message._tag === "InterruptSignal"
            ? Deferred.unsafeDone(held, Effect.succeed(message._tag))
            : tell.call(fiber, message)
        const by = FiberId.runtime(-3, 0)
        if (way === "interrupt") yield* Effect.fork(Fiber.interrupt(fiber))
        else if (way === "interruptAsFork") yield* fiber.interruptAsFork(by)
        else if (way === "unsafeInterruptAsFork") fiber.unsafeInterruptAsFork(by)
        else yield* Deferred.succeed(parentMayEnd, undefined)
        expect(yield* Deferred.await(held)).toBe("InterruptSignal")
        yield* Deferred.succeed(mayEnd, undefined)
        expect(yield* Fiber.await(fiber)).toEqual(Exit.succeed("done"))
      })
  )

  it.effect("is in the reference interruptedCause of a fiber whose finalizers run", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<HashSet.HashSet<FiberId.FiberId>>()
      const finalizer = Effect.flatMap(thisFiber, (fiber) =>
        Deferred.succeed(seen, Cause.interruptors(fiber.getFiberRef(FiberRef.interruptedCause)))
      )
      const fiber = yield* Effect.fork(Effect.ensuring(Effect.never, finalizer))
      yield* Effect.yieldNow()
      const interruptor = FiberId.runtime(-2, 0)
      yield* Fiber.interruptAs(fiber, interruptor)
      expect(HashSet.has(yield* Deferred.await(seen), interruptor)).toBe(true)
    })
  )
})

describe("an exit", () => {
  it.effect("is the effect that ends with it", () =>
    Effect.gen(function* () {
      expect(yield* Exit.succeed(1)).toBe(1)
      expect(yield* Effect.either(Exit.fail("no"))).toEqual(Either.left("no"))
    })
  )
})

describe("a tracer", () => {
  it.effect("has its `context` called with the fiber for what a fiber does, step by step", () =>
    Effect.gen(function* () {
      const steps = new Set<unknown>()
      const native = yield* Effect.tracer
      const tracer = Tracer.make({
        span: (...args) => native.span(...args),
        context: (execution, fiber) => {
          steps.add(fiber)
          return execution()
        }
      })
      const child = yield* Effect.fork(Effect.withTracer(Effect.zipRight(Effect.yieldNow(), thisFiber), tracer))
      const fiber = yield* Fiber.join(child)
      expect(Array.from(steps)).toEqual([fiber])
    })
  )

  it.effect("has its spans annotated from the reference currentTracerSpanAnnotations", () =>
    Effect.gen(function* () {
      const span = yield* Effect.locally(
        Effect.makeSpan("work"),
        FiberRef.currentTracerSpanAnnotations,
        HashMap.make(["key", "value"])
      )
      expect(span.attributes.get("key")).toBe("value")
    })
  )

  it.effect("has its current span on the fiber", () =>
    Effect.gen(function* () {
      const [span, seen] = yield* Effect.withSpan(
        Effect.zip(
          Effect.currentSpan,
          Effect.map(thisFiber, ({ currentSpan }) => currentSpan)
        ),
        "work"
      )
      expect(seen).toBe(span)
      expect(Option.isNone(yield* Effect.option(Effect.currentSpan))).toBe(true)
      expect((yield* thisFiber).currentSpan).toBeUndefined()
    })
  )
})
