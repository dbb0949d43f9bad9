/**
 * Run context and cost attribution for Effect programs.
 */
export * as Baggage from "./Baggage.js"
export * as BotanuConfig from "./BotanuConfig.js"
export { CompletedRun } from "./CompletedRun.js"
export { DeadlineExceeded } from "./Deadline.js"
export { InvalidRunContext, type RunOptions } from "./NewRun.js"
export * as Outcome from "./Outcome.js"
export * as Propagation from "./Propagation.js"
export { RunCancelled } from "./Resume.js"
export { type AttributeValue, Run } from "./Run.js"
export { RunContext } from "./RunContext.js"
export * as RunExporter from "./RunExporter.js"
export * as RunId from "./RunId.js"
export * as RunMetrics from "./RunMetrics.js"
export { RunStatus } from "./RunStatus.js"
export * as Botanu from "./Workflow.js"
