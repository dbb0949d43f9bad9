/**
 * One call that is seen several times is recorded once: nested, retried, in a child run, or by an integration.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, FastCheck, Fiber, Layer, Schedule, Stream } from "effect"
import { Botanu, Data, Llm, PriceBook, RunContext, Usage } from "../../src/index.js"
import { scopeOf } from "../../src/lifecycle/RunScope.js"
import { enclosingModelCall, OpenCall } from "../../src/tracking/OpenCall.js"
import { recordFor } from "../../src/tracking/UsageRecorder.js"
import { completedRuns, observed } from "../observed.js"
import { ids } from "../runs.js"
import { allUsages, costOf, quill, usagesOf } from "../usages.js"

const run = Botanu.workflow("Customer Support", ids)

const outer = { provider: "gateway", model: "router" }
const told = Usage.report({ outputTokens: 5 })
const refused = Effect.fail({ status: 429 })

/** Who recorded what: the provider, the tokens that came out, and whether it was served. */
const recorded = Effect.map(allUsages, (usages) =>
  usages.map(({ outputTokens, provider, requests }) => [
    provider,
    outputTokens ?? (requests === 0 ? "refused" : "untold")
  ])
)

/** What an integration does that sees a call by itself. */
const seen = (outputTokens: number | undefined, further: Usage.Consumption = {}) =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime<void>((fiber) => {
      const context = fiber.currentContext
      const scope = scopeOf(context, run)
      const details: Usage.UsageDetails = { kind: "llm", provider: "seen", operation: "chat", outputTokens, ...further }
      const record = () => recordFor(fiber, { run, scope, step: undefined, span: undefined }, details)
      const tracked = enclosingModelCall(context)
      if (tracked === undefined) record()
      else tracked.absorb({ details, scope, record })
      return Effect.void
    })
  )

const scenario = (
  name: string,
  work: Effect.Effect<unknown, unknown, RunContext>,
  expected: ReadonlyArray<readonly [provider: string, what: unknown]>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      yield* Effect.exit(run(work))
      expect(yield* recorded).toEqual(expected)
    }).pipe(Effect.provide(observed))
  )

describe("a call tracked inside of another is one call", () => {
  const inner = Llm.track(quill)
  const around = Llm.track({ ...outer })

  scenario("that of the inner one, which was told what it consumed", around(inner(told)), [["openai", 5]])
  scenario("that of the inner one, where both were told", around(Effect.zipRight(told, inner(told))), [["openai", 5]])
  scenario("that of the inner one, where neither was told", around(inner(Effect.void)), [["openai", "untold"]])
  scenario("that of the outer one, where only that was told", around(Effect.zipRight(told, inner(Effect.void))), [
    ["gateway", 5]
  ])
  scenario("at any depth", around(around(around(inner(told)))), [["openai", 5]])
  scenario(
    "at any depth, told in the middle",
    around(Llm.track(Effect.zipRight(told, inner(inner(Effect.void))), quill)),
    [["openai", 5]]
  )
  scenario("in a forked fiber", around(Effect.flatMap(Effect.fork(inner(told)), Fiber.join)), [["openai", 5]])
  scenario("around a stream", around(Stream.runDrain(inner(Stream.fromEffect(told)))), [["openai", 5]])
  scenario("as streams both", Stream.runDrain(around(inner(Stream.fromEffect(told)))), [["openai", 5]])
  scenario("where it fails", around(inner(Effect.zipRight(told, Effect.fail("x")))), [["openai", 5]])
  scenario("where it is interrupted", around(inner(Effect.zipRight(told, Effect.interrupt))), [["openai", 5]])
  scenario("where it is refused", around(inner(refused)), [["openai", "refused"]])
  scenario(
    "across an operation of a database",
    around(Data.trackDatabase(inner(told), { system: "pg", operation: "CALL" })),
    [
      ["openai", 5],
      ["postgresql", "untold"]
    ]
  )
})

describe("calls that are several", () => {
  const inner = Llm.track(quill)

  scenario("one after another", Effect.all([inner(told), inner(told)]), [
    ["openai", 5],
    ["openai", 5]
  ])
  scenario(
    "in parallel",
    Effect.all([inner(told), inner(told), inner(told)], { concurrency: "unbounded" }),
    Array(3).fill(["openai", 5])
  )
  scenario(
    "in parallel, inside of one that was told nothing",
    Llm.track(Effect.all([inner(told), inner(told)], { concurrency: 2 }), outer),
    [
      ["openai", 5],
      ["openai", 5]
    ]
  )
  scenario(
    "a tool and the model that it calls",
    Llm.track(inner(told), { operation: "execute_tool", tool: "search", provider: "mine" }),
    [
      ["openai", 5],
      ["mine", "untold"]
    ]
  )
  scenario(
    "a model, the tool that it calls, and the model that this calls",
    Llm.track(
      Effect.zipRight(told, Llm.track(inner(told), { operation: "execute_tool", tool: "search", provider: "mine" })),
      outer
    ),
    [
      ["openai", 5],
      ["mine", "untold"],
      ["gateway", 5]
    ]
  )
})

describe("retries", () => {
  /** Refused twice, then told. */
  const flaky = <A, E, R>(first: Effect.Effect<A, E, R>) => {
    let tries = 0
    return Effect.suspend(() => (++tries < 3 ? first : Effect.as(Effect.void, undefined)))
  }
  const inner = Llm.track(quill)

  scenario(
    "inside of one call are that call",
    Effect.suspend(() => Llm.track(Effect.zipRight(Effect.retry(flaky(refused), { times: 5 }), told), quill)),
    [["openai", 5]]
  )

  scenario(
    "around a call are a call for each try",
    Effect.suspend(() => Effect.retry(inner(Effect.zipRight(flaky(refused), told)), { times: 5 })),
    [
      ["openai", "refused"],
      ["openai", "refused"],
      ["openai", 5]
    ]
  )

  scenario(
    "of a call, inside of another, are a call for each try, and not one more",
    Effect.suspend(() => Llm.track(Effect.retry(inner(Effect.zipRight(flaky(refused), told)), { times: 5 }), outer)),
    [
      ["openai", "refused"],
      ["openai", "refused"],
      ["openai", 5]
    ]
  )

  scenario(
    "that were refused do not hide what only the outer call was told",
    Effect.suspend(() => Llm.track(Effect.zipRight(Effect.retry(inner(flaky(refused)), { times: 5 }), told), outer)),
    [
      ["openai", "refused"],
      ["openai", "refused"],
      ["gateway", 5]
    ]
  )

  /** Fails twice after it was served and reported, then is served. */
  const unusable = (...details: ReadonlyArray<Usage.Consumption>) => {
    let tries = 0
    return Effect.suspend(() => {
      const index = tries++
      const reported = Usage.report(details[Math.min(index, details.length - 1)] as Usage.Consumption)
      return Effect.zipRight(reported, index < 2 ? Effect.fail("no JSON") : Effect.void)
    })
  }
  const tracked = <E, R>(work: Effect.Effect<void, E, R>) => Effect.suspend(() => Llm.track(work, quill))
  const thrice = Array(3).fill(["openai", 5])

  scenario(
    "inside of one call, each of which was served, are billed each",
    tracked(Effect.suspend(() => Effect.retry(unusable({ outputTokens: 5 }), { times: 5 }))),
    thrice
  )
  scenario(
    "by a schedule",
    tracked(Effect.suspend(() => Effect.retry(unusable({ outputTokens: 5 }), Schedule.recurs(5)))),
    thrice
  )
  scenario(
    "of which the last fails too",
    tracked(Effect.suspend(() => Effect.retry(unusable({ outputTokens: 5 }), { times: 1 }))),
    thrice.slice(1)
  )
  scenario(
    "written by hand, told apart by the provider's ids",
    tracked(
      Effect.suspend(() => {
        const work = unusable(...["a", "b", "c"].map((id) => ({ outputTokens: 5, providerRequestId: id })))
        return Effect.catchAll(work, () => Effect.catchAll(work, () => work))
      })
    ),
    thrice
  )
  scenario(
    "written by hand, told apart by their numbers",
    tracked(
      Effect.suspend(() => {
        const work = unusable(...[1, 2, 3].map((attempt) => ({ outputTokens: 5, attempt })))
        return Effect.catchAll(work, () => Effect.catchAll(work, () => work))
      })
    ),
    thrice
  )
  scenario(
    "each of which reports in several steps",
    tracked(
      Effect.suspend(() =>
        Effect.retry(
          Effect.zipRight(
            Effect.zipRight(Usage.report({ inputTokens: 1, outputTokens: 1 }), Usage.report({ outputTokens: 3 })),
            unusable({ outputTokens: 5 })
          ),
          { times: 5 }
        )
      )
    ),
    thrice
  )
  scenario(
    "that add up what they consume by themselves are not added again",
    tracked(
      Effect.suspend(() => {
        let tries = 0
        const add = Usage.report(({ outputTokens = 0 }) => ({ outputTokens: outputTokens + 5 }))
        return Effect.retry(
          Effect.zipRight(
            add,
            Effect.suspend(() => (++tries < 3 ? Effect.fail("no JSON") : Effect.void))
          ),
          { times: 5 }
        )
      })
    ),
    [["openai", 15]]
  )
  scenario(
    "after which only the rest of a report comes are one call",
    tracked(
      Effect.suspend(() => {
        let tries = 0
        const parse = Effect.suspend(() => (++tries < 3 ? Effect.fail("no JSON") : Usage.report({ outputTokens: 5 })))
        return Effect.zipRight(Usage.report({ inputTokens: 1 }), Effect.retry(parse, { times: 5 }))
      })
    ),
    [["openai", 5]]
  )
  scenario(
    "around the call do not make two of its reports",
    Effect.suspend(() =>
      Effect.retry(Llm.track(Effect.zipRight(told, unusable({ outputTokens: 5 })), quill), { times: 5 })
    ),
    thrice
  )

  it.effect("are numbered, and cost what all of them cost", () =>
    Effect.gen(function* () {
      const work = unusable({ inputTokens: 1000, outputTokens: 100 })
      yield* run(tracked(Effect.retry(work, { times: 5 })))
      expect((yield* allUsages).map(({ attempt, status }) => [attempt, status])).toEqual([
        [1, "success"],
        [2, "success"],
        [3, "success"]
      ])
      expect((yield* completedRuns).map(costOf)).toEqual(["0.0105"])
    }).pipe(
      Effect.provide([
        observed,
        Layer.orDie(
          PriceBook.layer([
            { ...quill, usd: { inputToken: PriceBook.perMillion("2.5"), outputToken: PriceBook.perMillion(10) } }
          ])
        )
      ])
    )
  )

  scenario("that are all refused are nothing more", Llm.track(Effect.retry(inner(refused), { times: 1 }), outer), [
    ["openai", "refused"],
    ["openai", "refused"]
  ])
})

describe("a call tracked around a child run", () => {
  const child = <A, E>(work: Effect.Effect<A, E, RunContext>) => Botanu.workflow(work, "Child", ids)
  const inner = Llm.track(quill)

  const cases: ReadonlyArray<
    readonly [
      name: string,
      work: Effect.Effect<unknown, unknown, RunContext>,
      inChild: ReadonlyArray<object>,
      inParent: ReadonlyArray<object>
    ]
  > = [
    [
      "stands on the child, where that was told",
      Llm.track(child(inner(told)), outer),
      [{ provider: "openai", outputTokens: 5 }],
      []
    ],
    [
      "stands on the parent, where only that was told",
      Llm.track(Effect.zipRight(told, child(inner(Effect.void))), outer),
      [],
      [{ provider: "gateway", outputTokens: 5 }]
    ],
    // By the time that the outer one ends without knowing more, the child is over.
    [
      "stands on the parent, where neither was told",
      Llm.track(child(inner(Effect.void)), outer),
      [],
      [{ provider: "gateway" }]
    ],
    [
      "stands on the parent, where the child calls no model",
      Llm.track(child(told as Effect.Effect<void>), outer),
      [],
      [{ provider: "gateway", outputTokens: 5 }]
    ]
  ]
  for (const [name, work, inChild, inParent] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        yield* run(work)
        expect(yield* usagesOf("Child")).toMatchObject([inChild])
        expect(yield* usagesOf("Customer Support")).toMatchObject([inParent])
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("a call that an integration sees inside of a tracked one", () => {
  const tracked = Llm.track(quill)

  scenario("is recorded as it was seen, where it was told", tracked(seen(7)), [["seen", 7]])
  scenario("is recorded as it was seen, where both were told", tracked(Effect.zipRight(told, seen(7))), [["seen", 7]])
  scenario("is recorded as tracked, where only that was told", tracked(Effect.zipRight(told, seen(undefined))), [
    ["openai", 5]
  ])
  scenario("is recorded as it was seen, where neither was told", tracked(seen(undefined)), [["seen", "untold"]])
  scenario("is recorded as many times as it was seen", tracked(Effect.all([seen(7), seen(undefined), seen(8)])), [
    ["seen", 7],
    ["seen", 8],
    ["seen", "untold"]
  ])
  scenario(
    "is recorded beside those that were refused",
    tracked(Effect.all([seen(undefined, { requests: 0 }), told])),
    [
      ["seen", "refused"],
      ["openai", 5]
    ]
  )
  scenario(
    "is one of its own inside of a tool",
    Llm.track(seen(7), { operation: "execute_tool", tool: "t", provider: "mine" }),
    [
      ["seen", 7],
      ["mine", "untold"]
    ]
  )
  scenario("is recorded by itself where nothing is tracked", seen(7), [["seen", 7]])

  it.effect("is recorded by itself by a fiber that outlives the tracked one", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      yield* run(
        Effect.gen(function* () {
          const fiber = yield* tracked(Effect.forkDaemon(Effect.zipRight(Deferred.await(go), seen(undefined))))
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(fiber)
        })
      )
      expect(yield* recorded).toEqual([
        ["openai", "untold"],
        ["seen", "untold"]
      ])
    }).pipe(Effect.provide(observed))
  )
})

describe("the call of a model around a context", () => {
  const around = (...calls: ReadonlyArray<readonly [kind: Usage.UsageKind, isModelCall: boolean]>) => {
    const innermost = calls.reduce<OpenCall | undefined>(
      (call, [kind, isModelCall]) => new OpenCall(kind, isModelCall, call),
      undefined
    )
    const context = innermost === undefined ? Context.empty() : Context.make(Usage.CurrentCall, innermost)
    return enclosingModelCall(context as Context.Context<never>)
  }

  it("is the nearest that may be the same call", () => {
    expect(around()).toBeUndefined()
    expect(around(["llm", true])?.isModelCall).toBe(true)
    expect(around(["database", false])).toBeUndefined()
    expect(around(["llm", true], ["database", false], ["storage", false])?.kind).toBe("llm")
    expect(around(["llm", true], ["llm", false])).toBeUndefined()
    expect(around(["llm", true], ["llm", false], ["database", false])).toBeUndefined()
  })
})

describe("whatever is nested in whatever", () => {
  /** Calls of models, some in others, each of which is told so many tokens of its own or nothing. */
  interface Tree {
    readonly tokens: number | undefined
    readonly inside: ReadonlyArray<Tree>
  }
  const tree: (depth: number) => FastCheck.Arbitrary<Tree> = FastCheck.memo((depth) =>
    FastCheck.record<Tree>({
      tokens: FastCheck.option(FastCheck.nat(1_000), { nil: undefined }),
      inside: depth <= 1 ? FastCheck.constant([]) : FastCheck.array(tree(depth - 1), { maxLength: 3 })
    })
  )

  const callOf = ({ inside, tokens }: Tree): Effect.Effect<void, never, RunContext> =>
    Llm.track(
      Effect.zipRight(
        Effect.forEach(inside, callOf, { concurrency: "unbounded", discard: true }),
        Usage.report({ outputTokens: tokens })
      ),
      quill
    )

  /** What is to be on record: the innermost that were told; where none was, the innermost. */
  const expected = (tree: Tree): ReadonlyArray<number | undefined> => {
    const inside = tree.inside.flatMap(expected)
    const isTold = inside.some((tokens) => tokens !== undefined)
    return inside.length === 0 || (!isTold && tree.tokens !== undefined) ? [tree.tokens] : inside
  }

  it.effect.prop("each call is on record once", [tree(4)], ([tree]) =>
    Effect.gen(function* () {
      yield* run(callOf(tree))
      const [completed] = yield* completedRuns
      const text = (tokens: number | undefined) => String(tokens)
      expect(completed?.usages.map(({ usage }) => text(usage.outputTokens)).sort()).toEqual(
        expected(tree).map(text).sort()
      )
    }).pipe(Effect.provide(observed))
  )
})
