/**
 * A service as the process that starts it sees it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Data, Effect, Schema, type Scope } from "effect"
import type { Records } from "./Records.js"
import { Settings } from "./Service.js"
import { FromService, ToService } from "./ServiceMessage.js"

/** A service could not be started. */
export class ServiceFailed extends Data.TaggedError("ServiceFailed")<{ readonly name: string }> {
  override get message(): string {
    return `the service "${this.name}" ended before it listened`
  }
}

const decode = Schema.decodeUnknownSync(FromService)
const encodeSettings = Schema.encodeSync(Settings)
const encode = Schema.encodeSync(ToService)

/** Starts a service, and gives its origin. It ends with the scope, once all of its runs are on record. */
export const start = (
  program: string,
  settings: Settings,
  records: Records["Type"]
): Effect.Effect<string, ServiceFailed, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => forked(program, settings)),
      stop
    ),
    (child) =>
      Effect.async((resume) => {
        child.on("message", (message) => {
          const told = decode(message)
          if (told._tag === "Listening") resume(Effect.succeed(told.origin))
          if (told._tag === "Ended") records.ended(told.span)
          if (told._tag === "Completed") {
            records.completed(told.completed, settings.name)
            tell(child, { _tag: "Heard", number: told.number })
          }
        })
        const failed = () => resume(new ServiceFailed({ name: settings.name }))
        child.once("error", failed)
        child.once("exit", failed)
      })
  )

const forked = (program: string, settings: Settings): ChildProcess =>
  fork(fileURLToPath(new URL(program, import.meta.url)), [encodeSettings(settings)], {
    execArgv: ["--import", "tsx"],
    // Standard output is the report's.
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })

const tell = (child: ChildProcess, message: ToService): void => {
  if (child.connected) child.send(encode(message))
}

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    tell(child, { _tag: "Stop" })
  })
