/**
 * Where the command writes to, and what it can show.
 */
import { Context, Effect, Layer } from "effect"
import * as Progress from "./Progress.js"

/** The standard output and the standard error of the command. */
export class Screen extends Context.Tag("botanu/command/Screen")<
  Screen,
  {
    /** How many columns a line may take. */
    readonly columns: number
    /** Whether characters beyond ASCII can be shown. */
    readonly isUtf8: boolean
    readonly hasColour: boolean
    /** Writes lines to the standard output. */
    readonly print: (lines: ReadonlyArray<string>) => Effect.Effect<void>
    /** Writes one line to the standard error. */
    readonly complain: (line: string) => Effect.Effect<void>
    /** Shows that work goes on, where it takes longer than a second and the standard error is a terminal. */
    readonly working: Progress.Progress["during"]
  }
>() {}

/** What of a process decides how its output looks. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTerminal: boolean
  readonly columns: number | undefined
}

/**
 * What the output of a process can show. Colour is for a terminal only, and never with `NO_COLOR` (no-color.org). A file or a
 * pipe has 100 columns unless `COLUMNS` has another number.
 */
export const abilitiesOf = ({ columns, env, isTerminal }: Surroundings) => {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || ""
  const named = Number(env["COLUMNS"])
  return {
    columns: columns ?? (Number.isInteger(named) && named > 0 ? named : 100),
    isUtf8: locale === "" ? !isTerminal : /utf-?8/i.test(locale),
    hasColour: isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb"
  }
}

/** The screen of this process. */
export const layerProcess: Layer.Layer<Screen> = Layer.sync(Screen, () => {
  const { stderr, stdout } = process
  const abilities = abilitiesOf({ env: process.env, isTerminal: stdout.isTTY === true, columns: stdout.columns })
  const progress =
    stderr.isTTY === true ? Progress.make((text) => write(stderr, text), abilities.isUtf8) : Progress.none
  return {
    ...abilities,
    print: (lines) => Effect.zipRight(progress.end, write(stdout, lines.map((line) => `${line}\n`).join(""))),
    complain: (line) => Effect.zipRight(progress.end, write(stderr, `${line}\n`)),
    working: progress.during
  }
})

/** A reader that goes away, as `head` does, is no error. */
const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    stream.once("error", ignore)
    stream.write(text, () => {
      stream.off("error", ignore)
      resume(Effect.void)
    })
  })

const ignore = () => {}
