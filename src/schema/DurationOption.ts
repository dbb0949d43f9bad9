/**
 * A duration as an option gives it. `Duration.decode` makes zero of a negative one and of `NaN`; an option refuses both.
 */
import { Duration, Either } from "effect"
import { quote } from "./FieldText.js"

/** The duration, which may be infinite, or what was expected instead. */
export const decode = (input: unknown): Either.Either<Duration.Duration, string> =>
  Either.filterOrLeft(
    Either.fromOption(Duration.decodeUnknown(input), () => expected(input)),
    () => !isRefused(input),
    () => expected(input)
  )

const expected = (input: unknown): string => `expected a duration of zero or more, got ${quote(input)}`

const isRefused = (input: unknown): boolean => {
  if (typeof input === "number") return Number.isNaN(input) || input < 0
  if (typeof input === "bigint") return input < 0n
  if (typeof input === "string") return input.startsWith("-")
  return Array.isArray(input) && input.some(isRefused)
}
