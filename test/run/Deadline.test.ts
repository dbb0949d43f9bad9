/**
 * Whose deadline a failure is about.
 */
import { describe, expect, it } from "@effect/vitest"
import { deadlineExceeded, isDeadlineOf } from "../../src/run/Deadline.js"
import { instant, makeRun, otherRunId, runId } from "../runs.js"

const deadline = instant(1_770_000_030_250)
const run = makeRun({ deadline })
const child = makeRun({ runId: otherRunId, parentRunId: runId, deadline })
const error = deadlineExceeded(run, deadline)

describe("DeadlineExceeded", () => {
  it("names the run, its workflow and the instant", () => {
    expect(error.message).toBe(
      `run ${runId} of workflow "Customer Support" passed its deadline, 2026-02-02T02:40:30.250Z`
    )
  })
})

describe("isDeadlineOf", () => {
  it("knows the failure of the run itself, and of one that shares its deadline", () => {
    expect(isDeadlineOf(run, error)).toBe(true)
    expect(isDeadlineOf(child, error)).toBe(true)
  })

  it("knows the failure of the run also where its record has no deadline any more", () => {
    expect(isDeadlineOf(makeRun(), error)).toBe(true)
  })

  it("is not about a run with another deadline or with none", () => {
    expect(isDeadlineOf(makeRun({ runId: otherRunId }), error)).toBe(false)
    expect(isDeadlineOf(makeRun({ runId: otherRunId, deadline: instant(1_770_000_030_251) }), error)).toBe(false)
  })

  it("is not about other errors, also those that cannot be looked at", () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const other of [new Error("late"), { ...error }, undefined, proxy])
      expect(isDeadlineOf(run, other)).toBe(false)
  })
})
