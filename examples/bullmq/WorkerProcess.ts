/**
 * A worker process as the one that starts it sees it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import type { Inbox } from "./Heard.js"
import { decode } from "./Message.js"

export interface WorkerProcess {
  readonly name: string
  readonly pid: number | undefined
  /** Kills it with SIGKILL, as a machine does that runs out of memory. */
  readonly kill: Effect.Effect<void>
}

const program = fileURLToPath(new URL("./worker.ts", import.meta.url))

/** Starts a worker, which is told to stop at the end of the scope. */
export const start = (name: string, port: number, inbox: Inbox): Effect.Effect<WorkerProcess, never, Scope.Scope> =>
  Effect.gen(function* () {
    let isWanted = true
    const unwanted = Effect.sync(() => {
      isWanted = false
    })
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(program, [name, String(port)], { execArgv: ["--import", "tsx"] })),
      (child) => Effect.zipRight(unwanted, stop(child))
    )
    child.on("message", (message) => inbox.unsafeHear(name, decode(message)))
    child.on("error", (error) => inbox.unsafeHearOfEnd(name, error.message))
    child.on("exit", (code, signal) => {
      if (isWanted) inbox.unsafeHearOfEnd(name, signal ?? `exit code ${code}`)
    })
    return { name, pid: child.pid, kill: Effect.zipRight(unwanted, end(child, "SIGKILL")) }
  })

const stop = (child: ChildProcess): Effect.Effect<void> =>
  end(child, "SIGTERM").pipe(
    Effect.interruptible,
    Effect.timeoutTo({
      duration: "5 seconds",
      onSuccess: () => Effect.void,
      onTimeout: () => end(child, "SIGKILL")
    }),
    Effect.flatten
  )

/** Sends a signal, and waits until the process is over. */
const end = (child: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })
