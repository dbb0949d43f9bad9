import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { missingTools } from "./scripts/Tools.mjs"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^botanu-effect$/, replacement: source("index.ts") },
      { find: /^botanu-effect\/(.+)$/, replacement: source("$1/index.ts") }
    ]
  },
  test: {
    // Half of the tests wait for processes and timers of their own. By default one core stays idle.
    maxWorkers: "100%",
    include: ["test/**/*.test.ts", "command/test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...missingTools.flatMap(({ files }) => files)],
    // For slow machines, and those with other work.
    testTimeout: 20_000,
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" }
  }
})
