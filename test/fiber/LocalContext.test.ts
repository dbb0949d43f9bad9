import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, FiberRef, Request, RequestResolver } from "effect"
import { inContext } from "../../src/fiber/LocalContext.js"

class Colour extends Context.Tag("test/Colour")<Colour, string>() {}

const colour = Effect.map(Effect.context<never>(), (context) => context.unsafeMap.get(Colour.key) as string | undefined)

/** `work` in blue, and what was seen at its end. */
const inBlue = <A, E>(work: Effect.Effect<A, E>) => {
  const ends: Array<string> = []
  const effect = Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime<A, E>((fiber) => {
      const blue = Context.add(fiber.currentContext, Colour, "blue") as Context.Context<never>
      return inContext(fiber, blue, restore(work), (ending, exit) => {
        ends.push(`${exit._tag} ${ending.currentContext.unsafeMap.get(Colour.key)}`)
        return exit
      })
    })
  )
  return { ends, effect: Effect.provideService(Effect.zip(Effect.exit(effect), colour), Colour, "red") }
}

describe("work in another context", () => {
  it.effect("has it, and what comes after has the one of before", () => {
    const { effect, ends } = inBlue(colour)
    return Effect.map(effect, ([exit, after]) => {
      expect(exit).toEqual(Exit.succeed("blue"))
      expect([ends, after]).toEqual([["Success red"], "red"])
    })
  })

  it.effect("leaves it when it fails, dies, or interrupts itself", () =>
    Effect.gen(function* () {
      for (const work of [Effect.die("broken"), Effect.interrupt, Effect.fail("no")]) {
        const { effect, ends } = inBlue(work)
        const [exit, after] = yield* effect
        expect(Exit.isFailure(exit)).toBe(true)
        expect([ends, after]).toEqual([["Failure red"], "red"])
      }
    })
  )

  it.effect("leaves it when its fiber is interrupted", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const { effect, ends } = inBlue(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
      const fiber = yield* Effect.fork(effect)
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      expect(ends).toEqual(["Failure red"])
    })
  )

  it.effect("keeps what it sets in other references of its fiber", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake(0)
      const { effect } = inBlue(FiberRef.set(ref, 7))
      const [, after] = yield* effect
      expect([after, yield* FiberRef.get(ref)]).toEqual(["red", 7])
    })
  )

  it.effect("leaves it in the fiber to which batched requests take the rest of the work", () =>
    Effect.gen(function* () {
      class GetName extends Request.TaggedClass("GetName")<string, never, { readonly id: number }> {}
      const batches: Array<number> = []
      const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<GetName>) => {
        batches.push(requests.length)
        return Effect.forEach(requests, (request) => Request.succeed(request, `name ${request.id}`), { discard: true })
      })
      const calls = [1, 2].map((id) => inBlue(Effect.zip(Effect.request(new GetName({ id }), resolver), colour)))
      const results = yield* Effect.all(
        calls.map(({ effect }) => effect),
        { batching: true, concurrency: "unbounded" }
      )
      expect(batches).toEqual([2])
      expect(results).toEqual([1, 2].map((id) => [Exit.succeed([`name ${id}`, "blue"]), "red"]))
      expect(calls.flatMap(({ ends }) => ends)).toEqual(["Success red", "Success red"])
    })
  )
})
