/**
 * Which process this is, and whether another one of this machine is alive.
 */
import { FileSystem } from "@effect/platform"
import { Effect, GlobalValue, type Scope } from "effect"

/** A process, as far as the platform knows it. */
export interface ProcessIdentity {
  readonly host?: string
  readonly pid?: number
  /** Where its `pid` holds: containers of one host have numbers of their own. */
  readonly pidSpace?: string
}

/** What Node, Bun and Deno know of a process. */
interface Process {
  readonly pid?: number
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly kill?: (pid: number, signal: 0) => void
  readonly getBuiltinModule?: (name: "node:os") => { readonly hostname: () => string } | undefined
}

const { process = {} } = globalThis as { readonly process?: Process }

/** This process. */
export const current: Effect.Effect<ProcessIdentity, never, FileSystem.FileSystem> = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const pidSpace = yield* Effect.orElseSucceed(files.readLink("/proc/self/ns/pid"), () => undefined)
  const host =
    process.getBuiltinModule?.("node:os")?.hostname() ?? process.env?.["HOSTNAME"] ?? process.env?.["COMPUTERNAME"]
  return {
    ...(host !== undefined && { host }),
    ...(process.pid !== undefined && { pid: process.pid }),
    ...(pidSpace !== undefined && { pidSpace })
  }
})

/** The ids of the writers of this process. */
const ownWriters = GlobalValue.globalValue("botanu/Ledger/writers", () => new Set<string>())

/** Notes a writer as one of this process, as long as the scope lasts. */
export const register = (writer: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => ownWriters.add(writer)),
    () => Effect.sync(() => ownWriters.delete(writer))
  )

/** Whether the process of a writer is known to be gone. */
export const isGone = (writer: string, of: ProcessIdentity, here: ProcessIdentity): boolean => {
  const isNeighbour = of.host !== undefined && of.host === here.host && of.pidSpace === here.pidSpace
  if (!isNeighbour || of.pid === undefined) return false
  // A container that was started again has the numbers of the one before.
  if (of.pid === here.pid) return !ownWriters.has(writer)
  try {
    process.kill?.(of.pid, 0)
    return false
  } catch (error) {
    return typeof error === "object" && error !== null && "code" in error && error.code === "ESRCH"
  }
}
