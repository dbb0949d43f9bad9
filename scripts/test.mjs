/**
 * Everything that must hold before a change goes in: `npm test`. All steps run, except those that need a failed one. The last
 * line of the output is `N passed, N failed`: each test counts, and each other check.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
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

const asCheck = (script, wentWell) =>
  wentWell ? { passed: 1, failures: [] } : { passed: 0, failures: [`${script}: see its output above`] }

/** A script that is one check. */
const check = async (script) => asCheck(script, await npmRun({ script }))

/** A script that runs vitest: what its tests came to. A file that could not be run is one failure. */
const tests = async (script) => {
  const report = join(reports, `${script.replace(":", "-")}.json`)
  const args = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const wentWell = await npmRun({ script, args })
  const { passed, failures } = readReport(report)
  return { passed, failures: wentWell || failures.length > 0 ? failures : [`${script}: see its output above`] }
}

/** How many tests passed, and the name and message of each that failed. */
const readReport = (report) => {
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
    return { passed: numPassedTests, failures: testResults.flatMap(failuresOf) }
  } catch {
    return { passed: 0, failures: [] }
  }
}

const failuresOf = ({ name, status, message, assertionResults }) => {
  const file = relative(root, name)
  const failed = assertionResults.filter((test) => test.status === "failed")
  if (status === "failed" && failed.length === 0) return [`${file}\n${message}`]
  return failed.map(({ fullName, failureMessages }) => `${file} > ${fullName}\n${failureMessages.join("\n")}`)
}

const steps = [await check("lint"), await check("typecheck")]
const build = await check("build")
const isLibraryBuilt = build.failures.length === 0
const commandBuild = isLibraryBuilt ? await check("build:command") : { passed: 0, failures: [] }
const isBuilt = isLibraryBuilt && commandBuild.failures.length === 0
steps.push(build, commandBuild, await tests("test:unit"), await tests("test:integration"))
// The tests of the package wait for installations most of their time.
const peers = npmRunAside("test:peers", "--core")
const docs = npmRunAside("docs")
if (isBuilt) steps.push(await tests("test:package"))
else console.log("\ntest:package is left out: it needs the build")
steps.push(asCheck("test:peers", await peers), asCheck("docs", await docs))

for (const { package: name, program, what } of missingTools) {
  console.log(`\n${what} are left out: there is no ${program} (Debian: apt-get install ${name})`)
}

// Failures stand at the end, where a log that was cut still has them.
const failures = steps.flatMap((step) => step.failures)
for (const failure of failures) console.log(`\nFailed: ${failure.slice(0, 2_000)}`)

const passed = steps.reduce((sum, step) => sum + step.passed, 0)
process.exitCode = failures.length === 0 ? 0 : 1
console.log(`\n${passed} passed, ${failures.length} failed`)
