/**
 * Token usage of any `@effect/ai` model, on the run that caused it.
 */
export * as RunAi from "./RunAi.js"
