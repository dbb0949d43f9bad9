/**
 * A service in a process of its own.
 */
import { createServer } from "node:http"
import type { LanguageModel } from "@effect/ai"
import { type HttpApi, HttpApiBuilder, type HttpClient, HttpServer } from "@effect/platform"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Botanu, BotanuConfig, RunExporter } from "botanu-effect"
import { RunHttpServer } from "botanu-effect/platform"
import { Cause, Effect, Layer, Logger, Schedule } from "effect"
import * as Models from "./Models.js"
import * as Parent from "./Parent.js"
import type { ServiceSettings } from "./ServiceSettings.js"

/** Serves an API until it is told to stop, or the process that started this one is gone. */
export const serve = <E>(
  { models, name, trace }: ServiceSettings,
  api: Layer.Layer<HttpApi.Api, E, HttpClient.HttpClient | LanguageModel.LanguageModel>,
  { inbound }: RunHttpServer.Options
): void => {
  const announced = Layer.scopedDiscard(HttpServer.addressFormattedWith(Parent.listening))
  const server = HttpApiBuilder.serve().pipe(
    RunHttpServer.withLinkedTraces,
    Layer.merge(announced),
    Layer.provide(HttpApiBuilder.middleware(RunHttpServer.middleware({ inbound }))),
    Layer.provide(api),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
    Layer.provide(allOnRecord),
    Layer.provide(Models.layer(models)),
    Layer.provide(NodeHttpClient.layer),
    Layer.provide(Models.accounting),
    Layer.provide(trace ? tracing(name) : Layer.empty),
    Layer.provide(RunExporter.layer({ export: Parent.completed })),
    Layer.provide(fullPropagation)
  )
  const served = Effect.raceFirst(Layer.launch(server), Parent.stop).pipe(
    Effect.as(0),
    Effect.catchAllCause((cause) => Effect.as(Effect.logError(`${name} has failed`, cause), 1)),
    Effect.provide(Logger.replace(Logger.defaultLogger, logger))
  )
  Effect.runPromise(served).then((exitCode) => {
    process.exitCode = exitCode
    Parent.leave()
  })
}

const toConsole = Logger.withConsoleError(Logger.logfmtLogger)

/** Warnings go into the report. */
const logger = Logger.make<unknown, void>((entry) => {
  if (entry.logLevel._tag !== "Warning") return toConsole.log(entry)
  const cause = Cause.isEmpty(entry.cause) ? [] : [Cause.pretty(entry.cause)]
  Parent.warned([entry.message, cause].flat().map(String).join(" "))
})

/**
 * Waits at the end for the runs whose requests were given up, and until all runs were heard of: the server does not wait for
 * what it has interrupted.
 */
const allOnRecord = Layer.scopedDiscard(
  Effect.addFinalizer(() => {
    const noneAlive = {
      until: (runs: ReadonlyArray<unknown>) => runs.length === 0,
      schedule: Schedule.spaced("5 millis")
    }
    return Effect.zipRight(Effect.repeat(Botanu.activeRuns, noneAlive), Parent.hasHeardAll)
  })
)

/**
 * The settings of the environment, but in full mode: a deadline, a cancellation and the number of an attempt reach the other
 * service in that one alone.
 */
const fullPropagation = Layer.effect(
  BotanuConfig.BotanuConfig,
  Effect.map(BotanuConfig.config, (settings) => ({ ...settings, propagationMode: "full" as const }))
)

/** Loaded where it is wanted only: the SDK takes its time. */
const tracing = (name: string) =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("./Tracing.js")),
      ({ layer }) => layer(name)
    )
  )
