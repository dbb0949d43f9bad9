/**
 * What of the command line says which events a command is about.
 */
import { Options } from "@effect/cli"
import { RunStatus } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import { Clock, Effect, Either, Option } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as Period from "../Period.js"
import type { EventFilter } from "../query/EventFilter.js"

/** The texts of the options. */
export interface EventOptions extends EventFilter {}

/** An option that may be absent. */
export const optionalText = (name: string, description: string) =>
  Options.text(name).pipe(
    Options.withDescription(description),
    Options.optional,
    Options.map((option) => Option.getOrUndefined(option))
  )

/** The options of commands about many events. */
export const eventOptions = {
  since: optionalText("since", "Only events that started since then: 7d, 12h, 2026-11-18, 2026-11-18T14:00:00Z"),
  until: optionalText("until", "Only events that started before then"),
  workflow: optionalText("workflow", "Only events of this workflow"),
  version: optionalText("version-of-workflow", "Only events of this version of their workflow"),
  customer: optionalText("customer", "Only events of this customer"),
  tenant: optionalText("tenant", "Only events of this tenant"),
  environment: optionalText("environment", "Only events of this environment"),
  outcome: Options.choice("outcome", [...Object.values(RunStatus), "running", "lost", "none"]).pipe(
    Options.withDescription("Only events with this outcome"),
    Options.optional,
    Options.map((option) => Option.getOrUndefined(option))
  )
}

/** A mistake on the command line. */
export const usageError = (message: string): CommandError => new CommandError({ message, exitCode: exitCodes.usage })

/** A value of an option as a message quotes it. */
export const quoted = (text: string): string => TerminalText.visible(JSON.stringify(text))

/** The instant that an option names. */
export const instantOf = (name: string, text: string): Effect.Effect<string, CommandError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Either.mapLeft(Period.parse(text, now), (expected) => usageError(`--${name}: ${expected}, got ${quoted(text)}`))
  )

/** The filter that options make, with the instants of `since` and `until`. */
export const filterOf = (options: EventOptions): Effect.Effect<EventFilter, CommandError> =>
  Effect.gen(function* () {
    const { customer, environment, outcome, tenant, version, workflow } = options
    const since = options.since === undefined ? undefined : yield* instantOf("since", options.since)
    const until = options.until === undefined ? undefined : yield* instantOf("until", options.until)
    if (since !== undefined && until !== undefined && since >= until) {
      return yield* usageError("--since: expected a time before --until")
    }
    return { since, until, workflow, version, customer, tenant, environment, outcome }
  })

/** A limit of rows. */
export const limitOption = (description: string) =>
  Options.integer("limit").pipe(
    Options.withDescription(description),
    Options.optional,
    Options.map((option) => Option.getOrUndefined(option))
  )

/** Fails where a limit is not positive. */
export const checkLimit = (limit: number | undefined): Effect.Effect<void, CommandError> =>
  limit !== undefined && limit < 1 ? usageError("--limit: expected a number from 1") : Effect.void
