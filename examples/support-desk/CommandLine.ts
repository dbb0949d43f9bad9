/**
 * What the user asks for on the command line.
 */
import { Data, Either } from "effect"
import { visible } from "./Terminal.js"
import { fileSource, type Source, stdinSource } from "./TicketSource.js"

export type Command =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Work"; readonly source: Source; readonly trace: boolean }

/** The arguments are not what the usage says. */
export class WrongUsage extends Data.TaggedError("WrongUsage")<{ readonly problem: string }> {
  override get message(): string {
    return `${this.problem}; ${usage}`
  }
}

const usage = "usage: npm start -- [--trace] [FILE | -]"

export const help = `${usage}

Works support tickets and reports what came of them.

  FILE      tickets as JSON lines; without it, the 40 tickets of examples/support-desk/tickets.jsonl
  -         reads the tickets from standard input
  --trace   prints the spans with their attributes
  --help    prints this

Ctrl-C cancels the tickets in work and reports what was done so far.
`

/** The command that `args` spell. */
export const parse = (args: ReadonlyArray<string>, defaultPath: string): Either.Either<Command, WrongUsage> => {
  if (args.includes("--help") || args.includes("-h")) return Either.right({ _tag: "Help" })
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "-" && arg !== "--trace")
  if (unknown !== undefined) return wrong(`unknown option ${visible(unknown)}`)
  const sources = args.filter((arg) => arg !== "--trace")
  if (sources.length > 1) return wrong(`expected one source of tickets, got ${sources.length}`)
  const [path = defaultPath] = sources
  return Either.right({
    _tag: "Work",
    source: path === "-" ? stdinSource : fileSource(path),
    trace: args.includes("--trace")
  })
}

const wrong = (problem: string): Either.Either<never, WrongUsage> => Either.left(new WrongUsage({ problem }))
