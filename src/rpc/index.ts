/**
 * Runs over RPC, for `@effect/rpc`.
 */
export * as RunRpc from "./RunRpc.js"
