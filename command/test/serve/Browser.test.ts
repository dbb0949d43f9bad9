/**
 * `--open`: which program opens the page, and what happens where none does.
 */
import { chmod, readFile, stat, writeFile } from "node:fs/promises"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import { Effect, Fiber, Layer, TestClock, TestContext } from "effect"
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Browser from "../../src/serve/Browser.js"
import { serve } from "../../src/serve/ServeCommand.js"
import { Screen } from "../../src/terminal/Screen.js"
import { type Close, makeFolder, until } from "./served.js"

const closes: Array<Close> = []
const path = process.env["PATH"]
let folder: string

beforeEach(async () => {
  folder = await makeFolder(closes)
})

afterEach(() => {
  process.env["PATH"] = path
})

afterAll(async () => {
  for (const close of closes) await close()
})

/** Puts a program first on the PATH, which writes its arguments, each on a line, and ends with a code. */
const makeOpener = async (name: string, code = 0): Promise<() => Promise<ReadonlyArray<string>>> => {
  const written = join(folder, "arguments")
  const program = join(folder, name)
  await writeFile(
    program,
    `#!/bin/sh\nprintf '%s\\n' "$@" > '${written}.part'\nmv '${written}.part' '${written}'\nexit ${code}\n`
  )
  await chmod(program, 0o755)
  process.env["PATH"] = `${folder}${delimiter}${path}`
  return async () => (await readFile(written, "utf8")).trimEnd().split("\n")
}

const hostile = "http://127.0.0.1:4400/?token=a%20b&c=$(touch x)`id`;calc|'\"%PATH%"

describe("the browser", () => {
  it.each([
    ["linux", "xdg-open", []],
    ["freebsd", "xdg-open", []],
    ["darwin", "open", []],
    ["win32", "rundll32", ["url.dll,FileProtocolHandler"]]
  ] as const)(
    "is opened on %s by %s, which gets the address as one argument that no shell reads",
    async (platform, name, first) => {
      const argumentsOf = await makeOpener(name)
      await Effect.runPromise(Browser.open(hostile, platform))
      expect(await argumentsOf()).toEqual([...first, hostile])
    }
  )

  it("that cannot be opened is an error that says why", async () => {
    await makeOpener("xdg-open", 3)
    expect((await Effect.runPromise(Effect.flip(Browser.open("http://127.0.0.1:1", "linux")))).message).toBe(
      "the browser was not opened: xdg-open ended with 3"
    )
    process.env["PATH"] = await makeFolder(closes)
    expect((await Effect.runPromise(Effect.flip(Browser.open("http://127.0.0.1:1", "linux")))).message).toBe(
      "the browser was not opened: xdg-open cannot be run: spawn xdg-open ENOENT"
    )
  })
})

describe("an address that holds a secret", () => {
  const url = 'http://127.0.0.1:4400/?token=a%20secret&c="<x>'

  /** Opens it, and looks at the file that the browser was given. */
  const opened = Effect.gen(function* () {
    const argumentsOf = yield* Effect.promise(() => makeOpener("xdg-open"))
    yield* Browser.openPrivately(url, "linux")
    const given = yield* Effect.promise(argumentsOf)
    expect(given).toEqual([expect.stringMatching(/^file:\/\/\/\S+\.html$/)])
    expect(given.join()).not.toContain("secret")
    return fileURLToPath(given[0] ?? "")
  })
  const isThere = (file: string) =>
    Effect.promise(() =>
      stat(file).then(
        () => true,
        () => false
      )
    )
  const run = <A>(effect: Effect.Effect<A, unknown, NodeContext.NodeContext>) =>
    Effect.runPromise(Effect.provide(effect, [NodeContext.layer, TestContext.TestContext]))

  it("is in no argument, but in a file that its user alone can read, and that is removed in the end", () =>
    run(
      Effect.gen(function* () {
        const file = yield* Effect.scoped(
          Effect.tap(opened, (file) =>
            Effect.promise(async () => {
              expect(await readFile(file, "utf8")).toContain(
                'content="0; url=http://127.0.0.1:4400/?token=a%20secret&amp;c=&quot;&lt;x>"'
              )
              // Windows has no such modes: the folder is in that of the user.
              if (process.platform !== "win32") {
                expect(((await stat(file)).mode & 0o777).toString(8)).toBe("600")
                expect(((await stat(dirname(file))).mode & 0o777).toString(8)).toBe("700")
              }
            })
          )
        )
        expect(yield* isThere(file)).toBe(false)
        expect(yield* isThere(dirname(file))).toBe(false)
      })
    ))

  it("is on the disk for a minute at most", () =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* opened
          yield* TestClock.adjust("59 seconds")
          expect(yield* isThere(file)).toBe(true)
          yield* TestClock.adjust("1 second")
          expect(
            yield* Effect.promise(() =>
              until(
                () => Effect.runPromise(isThere(file)),
                (is) => !is
              )
            )
          ).toBe(false)
        })
      )
    ))
})

describe("botanu serve --open", () => {
  /** Serves an empty ledger until something was printed that a test waits for. */
  const served = async (
    isThere: (out: ReadonlyArray<string>, err: ReadonlyArray<string>) => boolean,
    token: string | undefined = undefined
  ) => {
    const [out, err]: [Array<string>, Array<string>] = [[], []]
    for (const name of ["index.html", "page.js", "page.css", "icon.svg"]) await writeFile(join(folder, name), "")
    const screen = Layer.succeed(Screen, {
      columns: 100,
      isUtf8: true,
      hasColour: false,
      print: (lines) => Effect.sync(() => out.push(...lines)),
      complain: (line) => Effect.sync(() => err.push(line)),
      working: (effect) => effect
    })
    const fiber = Effect.runFork(
      serve({
        ledger: await makeFolder(closes),
        host: "127.0.0.1",
        port: 0,
        open: true,
        token,
        allowAmend: false,
        prices: undefined,
        traceUrl: undefined,
        version: "0.0.0",
        assets: folder
      }).pipe(Effect.provide([NodeContext.layer, screen]))
    )
    while (!isThere(out, err)) await new Promise((go) => setTimeout(go, 10))
    const url = /http\S+/.exec(out[0] ?? "")?.[0] ?? ""
    const { status } = await fetch(new URL("/api/status", url))
    await Effect.runPromise(Fiber.interrupt(fiber))
    return { url, err, status }
  }

  /** Waits for the arguments of the opener. */
  const openedWith = async (token?: string) => {
    const argumentsOf = await makeOpener(Browser.openerOf(process.platform, "")[0])
    let opened: ReadonlyArray<string> = []
    const isOpened = () => {
      argumentsOf().then(
        (found) => {
          opened = found
        },
        () => undefined
      )
      return opened.length > 0
    }
    return { ...(await served(isOpened, token)), opened }
  }

  it("opens the address that it prints", async () => {
    const { err, opened, url } = await openedWith()
    expect(opened).toEqual(Browser.openerOf(process.platform, url).slice(1))
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(err).toEqual([])
  })

  it("keeps a token out of the arguments of the program that opens it", async () => {
    const { err, opened, url } = await openedWith("a secret & more of it")
    expect(url).toMatch(/\/\?token=a%20secret%20%26%20more%20of%20it$/)
    expect(opened.join()).toMatch(/^[^?]*file:\/\/[^?]+\.html$/)
    expect(err).toEqual([])
  })

  it("goes on serving where no browser can be opened, and says so in a line", async () => {
    await makeOpener(Browser.openerOf(process.platform, "")[0], 4)
    const { err, status } = await served((_, err) => err.length > 0)
    expect(err).toEqual([
      `botanu: the browser was not opened: ${Browser.openerOf(process.platform, "")[0]} ended with 4`
    ])
    expect(status).toBe(200)
  })
})
