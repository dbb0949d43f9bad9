/**
 * Coverage by branch of the rooms that decide, by vitest's own provider: `npm run test:coverage`, or `npm run test:coverage -- run cost`
 * for some of them. Each room is covered by its own tests: `scripts/DecidingRooms.mjs`. It ends with the branches that no test takes.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { decidingRooms, testsOf } from "./DecidingRooms.mjs"
import { projectWith, root } from "./ProjectAside.mjs"

const { version } = JSON.parse(readFileSync(join(root, "node_modules/vitest/package.json"), "utf8"))
const named = process.argv.slice(2)
const rooms = named.length === 0 ? Object.keys(decidingRooms) : named
for (const room of rooms.filter((name) => !(name in decidingRooms))) {
  console.error(`Name rooms of ${Object.keys(decidingRooms).join(", ")}: "${room}" is none`)
  process.exit(2)
}

const folder = projectWith("coverage", [`@vitest/coverage-v8@${version}`])

const cover = (room) => {
  const reports = join(folder, "node_modules/.coverage", room)
  const options = {
    "typecheck.enabled": false,
    // Code that counts its branches is slow.
    testTimeout: 120_000,
    "coverage.enabled": true,
    "coverage.include": `src/${room}/**`,
    "coverage.reportsDirectory": reports,
    "coverage.reporter": "json",
    "coverage.reportOnFailure": true,
    reporter: "dot"
  }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const { status } = spawnSync("npx", ["vitest", "run", ...args, ...testsOf(room)], { cwd: folder, stdio: "inherit" })
  const files = Object.values(JSON.parse(readFileSync(join(reports, "coverage-final.json"), "utf8")))
  return { room, passed: status === 0, files }
}

/** Each branch of a file: where it is, and whether a test took it. */
const branchesOf = ({ b, branchMap, path }) =>
  Object.entries(branchMap).flatMap(([id, { locations }]) =>
    locations.map(({ start }, index) => ({
      place: `${relative(folder, path)}:${start.line}:${start.column + 1}`,
      isTaken: b[id][index] > 0
    }))
  )

const covered = rooms.map(cover)
for (const { room, files } of covered) {
  const branches = files.flatMap(branchesOf)
  const missed = branches.filter(({ isTaken }) => !isTaken)
  const share = (100 * (1 - missed.length / branches.length)).toFixed(1)
  console.log(`\n${room}: ${branches.length - missed.length} of ${branches.length} branches, ${share} %`)
  for (const { place } of missed) console.log(`  ${place}`)
}
process.exitCode = covered.every(({ passed }) => passed) ? 0 : 1
