/**
 * A PostgreSQL server for tests: in a folder of its own, on a free loopback port.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { chmod, chown, mkdtemp, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { freePort } from "../freePort.js"

/** How a server works. */
export interface ServerOptions {
  /**
   * Whether a commit waits for the disk.
   * @default false
   */
  readonly fsync?: boolean | undefined
  /** Further settings of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

const run = promisify(execFile)

const binaries = ["/usr/lib/postgresql/15/bin", "/usr/local/bin", "/usr/bin"].find((folder) =>
  existsSync(join(folder, "initdb"))
)

export const isInstalled = binaries !== undefined

const running = new Set<ChildProcess>()

// A test run that is ended in the middle leaves no server behind.
process.on("exit", () => {
  for (const server of running) server.kill("SIGKILL")
})

/** PostgreSQL refuses to work for root. */
const servantOfRoot = async (): Promise<{ readonly uid?: number; readonly gid?: number }> => {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, "postgres"])))
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) }
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

export class PostgresServer {
  private child: ChildProcess | undefined
  private databases = 0

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly user: { readonly uid?: number; readonly gid?: number },
    private readonly options: ServerOptions
  ) {}

  /** A server that has started. Reports that it is not installed where that is so. */
  static async start(options: ServerOptions = {}): Promise<PostgresServer> {
    if (binaries === undefined) throw new Error("PostgreSQL is not installed: apt-get install postgresql-15")
    const user = await servantOfRoot()
    const folder = await mkdtemp(join(tmpdir(), "botanu-postgres-"))
    if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid)
    await chmod(folder, 0o700)
    await run(
      join(binaries, "initdb"),
      ["-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
      { ...user, cwd: folder }
    )
    const server = new PostgresServer(folder, await freePort(), user, options)
    await server.resume()
    return server
  }

  /** The URL of a database. */
  url(database = "postgres"): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`
  }

  /** The URL of a new database. */
  async newDatabase(): Promise<string> {
    this.databases += 1
    const name = `ledger_${this.databases}`
    await this.execute(`CREATE DATABASE ${name}`)
    return this.url(name)
  }

  /** Executes statements with `psql`, and gives what it prints. */
  async execute(statements: string, database = "postgres"): Promise<string> {
    const { stdout } = await run(join(binaries ?? "", "psql"), [
      this.url(database),
      "-X",
      "-A",
      "-t",
      "-q",
      "-v",
      "ON_ERROR_STOP=1",
      "-c",
      statements
    ])
    return stdout.trim()
  }

  /** Starts the server again after `stop`. */
  async resume(): Promise<void> {
    const { fsync = false, settings = {} } = this.options
    const all: Readonly<Record<string, string>> = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: fsync ? "on" : "off",
      full_page_writes: fsync ? "on" : "off",
      max_connections: "60",
      ...settings
    }
    const child = spawn(
      join(binaries ?? "", "postgres"),
      [
        "-D",
        this.folder,
        "-p",
        String(this.port),
        ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      ],
      { ...this.user, cwd: this.folder, stdio: "ignore" }
    )
    running.add(child)
    child.once("exit", () => running.delete(child))
    this.child = child
    for (let tries = 0; tries < 400; tries++) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended with exit code ${child.exitCode}`)
      if ((await isListening(this.port)) && (await this.isReady())) return
      await sleep(50)
    }
    throw new Error("PostgreSQL did not start within 20 seconds")
  }

  /** Stops the server: connections end at once (`SIGINT`), or the server without a word (`SIGQUIT`). */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null) return
    const exited = once(child, "exit")
    child.kill(signal)
    await exited
  }

  /** Stops the server and removes its folder. */
  async remove(): Promise<void> {
    await this.stop("SIGQUIT")
    await rm(this.folder, { recursive: true, force: true })
  }

  private async isReady(): Promise<boolean> {
    try {
      await this.execute("SELECT 1")
      return true
    } catch {
      return false
    }
  }
}
