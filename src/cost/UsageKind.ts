/**
 * What kinds of things are consumed.
 */
import { Schema } from "effect"

/**
 * `llm`, `database`, `storage`, `messaging`, `compute` or `other`.
 *
 * @example
 * ```ts
 * import { Usage } from "botanu-effect"
 *
 * console.log(Usage.UsageKind.literals)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export const UsageKind = Schema.Literal("llm", "database", "storage", "messaging", "compute", "other")
export type UsageKind = typeof UsageKind.Type
