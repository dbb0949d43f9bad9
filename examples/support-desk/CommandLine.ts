/**
 * What the user asks for on the command line.
 */

import { TerminalText } from "botanu-effect/report"
import { Data, Either } from "effect"
import { fileSource, type Source, stdinSource } from "./TicketSource.js"

const { visible } = TerminalText

export type Command = { readonly _tag: "Help" } | Work

export interface Work {
  readonly _tag: "Work"
  readonly source: Source
  readonly trace: boolean
  /** The file that the model server's log goes to. */
  readonly calls?: string | undefined
}

/** The arguments are not what the usage says. */
export class WrongUsage extends Data.TaggedError("WrongUsage")<{ readonly problem: string }> {
  override get message(): string {
    return `${this.problem}; ${usage}`
  }
}

const usage = "usage: npm start -- [--trace] [--calls FILE] [FILE | -]"

export const help = `${usage}

Works support tickets and reports what came of them.

  FILE          tickets as JSON lines; without it, the 40 tickets of examples/support-desk/tickets.jsonl
  -             reads the tickets from standard input
  --trace       prints the spans with their attributes
  --calls FILE  writes the model server's own log, a line of JSON for each request
  --help        prints this

Ctrl-C cancels the tickets in work and reports what was done so far.
`

/** The command that `args` spell. */
export const parse = (args: ReadonlyArray<string>, defaultPath: string): Either.Either<Command, WrongUsage> => {
  if (args.includes("--help") || args.includes("-h")) return Either.right({ _tag: "Help" })
  const at = args.indexOf("--calls")
  const calls = at === -1 ? undefined : args[at + 1]
  if (at !== -1 && (calls === undefined || calls.startsWith("-"))) return wrong("expected a file after --calls")
  const others = at === -1 ? args : args.toSpliced(at, 2)
  const unknown = others.find((arg) => arg.startsWith("-") && arg !== "-" && arg !== "--trace")
  if (unknown !== undefined) return wrong(`unknown option ${visible(unknown)}`)
  const sources = others.filter((arg) => arg !== "--trace")
  if (sources.length > 1) return wrong(`expected one source of tickets, got ${sources.length}`)
  const [path = defaultPath] = sources
  return Either.right({
    _tag: "Work",
    source: path === "-" ? stdinSource : fileSource(path),
    trace: args.includes("--trace"),
    calls
  })
}

const wrong = (problem: string): Either.Either<never, WrongUsage> => Either.left(new WrongUsage({ problem }))
