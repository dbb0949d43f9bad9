/**
 * Releases the version that the change log is about: `npm run release -- 0.2.0`. With `--dry-run` it checks what can be checked, and
 * says what it would do. Tests are not run: `npm test` is for that.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const isDryRun = process.argv.includes("--dry-run")
const version = process.argv.slice(2).find((argument) => !argument.startsWith("--")) ?? nextVersion()

const read = (file) => readFileSync(join(root, file), "utf8")
const write = (file, text) => writeFileSync(join(root, file), text)
const run = (command, ...args) =>
  execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

/** The version that the change log says comes next. */
function nextVersion() {
  return readFileSync(join(root, "CHANGELOG.md"), "utf8").match(/^To be released as (\S+)\.$/m)?.[1] ?? ""
}

const unreleased = read("CHANGELOG.md").match(/^## \[Unreleased\]\n(.*?)(?=^## \[|$(?![\s\S]))/ms)?.[1] ?? ""

/** Each check gives what is wrong, or nothing. */
const checks = {
  "a version is named": () => (/^\d+\.\d+\.\d+$/.test(version) ? "" : `"${version}" is no version: name one, as 0.2.0`),
  "nothing is uncommitted": () => run("git", "status", "--porcelain").trim(),
  "the branch is main": () => {
    const branch = run("git", "branch", "--show-current").trim()
    return branch === "main" ? "" : `it is ${branch || "detached"}`
  },
  "the tag is new": () => (run("git", "tag", "--list", `v${version}`).trim() === "" ? "" : `v${version} is there`),
  "the change log has entries": () => (/^- /m.test(unreleased) ? "" : "nothing stands under [Unreleased]"),
  "the API reports are current": () => {
    run("npm", "run", "api")
    return run("git", "status", "--porcelain", "api").trim()
  },
  "the packages build": () => {
    run("npm", "run", "build")
    run("npm", "run", "build", "--workspace", "command")
    return ""
  },
  "the packages hold what they promise": () => {
    run("npx", "publint", "--strict")
    return ""
  },
  "no dependency has a known vulnerability": () => {
    run("npm", "audit", "--omit=dev")
    return ""
  }
}

/** What could not be checked stops a release, and not a dry run. */
const isUnknown = (problem) => problem.includes("audit endpoint returned an error")

const problems = Object.entries(checks).flatMap(([title, check]) => {
  let problem
  try {
    problem = check()
  } catch (error) {
    problem = `${error.stdout ?? ""}${error.stderr ?? error.message}`.trim()
  }
  console.log(
    `${problem === "" ? "ok  " : "not "} ${title}${problem === "" ? "" : `\n${problem.replaceAll(/^/gm, "     ")}`}`
  )
  return problem === "" || (isDryRun && isUnknown(problem)) ? [] : [title]
})

if (problems.length > 0) {
  console.log(`\nNot released: ${problems.length} of ${Object.keys(checks).length} checks failed`)
  process.exit(1)
}

const date = new Date().toISOString().slice(0, 10)

/** A manifest of this version. The command, as published, depends on the library by its version. */
const released = (manifest) =>
  manifest
    .replace(/"version": "[^"]+"/, `"version": "${version}"`)
    .replace('"botanu-effect": "file:.."', `"botanu-effect": "^${version}"`)

const steps = {
  [`package.json, command/package.json: version ${version}`]: () => {
    run("npm", "version", version, "--no-git-tag-version", "--allow-same-version")
    run("npm", "version", version, "--no-git-tag-version", "--allow-same-version", "--workspace", "command")
  },
  [`CHANGELOG.md: [Unreleased] becomes [${version}] of ${date}`]: () =>
    write(
      "CHANGELOG.md",
      read("CHANGELOG.md")
        .replace(/^## \[Unreleased\]$/m, `## [Unreleased]\n\n## [${version}] - ${date}`)
        .replace(/^To be released as \S+\.\n\n/m, "")
    ),
  [`commit, and tag v${version}`]: () => {
    run("git", "commit", "--all", "--message", `Release ${version}`)
    run("git", "tag", "--annotate", `v${version}`, "--message", `botanu-effect ${version}`)
  },
  "npm publish: botanu-effect": () => run("npm", "publish", "--access", "public"),
  "npm publish: botanu, the command": () => {
    const manifest = read("command/package.json")
    write("command/package.json", released(manifest))
    try {
      run("npm", "publish", "--access", "public", "--workspace", "command")
    } finally {
      write("command/package.json", manifest)
    }
  },
  "git push --follow-tags": () => run("git", "push", "--follow-tags")
}

console.log(isDryRun ? "\nWould do:" : "")
for (const [title, step] of Object.entries(steps)) {
  if (!isDryRun) step()
  console.log(`${isDryRun ? "    " : "done"} ${title}`)
}
