/**
 * The process that started this one, as a service sees it.
 */
import type { CompletedRun } from "botanu-effect"
import { Effect, Either, Schema } from "effect"
import { FromService, ToService } from "./ServiceMessage.js"
import type { SpanRecord } from "./SpanRecord.js"

const encode = Schema.encodeSync(FromService)
const decode = Schema.decodeUnknownEither(ToService)

const send = (message: FromService): void => {
  if (process.connected) process.send?.(encode(message))
}

/** Tells where the service listens. */
export const listening = (origin: string): Effect.Effect<void> => Effect.sync(() => send({ _tag: "Listening", origin }))

/** Tells of a span that has ended. */
export const ended = (span: SpanRecord): void => send({ _tag: "Ended", span })

const unheard = new Map<number, () => void>()
let lastNumber = 0

/** Tells of a completed run, and waits until that was heard: whoever waits for the run finds it on record. */
export const completed = (completed: CompletedRun): Effect.Effect<void> =>
  Effect.async((resume) => {
    lastNumber += 1
    unheard.set(lastNumber, () => resume(Effect.void))
    send({ _tag: "Completed", number: lastNumber, completed })
  })

/** Waits until the parent says so, or is gone. */
export const stop: Effect.Effect<void> = Effect.async((resume) => {
  process.once("disconnect", () => resume(Effect.void))
  process.on("message", (message) => {
    const heard = Either.getOrUndefined(decode(message))
    if (heard?._tag === "Stop") resume(Effect.void)
    if (heard?._tag === "Heard") {
      unheard.get(heard.number)?.()
      unheard.delete(heard.number)
    }
  })
})

// Ctrl-C reaches every process of the job: the parent says what follows from it.
process.on("SIGINT", () => {})
