/**
 * Where a function of the library was called.
 */

/** Gives file, line and column, where the JavaScript engine knows them. */
export type CallSite = () => string | undefined

/**
 * The place from which `callee` was called. It is captured at once, and put into words only where it is shown. Programs may freeze
 * `Error`, and may change what stacks look like, or throw meanwhile: then the place is not known.
 */
export const callSiteOf = (callee: CallSiteCallee): CallSite => {
  const holder: { stack?: string } = {}
  const limit = engine.stackTraceLimit
  try {
    engine.stackTraceLimit = 1
    try {
      engine.captureStackTrace?.(holder, callee)
    } finally {
      engine.stackTraceLimit = limit
    }
  } catch {
    return unknownPlace
  }
  return () => {
    try {
      return holder.stack?.match(frame)?.[1]
    } catch {
      return undefined
    }
  }
}

const unknownPlace: CallSite = () => undefined

/** Places as frames of a stack, innermost first: nothing where none is known. */
export const framesOf = (...places: ReadonlyArray<CallSite>): string | undefined => {
  const known = places.map((place) => place()).filter((place) => place !== undefined)
  return known.length === 0 ? undefined : known.map((place) => `at (${place})`).join("\n")
}

/** What V8 adds to `Error`, which the types of the language do not have. */
const engine = Error as ErrorConstructor & {
  stackTraceLimit?: number | undefined
  readonly captureStackTrace?: (target: object, callee: CallSiteCallee) => void
}

type CallSiteCallee = (...args: ReadonlyArray<never>) => unknown

const frame = /^ +at (?:.* \()?(.+:\d+:\d+)\)?$/m
