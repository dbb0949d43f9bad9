/**
 * The text of a `baggage` header, which has no place on spans: it says who your customers are, and may say anything.
 */
import { Option, type Tracer } from "effect"
import { Header } from "../wire/Wire.js"

const redacted = "<redacted>"
const baggageAttribute = `http.request.header.${Header.baggage}`

/** Takes the text off a span and the spans around it, where an HTTP server put the headers of its request there. */
export const redactBaggage = (innermost: Tracer.AnySpan | undefined): void => {
  let span = innermost
  while (span?._tag === "Span") {
    if (span.attributes.has(baggageAttribute)) span.attribute(baggageAttribute, redacted)
    span = Option.getOrUndefined(span.parent)
  }
}
