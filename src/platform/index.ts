/**
 * Runs over HTTP, and prices from a file, for `@effect/platform`.
 */
import "../fiber/EffectMajor.js"

export * as PriceFile from "./PriceFile.js"
export * as RunExporterFile from "./RunExporterFile.js"
export * as RunHttpApi from "./RunHttpApi.js"
export * as RunHttpClient from "./RunHttpClient.js"
export * as RunHttpServer from "./RunHttpServer.js"
