/**
 * What kinds of things are consumed.
 */
import { Schema } from "effect"

/** `llm`, `database`, `storage`, `messaging`, `compute` or `other`. */
export const UsageKind = Schema.Literal("llm", "database", "storage", "messaging", "compute", "other")
export type UsageKind = typeof UsageKind.Type
