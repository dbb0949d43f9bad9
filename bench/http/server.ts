/**
 * The process of a server: `server.js <app> [<edge>]`. Where no edge is named, the app is served as it is.
 */
import { HttpServer } from "@effect/platform"
import { Effect, ManagedRuntime } from "effect"
import { apps } from "./apps.js"
import { answering } from "./child.js"
import { edges, without } from "./edges.js"

/** How a server does. */
export interface Status {
  readonly origin: string
  /** Microseconds that the process has had of all CPUs until now. */
  readonly cpuMicros: number
}

const [appName = "", edgeName = ""] = process.argv.slice(2)
const app = apps[appName]
if (app === undefined) throw new Error(`expected one of ${Object.keys(apps).join(", ")}`)
const served = edges[edgeName]?.served ?? without

const origin = ManagedRuntime.make(served(app)).runPromise(HttpServer.addressFormattedWith(Effect.succeed))

answering(async (): Promise<Status> => {
  const { system, user } = process.cpuUsage()
  return { origin: await origin, cpuMicros: system + user }
})
