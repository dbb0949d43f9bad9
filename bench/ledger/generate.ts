/**
 * Writes a generated ledger: `npm run generate:ledger -- DIRECTORY [RUNS] [SEED] [DAYS]`. The last day is yesterday in UTC.
 */
import { write } from "./GeneratedLedger.js"

const [directory, runs = "100000", seed = "1", days = "30"] = process.argv.slice(2)
if (directory === undefined) {
  console.error("name a directory: npm run generate:ledger -- DIRECTORY [RUNS] [SEED] [DAYS]")
  process.exitCode = 2
} else {
  const end = Math.floor(Date.now() / 86_400_000) * 86_400_000
  const written = write(directory, { seed: Number(seed), runs: Number(runs), days: Number(days), end })
  console.log(`${written} runs in ${directory}`)
}
