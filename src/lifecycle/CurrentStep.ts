/**
 * The step of a run that a fiber works on, as its context holds it.
 */
import { Context } from "effect"
import type { RunScope } from "./RunScope.js"

/** A part of a run that has a name. */
export interface Step {
  readonly name: string
  /** The run that it is a part of; none where the run was provided without a scope. */
  readonly scope: RunScope | undefined
}

/** Where a fiber's context holds the step. */
export class CurrentStep extends Context.Tag("botanu/Step")<CurrentStep, Step>() {}

/** The innermost step that a context is inside of, if any. */
export const currentStep = (context: Context.Context<never>): Step | undefined =>
  context.unsafeMap.get(CurrentStep.key) as Step | undefined
