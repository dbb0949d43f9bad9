/**
 * Runs that outlive a process, for `@effect/workflow`.
 */
import "../fiber/EffectMajor.js"

export * as RunWorkflow from "./RunWorkflow.js"
