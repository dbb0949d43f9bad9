/**
 * The browser of the person who started the command.
 */
import { spawn } from "node:child_process"
import { FileSystem, Path } from "@effect/platform"
import { TerminalText } from "botanu-effect/report"
import { Effect, type Scope } from "effect"
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

/** How long the file of an address lasts: a browser that has to start takes some seconds. */
const fileLasts = "1 minute"

/**
 * Opens an address that holds a secret. Other users of the machine can see the arguments of a program, so the browser is given a
 * file that leads to the address, and that this user alone can read. The file is removed with the scope, and after a minute.
 */
export const openPrivately = (
  url: string,
  platform: NodeJS.Platform = process.platform
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* files.makeTempDirectoryScoped({ prefix: "botanu-open-" })
    const file = path.join(folder, "page.html")
    yield* files.writeFileString(file, leadingTo(url), { flag: "wx", mode: 0o600 })
    yield* Effect.forkScoped(Effect.delay(Effect.ignore(files.remove(file, { force: true })), fileLasts))
    yield* open((yield* path.toFileUrl(file)).href, platform)
  }).pipe(Effect.catchTags({ BadArgument: notWritten, SystemError: notWritten }))

const notWritten = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({
    message: `the browser was not opened: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })

const leadingTo = (url: string): string => {
  const address = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;")
  return `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=${address}">
<title>botanu</title>
<p><a href="${address}">Open the page</a></p>
`
}
