/**
 * Answers are kept while the ledger is as it was, and not longer.
 */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Ref } from "effect"
import * as AnswerCache from "../../src/serve/AnswerCache.js"

/** A cache over a source that counts what it is asked. */
const counted = (answer: (statement: string) => Effect.Effect<ReadonlyArray<string>, string>) =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const revision = yield* Ref.make(1)
    const ask = yield* AnswerCache.make(
      (statement, parameters) =>
        Effect.suspend(() => {
          asked.push(`${statement} ${JSON.stringify(parameters)}`)
          return answer(statement)
        }),
      Ref.get(revision)
    )
    return { ask, asked, revision }
  })

it.scoped("asks a question once for each revision of the ledger", () =>
  Effect.gen(function* () {
    const { ask, asked, revision } = yield* counted((statement) => Effect.succeed([statement]))
    expect(yield* ask("a", { since: 1 })).toEqual(["a"])
    expect(yield* ask("a", { since: 1 })).toEqual(["a"])
    yield* ask("a", { since: 2 })
    yield* ask("b", { since: 1 })
    expect(asked).toEqual(['a {"since":1}', 'a {"since":2}', 'b {"since":1}'])
    yield* Ref.set(revision, 2)
    yield* ask("a", { since: 1 })
    expect(asked).toHaveLength(4)
  })
)

it.scoped("readers that ask at the same time share an answer, which does not end with the one that asked first", () =>
  Effect.gen(function* () {
    const go = yield* Deferred.make<void>()
    const { ask, asked } = yield* counted((statement) => Effect.as(Deferred.await(go), [statement]))
    const first = yield* Effect.fork(ask("a", {}))
    yield* Effect.yieldNow()
    const second = yield* Effect.fork(ask("a", {}))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(first)
    yield* Deferred.succeed(go, undefined)
    expect(yield* Fiber.join(second)).toEqual(["a"])
    expect(asked).toHaveLength(1)
  })
)

it.scoped("what failed is asked again", () =>
  Effect.gen(function* () {
    let isAway = true
    const { ask, asked } = yield* counted(() => (isAway ? Effect.fail("away") : Effect.succeed(["here"])))
    expect(yield* Effect.flip(ask("a", {}))).toBe("away")
    isAway = false
    expect(yield* ask("a", {})).toEqual(["here"])
    expect(asked).toHaveLength(2)
  })
)

it.scoped("keeps so many answers, and none that is long", () =>
  Effect.gen(function* () {
    const { ask, asked } = yield* counted((statement) =>
      Effect.succeed(Array.from({ length: statement === "long" ? AnswerCache.mostRows + 1 : 1 }, () => statement))
    )
    yield* ask("long", {})
    yield* ask("long", {})
    expect(asked).toHaveLength(2)
    yield* ask("first", {})
    for (let index = 0; index < AnswerCache.mostAnswers; index++) yield* ask(`other ${index}`, {})
    const before = asked.length
    yield* ask(`other ${AnswerCache.mostAnswers - 1}`, {})
    expect(asked).toHaveLength(before)
    yield* ask("first", {})
    expect(asked).toHaveLength(before + 1)
  })
)
