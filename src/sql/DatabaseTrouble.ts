/**
 * What is wrong with a database, by the errors that come from it.
 */

/** The SQLSTATE behind an error; `undefined` where the trouble is another, such as a connection that was lost. */
export const stateOf = (error: unknown): string | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  if ("code" in error && typeof error.code === "string" && sqlState.test(error.code)) return error.code
  return "cause" in error ? stateOf(error.cause) : undefined
}

// `EPIPE` is none.
const sqlState = /^[0-9FHPX][0-9A-Z]{4}$/

/** Classes of SQLSTATE of a server that may do it later: connections, rollbacks, resources, locks, shutdown, the system. */
const passing: ReadonlySet<string> = new Set(["08", "25", "40", "53", "55", "57", "58"])

/** Whether the same statement may succeed later. */
export const isPassing = (error: unknown): boolean => {
  const state = stateOf(error)
  return state === undefined || passing.has(state.slice(0, 2))
}

/** What the database says is wrong, in one line. */
export const textOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  const message = "message" in error ? String(error.message) : String(error)
  const cause = "cause" in error && error.cause !== undefined ? `: ${textOf(error.cause)}` : ""
  return `${message}${cause}`
}
