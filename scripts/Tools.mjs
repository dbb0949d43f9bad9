/**
 * Programs beside Node that some tests need. Where one is not installed, its tests are left out, with a line that says so.
 */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/lib/postgresql/15/bin"]

const tools = [
  // The tests of this example leave out by themselves what needs a broker.
  { program: "redis-server", package: "redis-server", what: "the tests with a broker", files: [] },
  {
    program: "prometheus",
    package: "prometheus",
    what: "the tests of the files of operations",
    files: ["test/examples/operations.test.ts"]
  },
  {
    program: "initdb",
    package: "postgresql-15",
    what: "the tests with a database",
    files: [
      "test/soak/soak.test.ts",
      "test/sql/**",
      "test/cluster/crash.test.ts",
      "test/cluster/processes.test.ts",
      "test/cluster/versions.test.ts",
      "test/examples/order-fulfilment.test.ts",
      "command/test/serve/DatabasePage.test.ts"
    ]
  },
  {
    program: "zsh",
    package: "zsh",
    what: "the tests of completions in zsh and fish",
    files: ["command/test/ShellCompletions.test.ts"]
  },
  {
    program: "fish",
    package: "fish",
    what: "the tests of completions in zsh and fish",
    files: ["command/test/ShellCompletions.test.ts"]
  },
  {
    program: "chromium",
    package: "chromium",
    what: "the tests in a browser",
    files: [
      "command/test/serve/Page.test.ts",
      "command/test/serve/DatabasePage.test.ts",
      "test/package/browser.test.ts"
    ]
  }
]

/** Those that are not installed. */
export const missingTools = tools.filter(({ program }) => !folders.some((folder) => existsSync(join(folder, program))))
