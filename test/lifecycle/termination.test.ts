/**
 * A process that is stopped delivers what its exporters were handed.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { expect, it } from "@effect/vitest"
import { processProgram } from "../bundle.js"

const program = await processProgram(new URL("terminated.ts", import.meta.url))

it("SIGTERM loses no run whose delivery needs 1.5 seconds", { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] })
  const exit = once(child, "exit")
  const lines: Array<string> = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line === "ready") child.kill("SIGTERM")
  }
  await exit
  expect(lines).toEqual(["ready", "delivered done success", "delivered open canceled"])
})
