/**
 * What the system says is wrong with a file.
 */
import { getSystemErrorMap } from "node:util"
import { TerminalText } from "botanu-effect/report"

const { visible } = TerminalText

/** An error of the file system in a few words, such as `no such file or directory`. */
export const describe = (error: unknown): string => {
  const known = error instanceof Error && "errno" in error ? getSystemErrorMap().get(Number(error.errno)) : undefined
  return known?.[1] ?? visible(String(error))
}
