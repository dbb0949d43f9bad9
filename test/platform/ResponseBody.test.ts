/**
 * The stream of a response under the deadline of a run that was joined.
 */
import { HttpServerResponse } from "@effect/platform"
import { afterEach, beforeEach, expect, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Option, Stream } from "effect"
import { vi } from "vitest"
import { Botanu, DeadlineExceeded } from "../../src/index.js"
import { carriedOn } from "../../src/platform/ResponseBody.js"
import { instant, makeRun } from "../runs.js"

const day = 86_400_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it("is cut at a deadline of 30 days, on real timers", async () => {
  const run = makeRun({ deadline: instant(Date.now() + 30 * day) })
  const app = Effect.succeed(HttpServerResponse.stream(Stream.never))
  const response = await Effect.runPromise(Botanu.resume(carriedOn(app), run, { deadline: "enforce" }))
  if (response.body._tag !== "Stream") throw new Error("the body is no stream")
  let exit: Exit.Exit<void, unknown> | undefined
  const sending = Effect.runFork(Stream.runDrain(response.body.stream))
  sending.addObserver((ended) => {
    exit = ended
  })
  await vi.advanceTimersByTimeAsync(29 * day)
  expect(exit).toBeUndefined()
  await vi.advanceTimersByTimeAsync(2 * day)
  const failure = exit?._tag === "Failure" ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
  expect(failure).toBeInstanceOf(DeadlineExceeded)
})
