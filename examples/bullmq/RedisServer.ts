/**
 * A Redis server of the example's own: on a free port of the loopback interface, without persistence.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import type { Readable, Writable } from "node:stream"
import { Data, Effect, type Scope } from "effect"

export class RedisNotFound extends Data.TaggedError("RedisNotFound") {
  override get message(): string {
    return "redis-server is not on the PATH; it is in the Debian package redis-server: apt-get install redis-server"
  }
}

export class RedisFailed extends Data.TaggedError("RedisFailed")<{ readonly output: string }> {
  override get message(): string {
    return `redis-server ended before it was ready: ${this.output.trimEnd().split("\n").at(-1)}`
  }
}

/** Whether there is a `redis-server` to start. */
export const isInstalled = (): boolean => spawnSync("redis-server", ["--version"]).error === undefined

export const host = "127.0.0.1"

/**
 * Starts a server that ends with the scope, and with this process however that ends. Gives its port. `onEnd` hears of an end
 * that nobody asked for.
 */
export const start = (onEnd: (how: string) => void): Effect.Effect<number, RedisNotFound | RedisFailed, Scope.Scope> =>
  Effect.gen(function* () {
    if (!isInstalled()) return yield* new RedisNotFound()
    const attempt = Effect.flatMap(freePort, (port) => listenOn(port, onEnd))
    // Someone else may take the port before the server does.
    return yield* Effect.retry(attempt, { times: 2 })
  })

const freePort: Effect.Effect<number> = Effect.promise(async () => {
  const server = createServer().listen(0, host)
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
})

// The server is killed when the standard input of this ends: so also after this process was killed itself.
const untilEndOfInput = `
exec 3<&0
folder=$(mktemp -d) || exit
redis-server "$@" --dir "$folder" &
server=$!
{ cat <&3; kill $server; } >/dev/null 2>&1 &
wait $server
code=$?
rm -r "$folder"
exit $code
`

const listenOn = (port: number, onEnd: (how: string) => void): Effect.Effect<number, RedisFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = ["--bind", host, "--port", String(port), "--save", "", "--appendonly", "no"]
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("sh", ["-c", untilEndOfInput, "sh", ...settings], {
          // Ctrl-C is for this process: the server is needed until the workers have stopped.
          detached: true,
          stdio: ["pipe", "pipe", "inherit"]
        })
      ),
      end
    )
    yield* ready(server)
    server.once("exit", (code) => {
      if (!server.stdin.writableEnded) onEnd(`exit code ${code}`)
    })
    return port
  })

const ready = (server: ChildProcessByStdio<Writable, Readable, null>): Effect.Effect<void, RedisFailed> =>
  Effect.async((resume) => {
    let output = ""
    server.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
      if (!output.includes("Ready to accept connections")) return
      server.stdout.removeAllListeners("data").resume()
      resume(Effect.void)
    })
    server.once("error", (error) => resume(new RedisFailed({ output: error.message })))
    server.once("close", () => resume(new RedisFailed({ output })))
  })

const end = (server: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return resume(Effect.void)
    server.once("exit", () => resume(Effect.void))
    server.stdin?.end()
  })
