/**
 * Tracers that throw.
 */
import { Tracer } from "effect"

/** What each method of a span does before it is done; nothing, where it is not said. */
interface Breaks {
  readonly attribute?: (key: string) => void
  readonly event?: (name: string) => void
  readonly end?: () => void
}

export const tracerDown = (): never => {
  throw new Error("tracer down")
}

/** A tracer whose spans break where they are told to. */
export const brokenTracer = ({ attribute = () => {}, end = () => {}, event = () => {} }: Breaks): Tracer.Tracer =>
  Tracer.make({
    span: (name, parent, context, links, startTime, kind) => ({
      _tag: "Span",
      name,
      spanId: "s",
      traceId: "t",
      parent,
      context,
      links,
      sampled: true,
      kind,
      status: { _tag: "Started", startTime },
      attributes: new Map(),
      attribute,
      event,
      end,
      addLinks: () => {}
    }),
    context: (execution) => execution()
  })
