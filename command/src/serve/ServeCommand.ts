/**
 * `botanu serve`: the page over a ledger.
 */
import type { FileSystem, Path } from "@effect/platform"
import { TerminalText } from "botanu-effect/report"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { priceBook } from "../commands/RepriceCommand.js"
import * as PostgresStore from "../store/PostgresStore.js"
import { Screen } from "../terminal/Screen.js"
import * as Browser from "./Browser.js"
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
  readonly prices: string | undefined
  readonly traceUrl: string | undefined
  readonly version: string
  /** Where the files of the page are. @default the files of the package */
  readonly assets?: string
}

/** Serves the page until it is interrupted. */
export const serve = (
  options: ServeOptions
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path | Screen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { complain, print } = yield* Screen
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
      const name = PostgresStore.isUrl(options.ledger)
        ? (yield* PostgresStore.locationOf(options.ledger)).name
        : options.ledger
      const prices =
        options.prices === undefined ? undefined : { source: options.prices, book: yield* priceBook(options.prices) }
      const port = yield* PageServer.listen({
        host: options.host,
        port: options.port,
        token: options.token,
        directory: options.ledger,
        ledger: name,
        prices,
        version: options.version,
        traceUrl: options.traceUrl,
        allowAmend: options.allowAmend,
        assets: options.assets ?? PageAssets.directory
      }).pipe(
        Effect.catchTag("ServeError", ({ cause }) =>
          usage(
            `cannot listen on ${options.host}:${options.port}: ${cause instanceof Error ? cause.message : String(cause)}`
          )
        )
      )
      const host = options.host.includes(":") ? `[${options.host}]` : options.host
      const token = options.token === undefined ? "" : `/?token=${encodeURIComponent(options.token)}`
      const url = `http://${host}:${port}${token}`
      yield* print([`${TerminalText.visible(name)}   ${url}   end with Ctrl-C`])
      // The page is served also where no browser comes of it.
      if (options.open) {
        const opened = options.token === undefined ? Browser.open(url) : Browser.openPrivately(url)
        yield* Effect.catchAll(opened, ({ message }) => complain(`botanu: ${message}`))
      }
      return yield* Effect.never
    })
  )

const leastToken = 16

const isTraceUrl = (text: string): boolean => /^https?:\/\/[^\s]+$/.test(text) && text.includes("{traceId}")

const usage = (message: string): CommandError => new CommandError({ message, exitCode: exitCodes.usage })
