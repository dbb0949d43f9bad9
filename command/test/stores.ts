/**
 * The stores that reports are tested on.
 */
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as LedgerStore from "../src/store/LedgerStore.js"
import { ledgerOf } from "./botanu.js"

export interface TestStore {
  readonly name: string
  /** How many examples a property has. */
  readonly numRuns: number
  /** A ledger with these lines, as `--ledger` names it. It is removed after the test. */
  readonly ledgerOf: (lines: ReadonlyArray<string>) => Promise<string>
}

export const stores: ReadonlyArray<TestStore> = [{ name: "a directory", numRuns: 24, ledgerOf }]

/** Reads the ledger at a location. */
export const reading = <A, E>(location: string, effect: Effect.Effect<A, E, LedgerStore.LedgerStore>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Layer.provide(LedgerStore.layer(location), NodeContext.layer)))
