/**
 * The tests that the gate runs shortened, in their long form: `npm run test:long`. It takes hours. `npm run test:long -- crash` runs
 * those whose file has `crash` in its name.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** How much each test does in its long form. */
const sizes = {
  "test/accounting/abort-accounting.test.ts": { INTERLEAVINGS: "1000", STOPS: "50" },
  "test/cost/LiteLlmFuzz.test.ts": { BOTANU_PRICE_USAGES: "100" },
  "test/lifecycle/crowd.test.ts": { CROWD: "100000" },
  "test/lifecycle/Fuzz.test.ts": { BOTANU_FUZZ_PROGRAMS: "20000" },
  "test/lifecycle/Heap.test.ts": { BOTANU_HEAP_RUNS: "1000000" },
  "command/test/store/CompactionHistory.test.ts": { HISTORIES: "160" },
  "test/ledger/crash.test.ts": { CRASHES: "200" },
  "test/sql/outage.test.ts": { CRASHES: "200", OUTAGE_SECONDS: "30" },
  "test/soak/soak.test.ts": { SOAK_SECONDS: "1800" },
  "test/sql/processes.test.ts": { RUNS: "5000" },
  "test/package/package.test.ts": { TYPESCRIPT_VERSIONS: "5.4 5.5 5.6 5.7 5.8 5.9 6.0 latest" },
  "test/cluster/crash.test.ts": { KILLS: "50", TERMINATIONS: "20" }
}

const wanted = process.argv[2] ?? ""
const files = Object.entries(sizes).filter(([file]) => file.includes(wanted))
const failed = files.filter(([file, size]) => {
  const { status } = spawnSync("npx", ["vitest", "run", "--typecheck.enabled=false", file], {
    cwd: root,
    env: { ...process.env, ...size },
    stdio: "inherit"
  })
  return status !== 0
})
console.log(`\n${files.length - failed.length} passed, ${failed.length} failed`)
process.exitCode = failed.length === 0 ? 0 : 1
