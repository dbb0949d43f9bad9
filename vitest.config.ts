import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { missingTools } from "./scripts/Tools.mjs"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

const all = ["test/**/*.test.ts", "command/test/**/*.test.ts"]

const integrations = [
  "test/{accounting,ai,cluster,end-to-end,examples,interop,ledger,opentelemetry,platform,rpc,security,soak,sql,workflow}/**/*.test.ts",
  // It collects garbage over and over, which takes longer in a process that other tests have filled.
  "test/lifecycle/Heap.test.ts"
]

/** The parts of `npm test`, by `--mode`. Without one, everything runs. */
const parts: Record<string, { include: Array<string>; exclude: Array<string>; isolate: boolean }> = {
  unit: { include: all, exclude: [...integrations, "test/package/**"], isolate: false },
  // They may change what is global in their process: each file has a process of its own.
  integration: { include: integrations, exclude: [], isolate: true }
}

export default defineConfig(({ mode }) => {
  const { include, exclude, isolate } = parts[mode] ?? { include: all, exclude: [], isolate: true }
  return {
    resolve: {
      alias: [
        { find: /^botanu-effect$/, replacement: source("index.ts") },
        { find: /^botanu-effect\/(.+)$/, replacement: source("$1/index.ts") }
      ]
    },
    test: {
      // Half of the tests wait for processes and timers of their own. By default one core stays idle.
      maxWorkers: "100%",
      include,
      exclude: [...configDefaults.exclude, ...exclude, ...missingTools.flatMap(({ files }) => files)],
      isolate,
      // For slow machines, and those with other work.
      testTimeout: 20_000,
      typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" }
    }
  }
})
