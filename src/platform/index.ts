/**
 * Runs over HTTP, for `@effect/platform`.
 */
export * as RunHttpClient from "./RunHttpClient.js"
export * as RunHttpServer from "./RunHttpServer.js"
