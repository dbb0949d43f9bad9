/**
 * Reports over runs, as pure functions: events with their attempts and outcome, run trees, and what a success cost.
 */
export * as BusinessEvent from "./BusinessEvent.js"
export * as Figures from "./Figures.js"
export * as RunRecord from "./RunRecord.js"
export * as RunTree from "./RunTree.js"
export * as Summary from "./Summary.js"
export * as TerminalText from "./TerminalText.js"
