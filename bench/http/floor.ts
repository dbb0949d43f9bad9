/**
 * The least that a request costs that is a run of its own, or is joined to the run that it brings: what the contract wants to see of a
 * run, written by hand in as few steps as there can be. It is no middleware to use: it knows no cancellation, deadline, stream, outcome,
 * usage or exporter.
 */
import { type HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import {
  Clock,
  Context,
  Effect,
  Exit,
  HashMap,
  Metric,
  MetricBoundaries,
  MetricLabel,
  Option,
  type RuntimeFlags,
  Tracer
} from "effect"
import { uuidv7 } from "uuidv7"
import * as ChildFiber from "../../src/fiber/ChildFiber.js"
import type { AnyFiber } from "../../src/fiber/CurrentFiber.js"
import * as FiberRefValues from "../../src/fiber/FiberRefs.js"

class Run extends Context.Tag("bench/Run")<Run, Readonly<Record<string, string>>>() {}

const total = Metric.counter("bench_runs_total")
const duration = Metric.histogram(
  "bench_run_duration_seconds",
  MetricBoundaries.exponential({ start: 0.001, factor: 2, count: 16 })
)
const labels = [MetricLabel.make("workflow", "Customer Support"), MetricLabel.make("status", "success")]

const isText = (text: string): boolean => text.length > 0 && text.length <= 256 && !/\p{Cc}/u.test(text)

const ids = { workflow: "Customer Support", eventId: "ticket-4711", customerId: "bigretail" }

type Keys = Readonly<Record<string, string>>

const put = (attributes: Readonly<Record<string, unknown>>, span: Tracer.AnySpan | undefined) => {
  if (span?._tag === "Span") for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
}

const annotationsOf = (keys: Keys) => HashMap.fromIterable<string, unknown>(Object.entries(keys))

const naming = (keys: Keys, response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeader(
    HttpServerResponse.setHeader(response, "x-botanu-run-id", keys["botanu.run_id"] ?? ""),
    "x-botanu-workflow",
    encodeURIComponent(keys["botanu.workflow"] ?? "")
  )

interface Opened {
  readonly app: HttpApp.Default
  readonly fiber: AnyFiber
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
  readonly context: Context.Context<never>
  readonly annotations: HashMap.HashMap<string, unknown>
  /** Ends the run, and names it on the response. */
  readonly end: (exit: Answer) => Answer
}

type Answer = Exit.Exit<HttpServerResponse.HttpServerResponse>

/** The app in a span of its own, with the keys of a run on spans, log lines and the response, and two metrics. */
const inRun =
  (work: (opened: Opened) => HttpApp.Default) =>
  (app: HttpApp.Default): HttpApp.Default =>
    Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
      if (!Object.values(ids).every(isText)) return Effect.dieMessage("expected texts")
      const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
      const start = clock.unsafeCurrentTimeNanos()
      const runId = uuidv7()
      const keys = {
        "botanu.run_id": runId,
        "botanu.workflow": ids.workflow,
        "botanu.event_id": ids.eventId,
        "botanu.customer_id": ids.customerId
      }
      const server = fiber.currentSpan
      const span = Context.get(fiber.currentDefaultServices, Tracer.Tracer).span(
        `botanu.run/${ids.workflow}`,
        Option.fromNullable(server),
        Context.empty(),
        [],
        start,
        "server"
      )
      put(keys, span)
      put(keys, server)
      put(
        {
          "botanu.environment": "production",
          "botanu.root_run_id": runId,
          "botanu.attempt": 1,
          "botanu.run.start_time": new Date(clock.unsafeCurrentTimeMillis()).toISOString()
        },
        span
      )
      span.event("botanu.run.started", start, { run_id: runId, workflow: ids.workflow })
      const services = new Map(fiber.currentContext.unsafeMap)
      services.set(Tracer.ParentSpan.key, span)
      services.set(Run.key, keys)
      const end = (exit: Answer): Answer => {
        const now = clock.unsafeCurrentTimeNanos()
        const millis = Number(now - start) / 1e6
        put({ "botanu.run.duration_ms": millis, "botanu.outcome.status": "success" }, span)
        span.event("botanu.run.completed", now, {
          run_id: runId,
          workflow: ids.workflow,
          status: "success",
          duration_ms: millis
        })
        span.end(now, exit)
        total.unsafeUpdate(1, labels)
        duration.unsafeUpdate(millis / 1000, labels)
        return Exit.map(exit, (response) => naming(keys, response))
      }
      return work({
        app,
        fiber,
        runtimeFlags,
        context: Context.unsafeMake<never>(services),
        annotations: annotationsOf(keys),
        end
      })
    })

/** With a fiber of its own. */
export const runByHand = inRun(({ annotations, app, context, end, fiber, runtimeFlags }) => {
  const child = ChildFiber.start(app as Effect.Effect<HttpServerResponse.HttpServerResponse>, fiber, {
    context,
    runtimeFlags,
    spanAnnotations: annotations,
    logAnnotations: annotations
  })
  return Effect.async<HttpServerResponse.HttpServerResponse>((resume) => {
    child.addObserver((exit) => resume(end(exit)))
  })
})

/** In the fiber of the request. */
export const runByHandInFiber = inRun(({ annotations, app, context, end, fiber }) => {
  FiberRefValues.setFor(fiber, { context, onSpans: annotations, onLogs: annotations })
  return Effect.matchCauseEffect(app, {
    onSuccess: (response) => end(Exit.succeed(response)),
    onFailure: (cause) => end(Exit.failCause(cause))
  })
})

/** The app in the run that a request brings in its baggage, with the keys of the run on spans, log lines and the response. */
export const joinedByHand = (app: HttpApp.Default): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.withFiberRuntime((fiber) => {
      const keys: Record<string, string> = {}
      for (const member of request.headers["baggage"]?.split(",") ?? []) {
        const end = member.indexOf("=")
        keys[member.slice(0, end).trim()] = decodeURIComponent(member.slice(end + 1))
      }
      if (!Object.values(keys).every(isText)) return Effect.dieMessage("expected texts")
      const server = fiber.currentSpan
      const annotations = annotationsOf(keys)
      const services = new Map(fiber.currentContext.unsafeMap)
      services.set(Run.key, keys)
      const context = Context.unsafeMake<never>(services)
      FiberRefValues.setFor(fiber, { context, onSpans: annotations, onLogs: annotations })
      return Effect.map(app as Effect.Effect<HttpServerResponse.HttpServerResponse>, (response) => {
        put(keys, server)
        return naming(keys, response)
      })
    })
  )
