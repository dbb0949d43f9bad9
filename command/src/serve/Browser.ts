/**
 * The browser of the person who started the command.
 */
import { spawn } from "node:child_process"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** The program that opens an address on a platform, and its arguments. No shell reads them, so that an address is one of them. */
export const openerOf = (platform: NodeJS.Platform, url: string): readonly [program: string, ...args: Array<string>] =>
  platform === "darwin"
    ? ["open", url]
    : platform === "win32"
      ? ["rundll32", "url.dll,FileProtocolHandler", url]
      : ["xdg-open", url]

/**
 * Opens an address in the browser. The browser is not a child of the command: it stays when the command ends. Fails where the
 * program that opens addresses is not there or says that it could not.
 */
export const open = (url: string, platform: NodeJS.Platform = process.platform): Effect.Effect<void, CommandError> =>
  Effect.async((resume) => {
    const [program, ...args] = openerOf(platform, url)
    const failed = (why: string) =>
      resume(
        Effect.fail(
          new CommandError({ message: `the browser was not opened: ${program} ${why}`, exitCode: exitCodes.trouble })
        )
      )
    const opener = spawn(program, args, { detached: true, stdio: "ignore" })
    opener.on("error", ({ message }) => failed(`cannot be run: ${message}`))
    opener.on("exit", (code) => (code === 0 ? resume(Effect.void) : failed(`ended with ${code ?? "a signal"}`)))
    opener.unref()
  })
