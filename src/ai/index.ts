/**
 * Token usage of any `@effect/ai` model, on the run that caused it.
 */
import "../fiber/EffectMajor.js"

export * as RunAi from "./RunAi.js"
