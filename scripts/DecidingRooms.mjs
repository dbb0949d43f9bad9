/**
 * The rooms of `src/` that decide what a run is, how it ends and what it costs. Each is proved by its own tests: those of the folder
 * of its name, and those of the public modules that are made of it.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { root } from "./ProjectAside.mjs"

/** Files and folders of `test/` by room. */
export const decidingRooms = {
  run: ["run", "wire", "RunContext", "Outcome", "BusinessContext", "Workflow"],
  baggage: ["baggage", "run", "Propagation"],
  edge: [
    "edge",
    "platform/nested-edges",
    "platform/uninterruptible-routes",
    "platform/RunHttpServer",
    "rpc/ServerSpan",
    "rpc/RunRpc"
  ],
  lifecycle: [
    "lifecycle",
    "Workflow",
    "Workflow.exit",
    "Resume",
    "RunContext",
    "StreamRun",
    "Delivery",
    "Step",
    "Detached",
    "Outcome",
    "BusinessContext",
    "Propagation",
    "promises",
    "cost/Budget",
    "edge",
    "baggage/Carrier"
  ],
  cost: ["cost", "PriceBook", "Usage", "Llm", "Data", "Step", "tracking"]
}

/** Crowds, heaps, random programs and the whole of a price file: they take long, and fail for what shorter tests fail for, too. */
const long = [
  "lifecycle/crowd",
  "lifecycle/Fuzz",
  "lifecycle/Heap",
  "lifecycle/termination",
  "cost/LiteLlmFile",
  "cost/LiteLlmFuzz"
]

/** The files of the tests of a room. */
export const testsOf = (room) =>
  decidingRooms[room]
    .flatMap((name) =>
      existsSync(join(root, "test", name))
        ? readdirSync(join(root, "test", name)).map((file) => `${name}/${file}`)
        : [`${name}.test.ts`]
    )
    .filter((file) => file.endsWith(".test.ts") && !long.includes(file.slice(0, -".test.ts".length)))
    .map((file) => `test/${file}`)
