/**
 * Random programs, bare and with runs in them: what they give, what they do, in which order and at which time is the same, and each
 * run is recorded once, with the status of its exit. A failure names the seed and the program.
 *
 * `npm test` makes the same 1000 programs each time. `BOTANU_FUZZ_PROGRAMS` sets how many there are, and draws others each time;
 * `BOTANU_FUZZ_SEED=1234` makes those of a seed again, and `BOTANU_FUZZ_SEED=1234:56` the 56th of them alone.
 */
import { expect, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Effect,
  Equal,
  Exit,
  FastCheck,
  Fiber,
  type FiberId,
  FiberRef,
  FiberRefs,
  Option,
  Schedule,
  Stream
} from "effect"
import { type ForkScope, internals } from "../../src/fiber/FiberInternals.js"
import { currentForkScope } from "../../src/fiber/FiberRegion.js"
import { Botanu, type CompletedRun, RunContext, RunExporter } from "../../src/index.js"
import { completedRuns } from "../observed.js"
import { ids } from "../runs.js"
import { VirtualClock } from "../virtualTime.js"

type Program =
  | { readonly _tag: Leaf; readonly mark: number }
  | { readonly _tag: Unary; readonly body: Program; readonly mark: number }
  | { readonly _tag: Binary; readonly left: Program; readonly right: Program; readonly mark: number }

type Leaf = (typeof leaves)[number]
type Unary = (typeof unary)[number]
type Binary = (typeof binary)[number]

const leaves = ["succeed", "fail", "die", "interrupt", "yield", "long", "sleep"] as const
/** What is a run where the program has runs. */
const asRuns = [
  "run",
  "underDeadline",
  "restoredRun",
  "boundedRun",
  "retriedRun",
  "runOfStream",
  "abandonedRun"
] as const
const unary = [
  "run",
  ...asRuns,
  "joinedAlive",
  "exit",
  "finalizer",
  "uninterruptible",
  "interruptible",
  "timeout",
  "retry",
  "joined",
  "daemon",
  "disconnect",
  "interrupted",
  "stream",
  "partOfStream",
  "mergedStream"
] as const
const binary = ["sequence", "all", "race", "raceFirst", "catch", "forEach", "acquire"] as const

const mark = FastCheck.nat(1_000_000)

const { program: programs } = FastCheck.letrec<{ program: Program }>((tie) => ({
  program: FastCheck.oneof(
    { maxDepth: 6, depthSize: "medium", withCrossShrink: true },
    FastCheck.record({ _tag: FastCheck.constantFrom(...leaves), mark }) as FastCheck.Arbitrary<Program>,
    FastCheck.record({ _tag: FastCheck.constantFrom(...unary), body: tie("program"), mark }),
    FastCheck.record({ _tag: FastCheck.constantFrom(...binary), left: tie("program"), right: tie("program"), mark })
  )
}))

type Work = Effect.Effect<unknown, unknown>

/** What a program did, and the runs that it had. */
class World {
  readonly trace: Array<string> = []
  readonly ref = FiberRef.unsafeMake(1, { join: (_, child) => child })
  /** The exits of what is a run where the program has runs, in the order of their ends. */
  readonly exits: Array<Ended> = []
  /** Events of outermost runs after which their fiber was still interrupted by what had stopped them. */
  readonly leftInterrupted: Array<string> = []
  private runs = 0

  constructor(
    readonly hasRuns: boolean,
    /** Whether runs have deadlines that come, and attempts of their own, which no bare program has. */
    readonly isStopped = false,
    /** The fibers that cancel runs. */
    readonly cancellers: ReadonlyArray<FiberId.FiberId> = []
  ) {}

  /** Notes what is done, and in which run: bare, in which it would be. */
  did(what: string, { mark }: Program, within: string): Effect.Effect<void> {
    const run = Effect.map(Effect.serviceOption(RunContext), (run) =>
      Option.match(run, { onNone: () => "none", onSome: ({ eventId }) => eventId })
    )
    return Effect.map(this.hasRuns ? run : Effect.succeed(within), (run) => {
      this.trace.push(`${what} ${mark} in ${run}`)
    })
  }

  /** What is a run where the program has runs. Bare, the fibers that are forked in it end with it, too. */
  run(work: (within: string) => Work, further: Partial<Botanu.WorkflowOptions> = {}): Work {
    return this.ended((ids) => {
      const body = work(ids.eventId)
      return this.hasRuns ? Botanu.workflow(body, "W", { ...ids, ...further }) : endingItsChildren(body)
    })
  }

  runOfStream(
    stream: (within: string) => Stream.Stream<unknown, unknown>,
    further: Partial<Botanu.StreamOptions> = {},
    /** Whether the consumer stops after the first element. */
    isAbandoned = false
  ): Work {
    return this.ended(
      (ids) => {
        const body = stream(ids.eventId)
        const run = this.hasRuns ? Botanu.workflow(body, "W", { ...ids, ...further }) : body
        return Stream.runDrain(isAbandoned ? Stream.take(run, 1) : run)
      },
      true,
      isAbandoned
    )
  }

  private ended(work: (options: typeof ids) => Work, isStream = false, isAbandoned = false): Work {
    return Effect.suspend(() => {
      this.runs += 1
      const eventId = `event ${this.runs}`
      return Effect.onExit(work({ ...ids, eventId }), (exit) =>
        Effect.withFiberRuntime((fiber) => {
          this.exits.push({ eventId, exit: shown(exit), isStream, isAbandoned })
          const isOutermost = Option.isNone(Context.getOption(fiber.currentContext, RunContext))
          // A deadline interrupts in the name of the fiber itself.
          const stoppers = [fiber.id(), ...this.cancellers]
          const interruptors = Array.from(Cause.interruptors(fiber.getFiberRef(FiberRef.interruptedCause)))
          if (isOutermost && stoppers.some((by) => interruptors.some((id) => Equal.equals(id, by)))) {
            this.leftInterrupted.push(eventId)
          }
          return Effect.void
        })
      )
    })
  }
}

interface Ended {
  readonly eventId: string
  readonly exit: string
  readonly isStream: boolean
  /** Whether its consumer stops where nothing stops it before. */
  readonly isAbandoned: boolean
}

/** `work`, and the end of the fibers that were forked in it. */
const endingItsChildren = (work: Work): Work =>
  Effect.withFiberRuntime((fiber) => {
    const children = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
    const outer = Option.getOrElse(fiber.getFiberRef(currentForkScope), () => internals(fiber).scope())
    let isOver = false
    const scope: ForkScope = {
      fiberId: outer.fiberId,
      add: (flags, child) => {
        // What a fiber forks that outlives the run is its own child: see `endsBeforeItsItems`.
        const forking = isOver ? Option.getOrUndefined(Fiber.getCurrentFiber()) : undefined
        if (forking !== undefined) return internals(forking).scope().add(flags, child)
        outer.add(flags, child)
        children.add(child)
        child.addObserver(() => children.delete(child))
      }
    }
    const end: Effect.Effect<void> = Effect.suspend(() => {
      isOver = children.size === 0
      return isOver ? Effect.void : Effect.zipRight(Fiber.interruptAll(children), end)
    })
    return Effect.onExit(Effect.locally(work, currentForkScope, Option.some(scope)), () => end)
  })

/** An instant of its own for each mark, so that no two timers are due at once: their order is no part of a program. */
const instantOf = (seconds: number, { mark }: Program): number => seconds * 1000 + (mark % 9973) / 10

const deadlineOf = (program: Program) => ({ deadline: instantOf(program.mark % 60, program) + 0.03 })

const streamOf = (work: Work, { mark }: Program): Stream.Stream<unknown, unknown> =>
  Stream.concat(Stream.fromEffect(work), Stream.range(1, mark % 5)).pipe(Stream.rechunk(1))

/** A program, which begins in a run of this event. */
const interpret = (program: Program, world: World, within = "none"): Work => {
  const did = (what: string) => world.did(what, program, within)
  const of = (inner: Program): Work => Effect.suspend(() => interpret(inner, world, within))
  const bodyIn = (within: string): Work =>
    Effect.suspend(() => ("body" in program ? interpret(program.body, world, within) : Effect.void))
  const change = (by: (n: number) => number) => FiberRef.update(world.ref, (n) => by(n) % 1_000_003)
  switch (program._tag) {
    case "succeed":
      return Effect.as(
        Effect.zipRight(
          change((n) => n + program.mark),
          did("succeed")
        ),
        program.mark
      )
    case "fail":
      return Effect.zipRight(
        change((n) => n * 2),
        Effect.fail(`failed ${program.mark}`)
      )
    case "die":
      return Effect.die(`died ${program.mark}`)
    case "interrupt":
      return Effect.interrupt
    case "yield":
      return Effect.zipRight(Effect.yieldNow(), did("yield"))
    case "long":
      // It ends, for what cannot be interrupted is to end, too.
      return Effect.zipRight(Effect.sleep(instantOf(600, program)), did("long"))
    case "sleep":
      return Effect.zipRight(Effect.sleep(instantOf(program.mark % 40, program)), did("slept"))
    case "run":
      return world.run(bodyIn)
    case "underDeadline":
      // One that never comes: bare there is none. Runs inside inherit it.
      return world.run(bodyIn, { deadline: "40 days" })
    case "restoredRun":
      return Effect.uninterruptibleMask((restore) => world.run((within) => restore(bodyIn(within))))
    case "boundedRun":
      return world.run(bodyIn, world.isStopped ? deadlineOf(program) : {})
    case "retriedRun": {
      const retry = Schedule.intersect(Schedule.recurs(program.mark % 3), Schedule.spaced("7 seconds"))
      return world.run(bodyIn, world.isStopped ? { retry } : {})
    }
    case "runOfStream":
      return world.runOfStream(
        (within) => streamOf(bodyIn(within), program),
        world.isStopped ? deadlineOf(program) : {}
      )
    case "abandonedRun":
      return world.runOfStream((within) => streamOf(bodyIn(within), program), {}, true)
    case "joinedAlive":
      return Effect.flatMap(Effect.serviceOption(RunContext), (run) =>
        Option.match(run, { onNone: () => of(program.body), onSome: (run) => Botanu.resume(of(program.body), run) })
      )
    case "exit":
      return Effect.flatMap(Effect.exit(of(program.body)), (exit) => did(`exit ${shown(exit)}`))
    case "finalizer":
      return Effect.onExit(of(program.body), (exit) => did(`finalizer ${exit._tag}`))
    case "uninterruptible":
      return Effect.uninterruptible(of(program.body))
    case "interruptible":
      return Effect.interruptible(of(program.body))
    case "timeout":
      return Effect.timeoutTo(of(program.body), {
        duration: instantOf(50, program) + 0.05,
        onSuccess: () => "in time",
        onTimeout: () => "late"
      })
    case "retry":
      return Effect.retry(of(program.body), Schedule.recurs(program.mark % 3))
    case "joined":
      return Effect.flatMap(Effect.fork(of(program.body)), Fiber.join)
    case "daemon":
      return Effect.flatMap(Effect.forkDaemon(of(program.body)), Fiber.join)
    case "disconnect":
      return Effect.disconnect(of(program.body))
    case "interrupted":
      return Effect.flatMap(Effect.fork(of(program.body)), (fiber) =>
        Effect.zipRight(
          Effect.yieldNow(),
          Effect.flatMap(Fiber.interrupt(fiber), (exit) => did(`interrupted ${exit._tag}`))
        )
      )
    case "stream":
      return Stream.runDrain(streamOf(of(program.body), program))
    case "partOfStream":
      return Stream.runDrain(Stream.take(streamOf(of(program.body), program), 2))
    case "mergedStream":
      return Stream.runDrain(Stream.merge(streamOf(of(program.body), program), Stream.fromEffect(did("merged"))))
    case "sequence":
      return Effect.zipRight(of(program.left), of(program.right))
    case "all":
      return Effect.all([of(program.left), of(program.right)], { concurrency: 2 })
    case "race":
      return Effect.race(of(program.left), of(program.right))
    case "raceFirst":
      return Effect.raceFirst(of(program.left), of(program.right))
    case "catch":
      return Effect.catchAll(of(program.left), () => of(program.right))
    case "forEach":
      return Effect.forEach([program.left, program.right, program.left], of, { concurrency: 2 })
    case "acquire":
      return Effect.acquireUseRelease(
        did("acquired"),
        () => of(program.left),
        (_, exit) => Effect.zipRight(did(`released ${exit._tag}`), Effect.ignore(of(program.right)))
      )
  }
}

const shown = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, {
    onSuccess: (value) => `success ${JSON.stringify(value)}`,
    onFailure: (cause) => {
      const errors = [...Cause.failures(cause), ...Cause.defects(cause)].map(String).sort()
      return [...errors, ...(Cause.isInterrupted(cause) ? ["interrupted"] : [])].join(", ")
    }
  })

const statusOf = ({ exit, isAbandoned }: Ended) => {
  if (exit.startsWith("success")) return isAbandoned ? "canceled" : "success"
  return exit === "interrupted" ? "canceled" : "failure"
}

/** A consumer may be interrupted after the end of the stream. */
const mayEndAs = (ended: Ended, status: CompletedRun["status"] | undefined): boolean =>
  status === statusOf(ended) || (ended.isStream && ended.exit === "interrupted" && status !== undefined)

/** Why a run may have been cancelled that ended so: for its own reason, or, where it is an effect, for that of the enclosing run. */
const reasonsOf = (ended: Ended, { run, status }: CompletedRun, recorded: ReadonlyArray<CompletedRun>) => {
  if (status !== "canceled") return [undefined]
  const enclosing = recorded.find(({ run: { runId } }) => runId === run.parentRunId)
  if (!ended.isStream) return ["interrupted", enclosing?.cancellationReason ?? "interrupted"]
  return ended.exit === "interrupted" ? ["interrupted", "consumer_stopped"] : ["consumer_stopped"]
}

const begin = (program: Program, world: World, clock: VirtualClock) =>
  Effect.fork(Effect.withClock(interpret(program, world), clock))

/** What a program did. It is interrupted on its way: soon, or where it takes long. */
const observe = (program: Program, hasRuns: boolean) =>
  Effect.gen(function* () {
    const world = new World(hasRuns)
    const clock = new VirtualClock()
    const fiber = yield* begin(program, world, clock)
    let endMillis = -1
    fiber.addObserver(() => {
      endMillis = clock.unsafeCurrentTimeMillis()
    })
    yield* clock.pass(program.mark % 2 === 0 ? "30 minutes" : instantOf(program.mark % 90, program) + 0.07)
    if (Option.isNone(yield* Fiber.poll(fiber))) yield* Fiber.interruptFork(fiber)
    yield* clock.pass("10 days")
    const exit = Option.match(yield* Fiber.poll(fiber), { onNone: () => "none", onSome: shown })
    const ref = FiberRefs.getOrDefault(fiber.getFiberRefs(), world.ref)
    const { exits, trace } = world
    return { exit, trace, exits, endMillis, ref }
  })

const [given, only] = (process.env["BOTANU_FUZZ_SEED"] ?? "").split(":")
const givenCount = process.env["BOTANU_FUZZ_PROGRAMS"]
const count = Number(givenCount ?? 1000)
const seedOfTests = 743_377_527
const seed = given ? Number(given) : givenCount === undefined ? seedOfTests : Math.floor(Math.random() * 2 ** 31)

/** Checks each program; `check` gives the number of its runs. */
const fuzz = (
  what: string,
  check: (program: Program, which: string) => Effect.Effect<number, unknown, RunExporter.Memory>
) =>
  it.live(
    `${count} random programs ${what} (BOTANU_FUZZ_SEED=${seed})`,
    () =>
      Effect.gen(function* () {
        let runs = 0
        for (const [index, program] of FastCheck.sample(programs, { seed, numRuns: count }).entries()) {
          if (only !== undefined && index !== Number(only)) continue
          const which = `BOTANU_FUZZ_SEED=${seed}:${index} ${JSON.stringify(program)}`
          const checked = Effect.gen(function* () {
            const ofProgram = yield* check(program, which)
            const recorded = yield* completedRuns
            expect(new Set(recorded.map(({ run }) => run.runId)).size, which).toBe(recorded.length)
            expect(yield* Botanu.activeRuns, which).toEqual([])
            return ofProgram
          })
          runs += yield* Effect.provide(checked, RunExporter.layerMemory)
        }
        if (only === undefined) expect(runs).toBeGreaterThan(count / 4)
      }),
    600_000
  )

const runTags: ReadonlySet<Program["_tag"]> = new Set(asRuns)

/**
 * Whether work joins a run that may be stopped without it: in a fiber that outlives the run. It is stopped with the run; bare, nothing
 * stops it.
 */
const joinsFromOutside = (program: Program, isInRun = false, isOutside = false): boolean => {
  if (program._tag === "joinedAlive" && isOutside) return true
  const isRun = runTags.has(program._tag)
  const outlives = isInRun && (program._tag === "daemon" || program._tag === "disconnect")
  const bodies = "body" in program ? [program.body] : "left" in program ? [program.left, program.right] : []
  return bodies.some((body) => joinsFromOutside(body, isInRun || isRun, !isRun && (isOutside || outlives)))
}

const doesTheSame = (program: Program, which: string) =>
  Effect.gen(function* () {
    if (joinsFromOutside(program)) return 0
    const bare = yield* observe(program, false)
    const seen = yield* observe(program, true)
    expect(seen, which).toEqual(bare)
    const recorded = yield* completedRuns
    expect(recorded, which).toHaveLength(seen.exits.length)
    for (const ended of seen.exits) {
      const own = recorded.filter(({ run }) => run.eventId === ended.eventId)
      const found = own.map(({ status }) => status)
      const status = mayEndAs(ended, found[0]) ? found[0] : statusOf(ended)
      expect(found, `${which} ${ended.eventId}`).toEqual([status])
      for (const completed of own) {
        const reasons = reasonsOf(ended, completed, recorded)
        expect(reasons, `${which} ${ended.eventId}`).toContain(completed.cancellationReason)
      }
    }
    return recorded.length
  })

fuzz("do with runs what they do bare, and have each run recorded once", doesTheSame)

/**
 * Effect's `forEach` with a bound counts an item twice that fails while others wait for their turn (`forEachConcurrentDiscard` of
 * effect 3.22: `onRes` pushes the result, and so does the observer of the fiber). So it ends before an item that it interrupts has
 * ended. Here that item is a `forEach`, which starts its own items before it hears of the interruption, and they fork. All of that comes
 * after the run. Bare, what they fork belongs to the fiber in which the outer `forEach` was, and lives until that ends. A run lets go of
 * that fiber at its end, so what is forked later in its name belongs to the fiber that forks it.
 */
const endsBeforeItsItems: Program = {
  _tag: "run",
  mark: 2,
  body: {
    _tag: "forEach",
    mark: 3,
    left: {
      _tag: "forEach",
      mark: 4,
      left: { _tag: "raceFirst", mark: 5, left: { _tag: "interrupt", mark: 6 }, right: { _tag: "yield", mark: 7 } },
      right: { _tag: "raceFirst", mark: 8, left: { _tag: "yield", mark: 9 }, right: { _tag: "sleep", mark: 10 } }
    },
    right: { _tag: "die", mark: 11 }
  }
}

it.live("fibers that Effect leaves behind in a run have children of their own", () =>
  Effect.provide(
    Effect.gen(function* () {
      expect(yield* doesTheSame(endsBeforeItsItems, "endsBeforeItsItems")).toBe(1)
      const { trace } = yield* observe(endsBeforeItsItems, true)
      expect(trace).toEqual([])
    }),
    RunExporter.layerMemory
  )
)

fuzz(
  "whose runs are cancelled, reach deadlines and are tried again end, and have each run recorded once",
  (program, which) =>
    Effect.gen(function* () {
      const started: Array<string> = []
      const found: Array<string> = []
      const exporter: RunExporter.RunExporter = {
        started: ({ runId }) => Effect.sync(() => void started.push(runId)),
        export: () => Effect.void
      }
      const clock = new VirtualClock()
      const cancelOne = Effect.gen(function* () {
        const active = yield* Botanu.activeRuns
        const run = active[(program.mark + found.length) % Math.max(active.length, 1)]
        if (run === undefined) return
        const canceller = yield* Effect.fork(
          Effect.withFiberRuntime<boolean>((fiber) => {
            cancellers.push(fiber.id())
            return Botanu.cancel(run.runId, "operator")
          })
        )
        expect(yield* Fiber.join(canceller), which).toBe(true)
        found.push(run.runId)
      })
      const cancellers: Array<FiberId.FiberId> = []
      const world = new World(true, true, cancellers)
      yield* Effect.gen(function* () {
        const fiber = yield* begin(program, world, clock)
        for (let turn = 0; turn < 8; turn++) {
          yield* clock.pass((program.mark % 13) * 1000 + 0.09)
          yield* cancelOne
        }
        yield* clock.pass("30 minutes")
        yield* Fiber.interruptFork(fiber)
        yield* clock.pass("10 days")
        expect(Option.isSome(yield* Fiber.poll(fiber)), which).toBe(true)
      }).pipe(Effect.provide(RunExporter.layer(exporter)))
      const recorded = yield* completedRuns
      expect(recorded.map(({ run }) => run.runId).sort(), which).toEqual(started.sort())
      expect(yield* Botanu.awaitIdle(0), which).toBe(true)
      expect(world.leftInterrupted, which).toEqual([])
      for (const { cancellationReason, outcome, run, status } of recorded) {
        expect(outcome?.status, which).toBe(status)
        if (found.includes(run.runId)) expect(status, which).not.toBe("success")
        if (status === "timeout") expect(run.deadline, which).toBeDefined()
        if (status === "canceled") expect(cancellationReason, which).toBeDefined()
        if (cancellationReason !== undefined) expect(run.cancelled, which).toBe(true)
      }
      return recorded.length
    })
)
