/**
 * `botanu serve`: the page over a ledger.
 */
import { createServer } from "node:http"
import { Command, type CommandExecutor, type FileSystem, HttpServer, type Path } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { TerminalText } from "botanu-effect/report"
import { Effect, Layer } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { Screen } from "../terminal/Screen.js"
import * as LedgerMirror from "./LedgerMirror.js"
import * as PageAssets from "./PageAssets.js"
import * as PageServer from "./PageServer.js"
import * as Trust from "./Trust.js"

export interface ServeOptions {
  readonly ledger: string
  readonly host: string
  readonly port: number
  readonly open: boolean
  readonly token: string | undefined
  readonly allowAmend: boolean
  readonly traceUrl: string | undefined
  readonly version: string
}

/** Serves the page until it is interrupted. */
export const serve = (
  options: ServeOptions
): Effect.Effect<void, CommandError, CommandExecutor.CommandExecutor | FileSystem.FileSystem | Path.Path | Screen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      if (!Trust.isLoopback(options.host) && options.token === undefined) {
        return yield* usage(
          `--host ${TerminalText.visible(options.host)} can be reached from other machines: give --token a secret, or leave --host out`
        )
      }
      if (options.token !== undefined && options.token.length < leastToken) {
        return yield* usage(`--token: expected ${leastToken} characters or more`)
      }
      if (options.traceUrl !== undefined && !isTraceUrl(options.traceUrl)) {
        return yield* usage("--trace-url: expected an address of http or https with {traceId} in it")
      }
      const amend = options.allowAmend
        ? (yield* Layer.build(Ledger.layer({ directory: options.ledger, flushMillis: 50 })).pipe(
            Effect.flatMap((context) => Effect.provide(Ledger.Ledger, context)),
            Effect.mapError(({ message }) => new CommandError({ message, exitCode: exitCodes.trouble }))
          )).amendOutcome
        : undefined
      const server = NodeHttpServer.layer(() => createServer(), { host: options.host, port: options.port })
      const page = PageServer.layer({
        host: options.host,
        token: options.token,
        ledger: options.ledger,
        version: options.version,
        traceUrl: options.traceUrl,
        amend,
        assets: PageAssets.directory
      }).pipe(Layer.provide(LedgerMirror.layerDirectory({ ledger: options.ledger })), Layer.provideMerge(server))
      const context = yield* Layer.build(page).pipe(
        Effect.catchTag("ServeError", ({ cause }) =>
          usage(
            `cannot listen on ${options.host}:${options.port}: ${cause instanceof Error ? cause.message : String(cause)}`
          )
        )
      )
      const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
      const port = address._tag === "TcpAddress" ? address.port : options.port
      const host = options.host.includes(":") ? `[${options.host}]` : options.host
      const token = options.token === undefined ? "" : `/?token=${encodeURIComponent(options.token)}`
      const url = `http://${host}:${port}${token}`
      yield* print([`${TerminalText.visible(options.ledger)}   ${url}   end with Ctrl-C`])
      if (options.open) yield* Effect.ignore(Command.exitCode(opening(url)))
      return yield* Effect.never
    })
  )

const leastToken = 16

const isTraceUrl = (text: string): boolean => /^https?:\/\/[^\s]+$/.test(text) && text.includes("{traceId}")

const opening = (url: string): Command.Command =>
  process.platform === "darwin"
    ? Command.make("open", url)
    : process.platform === "win32"
      ? Command.make("cmd", "/c", "start", "", url)
      : Command.make("xdg-open", url)

const usage = (message: string): CommandError => new CommandError({ message, exitCode: exitCodes.usage })
