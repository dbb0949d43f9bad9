/**
 * Results of mutation testing: a file of JSON lines for each room, one for each mutant that was tried.
 */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"

const sha = (text) => createHash("sha256").update(text)

/** Names the text of a file: results of another text no longer hold. */
export const textHash = (file) => sha(readFileSync(file)).digest("hex").slice(0, 16)

/** A number from 0 to 1 for a mutant. The sample of a larger share has that of a smaller one in it. */
export const sampleDraw = (seed, key) => sha(`${seed},${key}`).digest().readUInt32BE() / 2 ** 32

/** The last result of each mutant. */
export const readResults = (file) => {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const last = new Map(lines.map((result) => [result.key, result]))
  return [...last.values()].map((result) => ({ ...result, isDetected: ["Killed", "Timeout"].includes(result.status) }))
}
