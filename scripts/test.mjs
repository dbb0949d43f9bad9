/**
 * Everything that must hold before a change goes in: `npm test`. All steps run, except those that need a failed one. The last
 * line of the output is `N passed, N failed`: each test counts, and each other check.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { missingTools } from "./Tools.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const reports = mkdtempSync(join(tmpdir(), "botanu-test-"))
process.once("exit", () => rmSync(reports, { recursive: true, force: true }))
const patienceMillis = 12 * 60_000

/** Runs a script of package.json, and gives whether it went well. Its output is printed when it has ended. */
const npmRunAside = async (script, ...args) => {
  const output = []
  const wentWell = await npmRun({ script, args, onOutput: (text) => output.push(text) })
  process.stdout.write(output.join(""))
  return wentWell
}

/** Runs a script of package.json on this terminal, or with a reader of its output, and gives whether it went well. */
const npmRun = async ({ script, args = [], onOutput }) => {
  // A process group of its own, so that it can be ended with all that it started.
  const child = spawn("npm", ["run", script, "--", ...args], {
    cwd: root,
    detached: true,
    stdio: onOutput ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"]
  })
  for (const stream of onOutput ? [child.stdout, child.stderr] : []) stream.setEncoding("utf8").on("data", onOutput)
  const end = () => process.kill(-child.pid, "SIGKILL")
  const timer = setTimeout(() => {
    console.log(`\n${script} is ended after ${patienceMillis / 1000} seconds`)
    end()
  }, patienceMillis)
  const leave = () => {
    end()
    process.exit(130)
  }
  process.once("SIGINT", leave).once("SIGTERM", leave)
  const [exitCode] = await once(child, "close")
  process.off("SIGINT", leave).off("SIGTERM", leave)
  clearTimeout(timer)
  return exitCode === 0
}

const asCheck = (wentWell) => (wentWell ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 })

/** A script that is one check. */
const check = async (script) => asCheck(await npmRun({ script }))

/** A script that runs vitest: what its tests came to. A file that could not be run is one failure. */
const tests = async (script) => {
  const report = join(reports, `${script.replace(":", "-")}.json`)
  const args = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const wentWell = await npmRun({ script, args })
  const { passed, failed } = countTests(report)
  return { passed, failed: wentWell ? failed : Math.max(1, failed) }
}

const countTests = (report) => {
  try {
    const { numFailedTests, numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
    const brokenFiles = testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed")
    )
    return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length }
  } catch {
    return { passed: 0, failed: 0 }
  }
}

const steps = [await check("lint"), await check("typecheck")]
const build = await check("build")
const commandBuild = build.failed === 0 ? await check("build:command") : { passed: 0, failed: 0 }
const isBuilt = build.failed + commandBuild.failed === 0
steps.push(build, commandBuild, await tests("test:core"), await tests("test:unit"))
// The tests of the package wait for installations most of their time.
const asides = [npmRunAside("test:peers", "--core"), npmRunAside("docs")]
if (isBuilt) steps.push(await tests("test:package"))
else console.log("\ntest:package is left out: it needs the build")
for (const wentWell of await Promise.all(asides)) steps.push(asCheck(wentWell))

for (const { package: name, program, what } of missingTools) {
  console.log(`\n${what} are left out: there is no ${program} (Debian: apt-get install ${name})`)
}

const passed = steps.reduce((sum, step) => sum + step.passed, 0)
const failed = steps.reduce((sum, step) => sum + step.failed, 0)
process.exitCode = failed === 0 ? 0 : 1
console.log(`\n${passed} passed, ${failed} failed`)
