/**
 * Runs over RPC, for `@effect/rpc`.
 */
import "../fiber/EffectMajor.js"

export * as RunRpc from "./RunRpc.js"
