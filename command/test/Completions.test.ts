/**
 * The script that completes the command in bash, run by bash.
 */
import { execFileSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { botanu } from "./botanu.js"

/** Calls the function of the script as bash does when tab is pressed at the end of a line. */
const pressTab = `
press_tab() {
  COMP_LINE="$1" COMP_POINT=\${#1} COMPREPLY=()
  read -ra COMP_WORDS <<< "$1"
  [[ "$1" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  [[ "$(complete -p botanu)" =~ -F\\ ([^ ]+) ]]
  "\${BASH_REMATCH[1]}" botanu "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
  printf '%s\\n' "\${COMPREPLY[@]}"
}
press_tab "$1"`

describe("botanu --completions bash", () => {
  it("prints a script that completes commands and options in bash", { timeout: 30_000 }, async () => {
    const { code, out } = await botanu(["--completions", "bash"])
    expect(code).toBe(0)
    const completed = (line: string): ReadonlyArray<string> =>
      execFileSync("bash", ["--norc", "-c", `${out}\n${pressTab}`, "bash", line], { encoding: "utf8" })
        .trim()
        .split("\n")
    expect(completed("botanu rep")).toEqual(["report", "reprice"])
    expect(completed("botanu doc")).toEqual(["doctor"])
    expect(completed("botanu report --cust")).toEqual(["--customer"])
    expect(completed("botanu export --of")).toEqual(["--of"])
    expect(completed("botanu prune --older")).toEqual(["--older-than"])
    expect(completed("botanu nonsense-")).toEqual([""])
  })

  it("refuses a shell that it does not know", async () => {
    const { code, err, out } = await botanu(["--completions", "tcsh"])
    expect([code, out, err.split("\n").length]).toEqual([2, "", 1])
  })
})
