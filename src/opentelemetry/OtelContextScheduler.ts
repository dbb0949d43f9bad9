/**
 * Fibers that resume in the OpenTelemetry context of their own work, whichever fiber wakes them up: left to itself, the context of the
 * one that does so is active in them, and in all that are resumed with them in one go.
 */
import { context, type Context as OtelContext } from "@opentelemetry/api"
import type { Scheduler } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { doTask, inContext } from "./FiberTask.js"
import { contextFor } from "./RunOtelContext.js"
import { StepContext } from "./StepContext.js"

/** A scheduler that does as another one does, in the right context. */
export const otelContextScheduler = (scheduler: Scheduler.Scheduler): Scheduler.Scheduler =>
  scheduler instanceof FiberScheduler ? scheduler : new FiberScheduler(scheduler)

class FiberScheduler implements Scheduler.Scheduler {
  constructor(private readonly scheduler: Scheduler.Scheduler) {}

  shouldYield(fiber: AnyFiber): number | false {
    return this.scheduler.shouldYield(fiber)
  }

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: AnyFiber): void {
    const active = context.active()
    const inWanted = fiber === undefined ? () => inContext(active, task) : inTaskOf(fiber, active, task)
    this.scheduler.scheduleTask(inWanted, priority, fiber)
  }
}

const inTaskOf = (fiber: AnyFiber, active: OtelContext, task: Scheduler.Task): Scheduler.Task => {
  const wanted = contextToResumeIn(fiber, active)
  return () => doTask(fiber, wanted, task)
}

const contextToResumeIn = (fiber: AnyFiber, active: OtelContext): OtelContext => {
  const shown = contextFor(fiber, active)
  const span = fiber.currentSpan
  return (span !== undefined && shown instanceof StepContext && shown.lastOf(span)) || shown
}
