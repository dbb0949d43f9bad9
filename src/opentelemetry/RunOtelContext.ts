/**
 * A run in an OpenTelemetry context: its baggage, for whatever propagates that, and the run itself.
 */
import { type Baggage, createContextKey, type Context as OtelContext, propagation, trace } from "@opentelemetry/api"
import { type Context, FiberRef, type FiberRefs, GlobalValue } from "effect"
import type { Origins } from "../baggage/Origin.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { internals } from "../fiber/FiberInternals.js"
import { SentByClient, Untrusted, Withheld } from "../fiber/TracerWrapper.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { currentStep } from "../lifecycle/CurrentStep.js"
import { CurrentRequestEdge } from "../lifecycle/Interruption.js"
import { baggageWriterFor, isCancelledFor, outgoingModeFor } from "../lifecycle/OutgoingRun.js"
import { annotationsOf } from "../lifecycle/RunAnnotations.js"
import { currentScope, type RunScope, scopeOf } from "../lifecycle/RunScope.js"
import * as PrivateField from "../run/PrivateField.js"
import type { Entry, Run } from "../run/Run.js"
import { propagationModeFor } from "../run/Settings.js"
import { Key } from "../wire/Wire.js"
import { entriesOf, LazyBaggage, type NamedEntry, othersIn, toOpenTelemetry } from "./OtelBaggage.js"
import { StepContext } from "./StepContext.js"

/** What a context shows, and to whom it belongs. */
export interface RunOtelContext {
  /** The run that is worked on; none for an untrusted request. */
  readonly run: Run | undefined
  /** What spans carry that others make while the context is active. */
  readonly annotations: ReadonlyArray<Entry>
  /** The baggage that the run brings; none where it is not propagated. */
  readonly own: Baggage | undefined
  readonly work: Work
  readonly manner: Manner
  /** What holds the run. */
  readonly scope: RunScope | undefined
  /** The services of the fiber for which this was last found to be right: with the same ones it is right again. */
  rightFor: Context.Context<never> | undefined
  /** The references of that fiber, which hold its services. */
  rightForRefs: FiberRefs.FiberRefs | undefined
}

/** Work that a context is made for, by what is unique to it: the scope of a run, or the edge of a request without one. */
interface Work {
  /** What was active before anything was shown. */
  readonly base: OtelContext
  /** To which origins the run is propagated. */
  readonly origins: PropagatedOrigins
  /** The context for code outside of the work that it wakes up. */
  outside: OtelContext | undefined
  readonly contexts: Map<Manner, ShowingContext>
}

type ShowingContext = StepContext<RunOtelContext>

/** How the work is shown: which of its facets hold, one bit each. */
type Manner = number
const untrusted = 1
const withheld = 2
const stopping = 4

/** To which origins the layers that enclose a fiber propagate its run: to those that are in all of these lists. */
export type PropagatedOrigins = ReadonlyArray<Origins>

/** Where origins cannot be distinguished: no context holds a run's baggage then. */
export const noOrigins: Origins = { has: () => false }

/** The lists of the layers that enclose a fiber. */
export const currentOrigins: FiberRef.FiberRef<PropagatedOrigins> = GlobalValue.globalValue(
  "botanu/RunOpenTelemetry/currentOrigins",
  () => FiberRef.unsafeMake<PropagatedOrigins>([])
)

const key = createContextKey("botanu run")

/** What a context shows, if anything. */
export const runOtelContextIn = (context: OtelContext): RunOtelContext | undefined =>
  context instanceof StepContext ? context.shown : (context.getValue(key) as RunOtelContext | undefined)

/**
 * The context in which a fiber's work is to be done, where `active` is active: the very same, where that shows what the fiber
 * works on; else one that does, on what was active when that work began. For a fiber outside of any run, one without the run
 * that another fiber left there.
 */
export const contextFor = (fiber: AnyFiber, active: OtelContext): OtelContext => {
  const shown = runOtelContextIn(active)
  if (shown !== undefined && isStillRight(shown, fiber)) return active
  if (last !== undefined && last.active === active && isStillRight(last.wanted.shown, fiber)) return last.wanted
  const services = fiber.currentContext.unsafeMap
  const run = currentRun(fiber.currentContext)
  const isUntrusted = services.get(Untrusted.key) === true
  if (run === undefined && !isUntrusted) return shown === undefined ? active : outside(shown)
  const scope = currentScope(fiber.currentContext)
  const step = currentStep(fiber.currentContext)
  // A step that is a part of this run is shown too; one of an enclosing run is the same throughout.
  const owner: object =
    step !== undefined && step.scope === scope
      ? step
      : (scope ?? run ?? (services.get(CurrentRequestEdge.key) as object) ?? fiber)
  const work = workOf(owner, shown === undefined ? active : shown.work.base, fiber.getFiberRef(currentOrigins))
  const manner =
    (isUntrusted ? untrusted : 0) |
    (services.get(Withheld.key) === true || services.get(SentByClient.key) === true ? withheld : 0) |
    (run !== undefined && isCancelledFor(fiber, run) && outgoingModeFor(fiber, run) === "full" ? stopping : 0)
  // Fibers with the same services may each be a work of their own.
  const isOfServices = owner !== fiber
  if (shown?.work === work && shown.manner === manner) {
    if (isOfServices) setRight(shown, fiber)
    return active
  }
  const wanted = shownAs(work, manner, run, fiber)
  if (isOfServices) {
    setRight(wanted.shown, fiber)
    last = { active, wanted }
  }
  return wanted
}

/** What was found last: a fiber that was not resumed in the context of its work looks for it at each step. */
let last: { readonly active: OtelContext; readonly wanted: ShowingContext } | undefined

const shownAs = (work: Work, manner: Manner, run: Run | undefined, fiber: AnyFiber): ShowingContext => {
  const known = work.contexts.get(manner)
  if (known !== undefined) return known
  const made = show(work, manner, run, fiber)
  work.contexts.set(manner, made)
  return made
}

const setRight = (shown: RunOtelContext, fiber: AnyFiber): void => {
  shown.rightFor = fiber.currentContext
  shown.rightForRefs = internals(fiber)._fiberRefs
}

/** What a fiber works on follows from its services. How it is shown depends on two things more. */
const isStillRight = (shown: RunOtelContext, fiber: AnyFiber): boolean => {
  const refs = internals(fiber)._fiberRefs
  if (shown.rightForRefs !== refs) {
    if (shown.rightFor !== fiber.currentContext || shown.work.origins !== fiber.getFiberRef(currentOrigins))
      return false
    shown.rightForRefs = refs
  }
  return shown.scope === undefined || !shown.scope.isCancelled
}

const works = PrivateField.make<Work>()

const workOf = (owner: object, base: OtelContext, origins: PropagatedOrigins): Work => {
  const known = works.get(owner)
  if (known?.origins === origins) return known
  const work: Work = { base, origins, outside: undefined, contexts: new Map() }
  works.set(owner, work)
  return work
}

const show = (work: Work, manner: Manner, run: Run | undefined, fiber: AnyFiber): ShowingContext => {
  const isPropagated = run !== undefined && !(manner & withheld) && !work.origins.includes(noOrigins)
  const header = isPropagated ? baggageWriterFor(fiber, run) : undefined
  const own = header && new LazyBaggage(() => entriesOf(header() ?? ""))
  const others = manner & untrusted ? [] : othersIn(propagation.getBaggage(work.base))
  const step = currentStep(fiber.currentContext)
  const ofRun = run === undefined ? [] : annotationsOf(run, propagationModeFor(fiber))
  const annotations = step === undefined ? ofRun : [...ofRun, [Key.step, step.name] as const]
  const shown: RunOtelContext = {
    run,
    annotations,
    own,
    work,
    manner,
    scope: run && scopeOf(fiber.currentContext, run),
    rightFor: undefined,
    rightForRefs: undefined
  }
  const base =
    own === undefined
      ? withBaggage(work.base, others)
      : propagation.setBaggage(work.base, new LazyBaggage(() => [...own.getAllEntries(), ...others]))
  return new StepContext(base.setValue(key, shown), shown)
}

/** A fiber that an untrusted request wakes is part of neither its baggage nor its trace. */
const outside = ({ manner, work }: RunOtelContext): OtelContext => {
  work.outside ??=
    manner & untrusted
      ? trace.deleteSpan(withBaggage(work.base, []))
      : withBaggage(work.base, othersIn(propagation.getBaggage(work.base)))
  return work.outside
}

/** A context as it is where the run in it is not to be propagated. */
export const withoutRunIn = (context: OtelContext): OtelContext => {
  const baggage = propagation.getBaggage(context)
  const shown = runOtelContextIn(context)
  const base = shown && propagation.getBaggage(shown.work.base)
  const others = othersIn(baggage).filter(
    ([key]) => shown?.own?.getEntry(key) === undefined || base?.getEntry(key) !== undefined
  )
  return others.length === baggage?.getAllEntries().length ? context : withBaggage(context, others)
}

const withBaggage = (context: OtelContext, entries: ReadonlyArray<NamedEntry>): OtelContext =>
  entries.length === 0 ? propagation.deleteBaggage(context) : propagation.setBaggage(context, toOpenTelemetry(entries))
