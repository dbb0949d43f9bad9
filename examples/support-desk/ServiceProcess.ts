/**
 * A service as the process that starts it sees it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Data, Deferred, Effect, Option, Schema, type Scope } from "effect"
import type { Records } from "./Records.js"
import { FromService, ToService } from "./ServiceMessage.js"
import { ServiceSettings } from "./ServiceSettings.js"

/** A service ended that nobody had told to. What was wrong stands on standard error, where the service could say so. */
export class ServiceEnded extends Data.TaggedError("ServiceEnded")<{ readonly name: string; readonly how: string }> {
  override get message(): string {
    return `the service "${this.name}" has ended: ${this.how}`
  }
}

export interface ServiceProcess {
  /** Where it listens. */
  readonly origin: string
  /** Waits for an end that nobody asked for, and fails with it. */
  readonly ended: Effect.Effect<never, ServiceEnded>
  /** Of a service that was stopped: fails where it had ended before, or otherwise than it was told to. */
  readonly endedWell: Effect.Effect<void, ServiceEnded>
}

const decode = Schema.decodeUnknownSync(FromService)
const encodeSettings = Schema.encodeSync(ServiceSettings)
const encode = Schema.encodeSync(ToService)

/** Starts a service. It is stopped with the scope, and then all of its runs are on record. */
export const start = (
  program: string,
  settings: ServiceSettings,
  records: Records["Type"]
): Effect.Effect<ServiceProcess, ServiceEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<never, ServiceEnded>()
    const listens = yield* Deferred.make<string>()
    let wasStopped = false
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => forked(program, settings)),
      (child) =>
        Effect.suspend(() => {
          wasStopped = true
          return stop(child)
        })
    )
    child.on("message", (message) => {
      const told = decode(message)
      if (told._tag === "Listening") Deferred.unsafeDone(listens, Effect.succeed(told.origin))
      if (told._tag === "Ended") records.ended(told.span)
      if (told._tag === "Warned") records.warned(`${settings.name}: ${told.text}`)
      if (told._tag === "Completed") records.completed(told.completed, settings.name)
      if ("number" in told) tell(child, { _tag: "Heard", number: told.number })
    })
    const fail = (how: string) => Deferred.unsafeDone(ended, new ServiceEnded({ name: settings.name, how }))
    child.once("error", (error) => fail(error.message))
    child.once("exit", (code, signal) => {
      if (!wasStopped || code !== 0) fail(signal ?? `exit code ${code}`)
    })
    const origin = yield* Effect.raceFirst(Deferred.await(listens), Deferred.await(ended))
    const endedWell = Effect.flatMap(
      Deferred.poll(ended),
      Option.getOrElse(() => Effect.void)
    )
    return { origin, ended: Deferred.await(ended), endedWell }
  })

const forked = (program: string, settings: ServiceSettings): ChildProcess =>
  fork(fileURLToPath(new URL(program, import.meta.url)), [encodeSettings(settings)], {
    execArgv: ["--import", "tsx"],
    // Standard output is the report's.
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })

/** Tells a service something, if it still listens. */
const tell = (child: ChildProcess, message: ToService): void => {
  if (child.connected) child.send(encode(message), () => {})
}

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    tell(child, { _tag: "Stop" })
  })
