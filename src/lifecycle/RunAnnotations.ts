/**
 * The run on the spans and log lines inside of it, as annotations of the fiber.
 */
import { type Fiber, FiberRef, HashMap, type Tracer } from "effect"
import { type AttributeValue, type Entry, leanEntries, type Run } from "../run/Run.js"
import type { PropagationMode } from "../run/Settings.js"
import { Key, keyPrefix } from "../wire/Wire.js"

/** An annotation. */
export type AttributeEntry = readonly [key: string, value: AttributeValue]

type Annotations = HashMap.HashMap<string, unknown>

const annotatedKeys: ReadonlyArray<string> = [
  Key.runId,
  Key.workflow,
  Key.eventId,
  Key.customerId,
  Key.environment,
  Key.tenantId,
  Key.parentRunId
]

/** Whether an annotation is one of a run. */
export const isRunAnnotation = (key: string): boolean => key.startsWith(keyPrefix)

/** The annotations without what a run put there. */
export const withoutRun = (annotations: Annotations): Annotations =>
  HashMap.size(annotations) === 0 ? annotations : HashMap.removeMany(annotations, annotatedKeys)

/** The annotations without anything of a run: neither its keys nor its business context. */
export const withoutOurs = (annotations: Annotations): Annotations =>
  HashMap.size(annotations) === 0 ? annotations : HashMap.filter(annotations, (_, key) => !key.startsWith(keyPrefix))

/** The annotations of spans and of log lines inside of the run; those of an enclosing run are replaced as a whole. */
export const annotated = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  run: Run,
  mode: PropagationMode,
  further: ReadonlyArray<AttributeEntry> = []
): { readonly onSpans: Annotations; readonly onLogs: Annotations } => {
  const spans = fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations)
  const logs = fiber.getFiberRef(FiberRef.currentLogAnnotations)
  const entries = further.length === 0 ? annotationsOf(run, mode) : [...annotationsOf(run, mode), ...further]
  const onSpans = withEntries(withoutRun(spans), entries)
  // Where nobody else annotates, both are the same empty map, and one new one does for both.
  return { onSpans, onLogs: logs === spans ? onSpans : withEntries(withoutRun(logs), entries) }
}

/** Puts on a span that is already open what spans inside of the run carry. */
export const stamp = (span: Tracer.Span, run: Run, mode: PropagationMode): void => {
  for (const [key, value] of annotationsOf(run, mode)) span.attribute(key, value)
}

/** Annotations and these beside them. */
export const withEntries = (annotations: Annotations, entries: ReadonlyArray<AttributeEntry>): Annotations =>
  HashMap.mutate(annotations, (mutable) => {
    for (const [key, value] of entries) HashMap.set(mutable, key, value)
  })

/** What every span and log line inside of the run carries: its identifying keys, in full mode three more. */
export const annotationsOf = (run: Run, mode: PropagationMode): ReadonlyArray<Entry> => {
  const lean = leanEntries(run)
  if (mode === "lean") return lean
  const entries: Array<Entry> = [...lean, [Key.environment, run.environment]]
  if (run.tenantId !== undefined) entries.push([Key.tenantId, run.tenantId])
  if (run.parentRunId !== undefined) entries.push([Key.parentRunId, run.parentRunId])
  return entries
}

/**
 * The business that a run belongs to, by names in camel case, such as `costCenter`. Names have letters, digits and `_`, at most 64.
 *
 * @example
 * ```ts
 * import { Botanu, type BusinessContext } from "botanu-effect"
 *
 * const support: BusinessContext = { team: "support", costCenter: "CC-1200", isPilot: true }
 * const annotateSupport = Botanu.annotate(support)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type BusinessContext = Readonly<Record<string, AttributeValue>>

/** A business context as attributes. */
export const businessEntries = (context: BusinessContext): ReadonlyArray<AttributeEntry> =>
  Object.entries(context).map(([key, value]) => [attributeName(key), value])

/** The attribute under which a key is recorded: `costCenter` is `botanu.cost_center`. */
export const attributeName = (key: string): string =>
  `${keyPrefix}${key.replace(/[A-Z]/g, (letter, at) => `${at === 0 ? "" : "_"}${letter.toLowerCase()}`)}`
