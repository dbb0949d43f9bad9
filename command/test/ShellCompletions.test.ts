/**
 * The scripts that complete the command in zsh and fish, run by these shells.
 */
import { execFileSync } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { botanu } from "./botanu.js"

const timeout = 30_000

const scriptOf = async (shell: string): Promise<string> => {
  const { code, out } = await botanu(["--completions", shell])
  expect(code).toBe(0)
  const folder = await mkdtemp(join(tmpdir(), "botanu-completions-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, `botanu.${shell}`)
  await writeFile(path, out)
  return path
}

const words = (output: string): ReadonlyArray<string> =>
  output
    .split(/[\r\n]+/)
    .map((line) => line.split("\t")[0]?.trim() ?? "")
    .filter((word) => word !== "")
    .sort()

/** What a shell does in a terminal of its own: it prints what it would add when tab is pressed. */
const inZsh = (script: string): string => `
autoload -Uz compinit
compinit -D -u
compadd() {
  [[ " $* " == *" -"(O|A|D)" "* ]] && { builtin compadd "$@"; return }
  local -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits
}
press() { print -r "<begin>"; zle complete-word; print -r "<done>" }
zle -N press
bindkey '^I' press
source ${script}
print -r "<ready>"
`

/** Opens such a terminal, types a line, and presses tab. */
const typing = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source $2"
zpty -r shell seen '*<ready>*'
zpty -w -n shell "$1"$'\t'
zpty -r shell seen '*<done>*'
print -r -- \${\${seen#*<begin>}%<done>*}
zpty -d shell
`

/** Lines, and what can follow them. */
const expected: ReadonlyArray<readonly [line: string, words: ReadonlyArray<string>]> = [
  ["botanu rep", ["report", "reprice"]],
  ["botanu doc", ["doctor"]],
  ["botanu report --cust", ["--customer"]],
  ["botanu prune --older", ["--older-than"]],
  ["botanu report --format ", ["csv", "json", "markdown", "table"]],
  ["botanu export --of us", ["usages"]],
  ["botanu nonsense-", []]
]

describe("botanu --completions", () => {
  it("completes commands, options and their values in zsh", { timeout }, async () => {
    const path = await scriptOf("zsh")
    await writeFile(`${path}.terminal`, inZsh(path))
    for (const [line, completed] of expected) {
      const output = execFileSync("zsh", ["-f", "-c", typing, "zsh", line, `${path}.terminal`], {
        encoding: "utf8",
        timeout
      })
      expect([line, words(output)]).toEqual([line, completed])
    }
  })

  it("completes commands, options and their values in fish", { timeout }, async () => {
    const path = await scriptOf("fish")
    for (const [line, completed] of expected) {
      const output = execFileSync("fish", ["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, line], {
        encoding: "utf8"
      })
      expect([line, words(output)]).toEqual([line, completed])
    }
  })
})
