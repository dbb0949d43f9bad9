/**
 * Where a function of the library was called.
 */

/** Gives file, line and column, where the JavaScript engine knows them. */
export type CallSite = () => string | undefined

/** The place from which `callee` was called. It is captured at once, and put into words only where it is shown. */
export const callSiteOf = (callee: (...args: ReadonlyArray<never>) => unknown): CallSite => {
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 1
  Error.captureStackTrace?.(holder, callee)
  Error.stackTraceLimit = limit
  return () => holder.stack?.match(frame)?.[1]
}

const frame = /^ +at (?:.* \()?(.+:\d+:\d+)\)?$/m
