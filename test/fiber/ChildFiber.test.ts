import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, HashMap, Option, Runtime, Supervisor } from "effect"
import * as ChildFiber from "../../src/fiber/ChildFiber.js"

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}

const inheritance: ChildFiber.Inheritance = {
  context: Context.make(Greeting, "hello") as Context.Context<never>,
  runtimeFlags: Runtime.defaultRuntimeFlags,
  spanAnnotations: HashMap.make(["span", 1]),
  logAnnotations: HashMap.make(["log", 2])
}

const started = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.withFiberRuntime<Fiber.RuntimeFiber<A, E>>((caller) =>
    Effect.succeed(ChildFiber.start(effect as Effect.Effect<A, E>, caller, inheritance))
  )

describe("ChildFiber.start", () => {
  it.effect("starts a fiber at once, with what it inherits", () =>
    Effect.gen(function* () {
      const seen = Effect.all([Greeting, Effect.spanAnnotations, Effect.logAnnotations])
      const child = yield* started(seen).pipe(Effect.annotateLogs("caller", true))
      const { logAnnotations, spanAnnotations } = inheritance
      expect(child.unsafePoll()).toEqual(Exit.succeed(["hello", spanAnnotations, logAnnotations]))
    })
  )

  it.effect("starts no root fiber, and no child of its caller", () =>
    Effect.gen(function* () {
      const child = yield* started(Effect.never)
      expect(yield* Fiber.roots).not.toContain(child)
      expect(yield* Effect.withFiberRuntime<ReadonlyArray<unknown>>((fiber) => Fiber.children(fiber))).toEqual([])
      yield* Fiber.interrupt(child)
    })
  )

  it.effect("shows the fiber to a supervisor", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      class Noting extends Supervisor.AbstractSupervisor<void> {
        override get value() {
          return Effect.void
        }
        override onStart(_context: unknown, _effect: unknown, parent: Option.Option<unknown>) {
          seen.push(`start ${Option.isNone(parent)}`)
        }
        override onEnd(exit: Exit.Exit<unknown, unknown>) {
          seen.push(`end ${exit._tag}`)
        }
      }
      const gate = yield* Deferred.make<void>()
      const child = yield* started(Deferred.await(gate)).pipe(Effect.supervised(new Noting()))
      expect(seen).toEqual(["start true"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(child)
      expect(seen).toEqual(["start true", "end Success"])
    })
  )
})
