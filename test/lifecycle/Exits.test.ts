/**
 * Every exit of a run in every place where a run may be: beside others, under an inherited deadline, and in regions that cannot be
 * interrupted. The program gives what it gives bare, at the same time, and each run is recorded once, with the status of its exit.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, Schedule, Stream } from "effect"
import { Botanu, type CompletedRun, RunExporter } from "../../src/index.js"
import { completedRuns } from "../observed.js"
import { ids } from "../runs.js"
import { spend } from "../usages.js"
import { settled, VirtualClock } from "../virtualTime.js"

class Broken extends Data.TaggedError("Broken")<{ readonly what: string }> {}

type Work = Effect.Effect<unknown, unknown>
type Wrap = (work: Work) => Work
type Status = CompletedRun["status"]

/** What happens to a run. `act` is done when the program has come to a stop. */
interface Scenario {
  readonly program: (wrap: Wrap) => Work
  readonly act?: (fiber: Fiber.RuntimeFiber<unknown, unknown>, clock: VirtualClock) => Effect.Effect<unknown>
}

/** A place for a run: what is done to the program, and to the run itself. */
interface Place {
  readonly around?: Wrap
  readonly at?: (wrap: Wrap) => Wrap
}

/** Long, and yet it ends: what cannot be interrupted ends too. */
const long = Effect.sleep("5 hours")
const sibling = Effect.sleep("6 hours")

const asRun: Wrap = Botanu.workflow("W", ids)
const inherited: Wrap = (work) => Botanu.workflow(work, "Outer", { ...ids, deadline: "9 hours" })
const restored =
  (wrap: Wrap): Wrap =>
  (work) =>
    Effect.uninterruptibleMask((restore) => wrap(restore(work)))

const places: Record<string, Place> = {
  alone: {},
  "in forEach": { around: (work) => Effect.forEach([work, sibling], (one) => one, { concurrency: 2 }) },
  "in all": { around: (work) => Effect.all([sibling, work], { concurrency: "unbounded" }) },
  "in a race": { around: (work) => Effect.race(work, sibling) },
  "in a race for the first exit": { around: (work) => Effect.raceFirst(work, sibling) },
  "beside a sibling that fails": {
    around: (work) =>
      Effect.all([work, Effect.zipRight(Effect.sleep("30 minutes"), new Broken({ what: "sibling" }))], {
        concurrency: 2
      })
  },
  "in a fiber that is joined": { around: (work) => Effect.flatMap(Effect.fork(work), Fiber.join) },
  "in a region that cannot be interrupted": { around: Effect.uninterruptible },
  "where it leaves such a region": { at: restored },
  "in forEach, where it leaves such a region": {
    around: (work) => Effect.forEach([work, sibling], (one) => one, { concurrency: 2 }),
    at: restored
  },
  "in a race, in a region that cannot be interrupted": {
    around: (work) => Effect.uninterruptible(Effect.raceFirst(work, sibling))
  }
}

const interrupt = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Fiber.interruptFork(fiber)
const cancelAll = Effect.flatMap(Botanu.activeRuns, (runs) =>
  Effect.forEach(
    runs.filter(({ workflow }) => workflow === "W"),
    ({ runId }) => Botanu.cancel(runId, "operator")
  )
)

const inBody = (body: Work): Scenario => ({ program: (wrap) => wrap(body) })

/** Exits that a program has without a workflow, too. */
const exits: Record<string, Scenario> = {
  success: inBody(Effect.succeed(1)),
  "a success that was waited for": inBody(Effect.as(Effect.sleep("1 minute"), 1)),
  "a typed failure": inBody(new Broken({ what: "it" })),
  "a failure that was waited for": inBody(Effect.zipRight(Effect.sleep("1 minute"), new Broken({ what: "it" }))),
  "an Error that was not tagged": inBody(Effect.fail(new TypeError("x"))),
  "a failure that is no object": inBody(Effect.fail("no")),
  "a defect": inBody(Effect.die(new RangeError("x"))),
  "an exception": inBody(Effect.sync(() => JSON.parse("{"))),
  "the user's own timeout": inBody(Effect.timeout(long, "1 second")),
  "the user's own timeout around the run": { program: (wrap) => Effect.timeout(wrap(long), "1 second") },
  "interruption from outside": { program: (wrap) => wrap(long), act: interrupt },
  "interruption from outside, with finalizers that last": {
    program: (wrap) => wrap(Effect.ensuring(long, Effect.sleep("1 minute"))),
    act: interrupt
  },
  "interruption from outside in a run that is inside of another": {
    program: (wrap) => wrap(wrap(Effect.ensuring(long, Effect.sleep("1 minute")))),
    act: interrupt
  },
  "self interruption": inBody(Effect.interrupt),
  "interruption of a child fiber that is joined": inBody(
    Effect.flatMap(Effect.fork(Effect.interruptible(long)), (child) =>
      Effect.zipRight(Fiber.interrupt(child), Fiber.join(child))
    )
  ),
  "parallel children of which one fails": inBody(
    Effect.all([long, Effect.zipRight(Effect.sleep("1 second"), new Broken({ what: "one" }))], { concurrency: 2 })
  ),
  "a body that is uninterruptible, interrupted": {
    program: (wrap) => wrap(Effect.uninterruptible(Effect.as(Effect.sleep("1 minute"), 1))),
    act: interrupt
  },
  "a body that is disconnected, interrupted": {
    program: (wrap) => wrap(Effect.disconnect(Effect.ensuring(long, Effect.sleep("1 minute")))),
    act: interrupt
  },
  "interruption during a finalizer": {
    program: (wrap) => wrap(Effect.ensuring(Effect.sleep("1 second"), Effect.sleep("1 minute"))),
    act: (fiber, clock) => Effect.zipRight(clock.pass("2 seconds"), interrupt(fiber))
  },
  "a defect in a finalizer of an interrupted run": {
    program: (wrap) => wrap(Effect.ensuring(long, Effect.die(new RangeError("x")))),
    act: interrupt
  },
  "a defect in a finalizer of a run that succeeded": inBody(Effect.ensuring(Effect.void, Effect.die("finalizer"))),
  "a run inside of a stream": {
    program: (wrap) =>
      Stream.runDrain(Stream.mapEffect(Stream.make(1, 2), () => wrap(Effect.sleep("1 second")), { concurrency: 2 }))
  },
  "a stream that ends before its run": {
    program: (wrap) =>
      Stream.runDrain(
        Stream.mergeWithTag(
          { run: wrap(long), end: Stream.fromEffect(Effect.sleep("1 second")) },
          { concurrency: 2 }
        ).pipe(Stream.take(1))
      )
  },
  "a stream consumed in the run": inBody(
    Stream.runDrain(Stream.concat(Stream.make(1, 2), Stream.fail(new Broken({ what: "3" }))))
  ),
  "the loser of a race": { program: (wrap) => Effect.raceFirst(wrap(long), Effect.sleep("1 second")) },
  "the winner of a race": { program: (wrap) => Effect.race(wrap(Effect.sleep("1 second")), wrap(long)) },
  "a failure that the caller handles": {
    program: (wrap) => Effect.catchAll(wrap(new Broken({ what: "it" })), () => wrap(Effect.succeed("handled")))
  },
  "attempts of the caller": { program: (wrap) => Effect.retry(wrap(new Broken({ what: "it" })), Schedule.recurs(2)) },
  "a fiber that the run forked and waits for": inBody(
    Effect.flatMap(Effect.fork(Effect.sleep("1 second")), Fiber.await)
  ),
  "a fiber that is interrupted before it begins": {
    program: (wrap) => Effect.asVoid(Effect.flatMap(Effect.fork(wrap(long)), Fiber.interrupt))
  }
}

interface Seen {
  readonly exit: string
  readonly endMillis: number
  /** The exits of the runs, in the order of their ends. */
  readonly ofRuns: ReadonlyArray<string>
}

const shown = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, {
    onSuccess: (value) => `success ${JSON.stringify(value)}`,
    onFailure: (cause) => {
      const errors = [...Cause.failures(cause), ...Cause.defects(cause)].map(String)
      return [...errors, ...(Cause.isInterrupted(cause) ? ["interrupted"] : [])].join(", ")
    }
  })

/** The status of a run whose work ended so, where nothing stopped the run itself. */
const statusOf = (exit: string): Status => {
  if (exit.startsWith("success")) return "success"
  return exit === "interrupted" ? "canceled" : "failure"
}

const observe = ({ act, program }: Scenario, { around = (work) => work, at = (wrap) => wrap }: Place, wrap: Wrap) =>
  Effect.gen(function* () {
    const ofRuns: Array<string> = []
    const clock = new VirtualClock()
    const noting: Wrap = (work) => Effect.onExit(wrap(work), (exit) => Effect.sync(() => void ofRuns.push(shown(exit))))
    const fiber = yield* Effect.fork(Effect.withClock(around(program(at(noting))), clock))
    let endMillis = -1
    // A fiber is over when those that it forked are.
    fiber.addObserver(() => {
      endMillis = clock.unsafeCurrentTimeMillis()
    })
    yield* settled
    if (act !== undefined) yield* act(fiber, clock)
    yield* clock.pass("24 hours")
    const seen: Seen = { exit: shown(yield* Fiber.await(fiber)), endMillis, ofRuns }
    return seen
  })

/** The statuses of the runs of a workflow, in the order of their ends; none is active any more, and none is recorded twice. */
const statusesOf = (workflow: string) =>
  Effect.gen(function* () {
    expect(yield* Botanu.activeRuns).toEqual([])
    const runs = yield* completedRuns
    expect(new Set(runs.map(({ run }) => run.runId)).size).toBe(runs.length)
    return runs.filter(({ run }) => run.workflow === workflow).map(({ status }) => status)
  })

const inPlace = (around: Wrap, place: Place): Place => ({
  ...place,
  around: (work) => around(place.around === undefined ? work : place.around(work))
})

for (const [where, place] of Object.entries(places)) {
  describe(`${where}, under an inherited deadline or not, the program is as bare and recorded once`, () => {
    for (const [how, scenario] of Object.entries(exits)) {
      it.live(how, () =>
        Effect.gen(function* () {
          const bare = yield* observe(scenario, place, (work) => work)
          const expected = bare.ofRuns.map(statusOf)
          expect(yield* observe(scenario, place, asRun)).toEqual(bare)
          expect(yield* statusesOf("W")).toEqual(expected)
          expect(yield* observe(scenario, inPlace(inherited, place), asRun)).toEqual(bare)
          expect(yield* statusesOf("W")).toEqual([...expected, ...expected])
          expect(yield* statusesOf("Outer")).toEqual([statusOf(bare.exit)])
        }).pipe(Effect.provide(RunExporter.layerMemory))
      )
    }
  })
}

const within = Botanu.workflow("W", { ...ids, deadline: "30 seconds" })
const inDeadline = (body: Work, act?: Scenario["act"]): readonly [Scenario, Status, Wrap] => [
  { program: (wrap) => wrap(body), ...(act && { act }) },
  "timeout",
  within
]

/** Exits that only a run has, and the status of each, wherever it is. */
const ofRunsAlone: Record<string, readonly [Scenario, Status, Wrap]> = {
  "its own deadline": inDeadline(long),
  "a deadline that passes at the same instant inside of it": inDeadline(
    Effect.zipRight(Effect.sleep("30 seconds"), long)
  ),
  "a deadline that passes during its finalizers": inDeadline(Effect.ensuring(long, Effect.sleep("1 minute"))),
  "a body that is uninterruptible, past its deadline": inDeadline(Effect.uninterruptible(Effect.sleep("1 minute"))),
  "a deadline in a fiber that it waits for": inDeadline(Effect.flatMap(Effect.fork(long), Fiber.join)),
  "a deadline beside others": inDeadline(Effect.all([long, long], { concurrency: 2 })),
  "Botanu.cancel": [{ program: (wrap) => wrap(long), act: () => cancelAll }, "canceled", asRun],
  "Botanu.cancel of two at once": [
    { program: (wrap) => Effect.all([wrap(long), wrap(long)], { concurrency: 2 }), act: () => cancelAll },
    "canceled",
    asRun
  ],
  "Botanu.cancel before the deadline, with finalizers that last beyond it": [
    { program: (wrap) => wrap(Effect.ensuring(long, Effect.sleep("1 minute"))), act: () => cancelAll },
    "canceled",
    within
  ],
  "Botanu.cancel between two attempts": [
    { program: (wrap) => wrap(new Broken({ what: "it" })), act: () => cancelAll },
    "canceled",
    Botanu.workflow("W", { ...ids, retry: Schedule.spaced("1 minute") })
  ],
  "its budget": [
    { program: (wrap) => wrap(long) },
    "failure",
    (work) =>
      Botanu.workflow(Effect.zipRight(spend(2), work), "W", {
        ...ids,
        budget: { usd: 1, children: false, retries: false }
      })
  ],
  "a stream at its end": [
    { program: (wrap) => wrap(Effect.sleep("1 second")) },
    "success",
    (work) => Stream.runDrain(Botanu.workflow(Stream.fromEffect(work), "W", ids))
  ],
  "a stream that fails": [
    { program: (wrap) => wrap(new Broken({ what: "it" })) },
    "failure",
    (work) => Stream.runDrain(Botanu.workflow(Stream.fromEffect(work), "W", ids))
  ],
  "a stream at its deadline": [
    { program: (wrap) => wrap(long) },
    "timeout",
    (work) => Stream.runDrain(Botanu.workflow(Stream.fromEffect(work), "W", { ...ids, deadline: "30 seconds" }))
  ],
  "a stream that is left": [
    { program: (wrap) => wrap(Effect.sleep("1 second")) },
    "canceled",
    (work) => Stream.runHead(Botanu.workflow(Stream.repeatEffect(work), "W", ids))
  ],
  "a stream that is cancelled": [
    { program: (wrap) => wrap(long), act: () => cancelAll },
    "canceled",
    (work) => Stream.runDrain(Botanu.workflow(Stream.fromEffect(work), "W", ids))
  ]
}

for (const [where, place] of Object.entries(places)) {
  describe(`${where}, under an inherited deadline or not, a run ends as it does alone`, () => {
    for (const [how, [scenario, status, wrap]] of Object.entries(ofRunsAlone)) {
      it.live(`${how}: ${status}`, () =>
        Effect.gen(function* () {
          const { ofRuns } = yield* observe(scenario, place, wrap)
          const alone = yield* statusesOf("W")
          expect(alone.at(-1)).toBe(status)
          expect(alone.length).toBeGreaterThanOrEqual(ofRuns.length)
          const under = yield* observe(scenario, inPlace(inherited, place), wrap)
          expect(under.ofRuns.length).toBe(ofRuns.length)
          expect(yield* statusesOf("W")).toEqual([...alone, ...alone])
        }).pipe(Effect.provide(RunExporter.layerMemory))
      )
    }
  })
}
