/**
 * Runs on a cluster, for `@effect/cluster`.
 */
import "../fiber/EffectMajor.js"

export * as RunCluster from "./RunCluster.js"
