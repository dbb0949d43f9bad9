/**
 * The process that started this one, as a service sees it.
 */
import type { CompletedRun } from "botanu-effect"
import { Effect, Either, Schema } from "effect"
import { FromService, ToService } from "./ServiceMessage.js"
import type { SpanRecord } from "./SpanRecord.js"

const encode = Schema.encodeSync(FromService)
const decode = Schema.decodeUnknownEither(ToService)

/** Says nothing to a parent that is gone, also where that is not known yet. */
const send = (message: FromService): void => {
  if (process.connected) process.send?.(encode(message), undefined, {}, () => {})
}

/** Tells where the service listens. */
export const listening = (origin: string): Effect.Effect<void> => Effect.sync(() => send({ _tag: "Listening", origin }))

/** Tells of a span that has ended. */
export const ended = (span: SpanRecord): void => send({ _tag: "Ended", span })

/** Tells of something that somebody should look at. */
export const warned = (text: string): void => send({ _tag: "Warned", text })

const unheard = new Map<number, () => void>()
let lastNumber = 0

/** Says something that ends in a number, and waits until that was heard, and with it all that was said before. */
const sendAndWait = (message: (number: number) => FromService): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (!process.connected) return resume(Effect.void)
    lastNumber += 1
    unheard.set(lastNumber, () => resume(Effect.void))
    send(message(lastNumber))
  })

/** Reports a completed run, and waits until that was heard. */
export const completed = (completed: CompletedRun): Effect.Effect<void> =>
  sendAndWait((number) => ({ _tag: "Completed", number, completed }))

/** Waits until the parent has heard everything. */
export const hasHeardAll: Effect.Effect<void> = sendAndWait((number) => ({ _tag: "Told", number }))

/** Lets go of the parent: nothing more keeps this process. */
export const leave = (): void => {
  if (process.connected) process.disconnect?.()
}

/** Waits until the parent says so, or is gone. */
export const stop: Effect.Effect<void> = Effect.async((resume) => {
  const stop = () => resume(Effect.void)
  // It may have gone while this process was still loading.
  if (!process.connected) return stop()
  process.once("disconnect", () => {
    for (const heard of unheard.values()) heard()
    stop()
  })
  process.on("message", (message) => {
    const heard = Either.getOrUndefined(decode(message))
    if (heard?._tag === "Stop") stop()
    if (heard?._tag === "Heard") {
      unheard.get(heard.number)?.()
      unheard.delete(heard.number)
    }
  })
})

// Ctrl-C, and whoever stops the job as a whole, reach every process of it: the parent says what follows, and in which order.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {})
