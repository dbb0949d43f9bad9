/**
 * Run context and cost attribution for Effect programs.
 */
import "./fiber/EffectMajor.js"

export { InvalidAnnotation } from "./BusinessContext.js"
export * as Baggage from "./baggage/Baggage.js"
export {
  Budget,
  BudgetExceeded,
  BudgetPeriod,
  type BudgetScope,
  BudgetStore,
  type BudgetStoreService,
  InvalidBudget,
  type PeriodBudget,
  type Spending
} from "./cost/Budget.js"
export * as Cost from "./cost/Cost.js"
export { CostTotals } from "./cost/CostTotals.js"
export * as Data from "./Data.js"
export * as Delivery from "./Delivery.js"
export * as Llm from "./Llm.js"
export { CompletedRun } from "./lifecycle/CompletedRun.js"
export { RunCancelled } from "./lifecycle/JoinedRun.js"
export type { BusinessContext } from "./lifecycle/RunAnnotations.js"
export * as RunExporter from "./lifecycle/RunExporter.js"
export * as RunMetrics from "./lifecycle/RunMetrics.js"
export * as Outcome from "./Outcome.js"
export * as PriceBook from "./PriceBook.js"
export * as Propagation from "./Propagation.js"
export { RunContext } from "./RunContext.js"
export * as BotanuConfig from "./run/BotanuConfig.js"
export { DeadlineExceeded } from "./run/Deadline.js"
export { InvalidRunContext, type RunOptions } from "./run/NewRun.js"
export { type AttributeValue, Run } from "./run/Run.js"
export * as RunId from "./run/RunId.js"
export { RunStatus } from "./run/RunStatus.js"
export * as Usage from "./Usage.js"
export * as Botanu from "./Workflow.js"
