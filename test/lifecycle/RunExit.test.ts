/**
 * How a run ended, and what its caller sees, where timers fire between two steps of a fiber.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Exit, FiberId } from "effect"
import { DeadlineExceeded } from "../../src/index.js"
import { errorClass, exitForCaller, runExitOf } from "../../src/lifecycle/RunExit.js"
import { RunScope } from "../../src/lifecycle/RunScope.js"
import { deadlineExceeded } from "../../src/run/Deadline.js"
import { forwardedWith } from "../../src/run/RemoteContext.js"
import { instant, makeRun, otherRunId } from "../runs.js"

const deadline = instant(5_000)
const parentRun = makeRun({ deadline })
const childRun = makeRun({ runId: otherRunId, deadline })

const scopeOf = (run: typeof parentRun, parent?: RunScope) =>
  new RunScope(run, undefined, parent, forwardedWith(run), true)

/** A run in one that was stopped first, both by the same deadline. */
const inner = () => {
  const outer = scopeOf(parentRun)
  outer.reachDeadline()
  return scopeOf(childRun, outer)
}

const interrupted = Exit.interrupt(FiberId.none)
const fiberId = FiberId.none

describe("a run that the deadline of an enclosing one interrupts before its own timer fires", () => {
  it("has timed out", () => {
    expect(runExitOf(inner(), interrupted, Context.empty())).toEqual({ status: "timeout" })
  })

  it("fails with DeadlineExceeded of its own, where its type allows", () => {
    const exit = exitForCaller(inner(), interrupted, { fiberId, mayFail: true })
    const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
    expect(failure).toMatchObject({ value: { _tag: "DeadlineExceeded", runId: otherRunId } })
    expect(failure).toMatchObject({ value: expect.any(DeadlineExceeded) })
  })

  it("is interrupted where its type has no place for the failure", () => {
    expect(exitForCaller(inner(), interrupted, { fiberId, mayFail: false })).toBe(interrupted)
  })

  it("keeps a failure of its own", () => {
    const failed = Exit.fail("x")
    expect(exitForCaller(inner(), failed, { fiberId, mayFail: true })).toBe(failed)
  })
})

describe("a run at its deadline", () => {
  const late = () => {
    const scope = scopeOf(childRun)
    scope.reachDeadline()
    return scope
  }

  it("has timed out, whatever its finalizers fail with", () => {
    const died = Exit.failCause(Cause.parallel(Cause.interrupt(FiberId.none), Cause.die("in a finalizer")))
    for (const exit of [died, Exit.fail("x")]) {
      expect(runExitOf(late(), exit, Context.empty())).toEqual({ status: "timeout" })
    }
  })

  it("keeps defects of its finalizers, whatever its type allows", () => {
    const died = Exit.failCause(Cause.parallel(Cause.interrupt(FiberId.none), Cause.die("in a finalizer")))
    for (const mayFail of [true, false]) {
      const exit = exitForCaller(late(), died, { fiberId, mayFail })
      expect(Exit.isFailure(exit) && Array.from(Cause.defects(exit.cause))).toEqual(["in a finalizer"])
    }
  })

  it("is not a success, also where its work came to its end", () => {
    expect(Exit.isInterrupted(exitForCaller(late(), Exit.void, { fiberId, mayFail: false }))).toBe(true)
    expect(runExitOf(late(), interrupted, Context.empty())).toEqual({ status: "timeout" })
  })
})

it.each([
  ["its own", childRun, "timeout"],
  ["one that it shares", parentRun, "timeout"],
  ["that of another run", makeRun({ deadline: instant(6_000) }), "failure"]
] as const)("a run whose work fails at a deadline, %s, has its status", (_, run, status) => {
  const exit = Exit.fail(deadlineExceeded(run, run.deadline ?? deadline))
  expect(runExitOf(scopeOf(childRun), exit, Context.empty()).status).toBe(status)
})

it("a run that came in cancelled, and is interrupted, says so", () => {
  const cancelled = makeRun({ cancelled: true, cancelledAt: instant(1) })
  expect(runExitOf(scopeOf(cancelled), interrupted, Context.empty())).toEqual({
    status: "canceled",
    reason: "received_cancelled"
  })
})

it.each([
  [{ _tag: "Tagged", name: "Named" }, "Tagged"],
  [{ name: "Named" }, "Named"],
  [{ _tag: 1, name: "Named" }, "Named"],
  [new (class Unnamed {})(), "Unnamed"],
  [new TypeError("x"), "TypeError"],
  [Object.create(null), "Object"],
  [null, "object"],
  [undefined, "undefined"],
  ["text", "string"]
])("the class of the error %j is %s", (error, name) => {
  expect(errorClass(error)).toBe(name)
})
