#!/usr/bin/env node
/**
 * The program `botanu`.
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { main } from "./Cli.js"
import * as Screen from "./terminal/Screen.js"

const exitCode = main(process.argv).pipe(Effect.provide([NodeContext.layer, Screen.layerProcess]))

NodeRuntime.runMain(
  Effect.tap(exitCode, (code) =>
    Effect.sync(() => {
      process.exitCode = code
    })
  ),
  { disableErrorReporting: true }
)
