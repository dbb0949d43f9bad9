/**
 * A `fetch` that propagates a run to listed origins only, also where it is redirected.
 */
import { Context, Effect, Fiber, Option, Runtime } from "effect"
import type { Origins } from "../baggage/Origin.js"
import { withoutRun } from "../baggage/RunMembers.js"
import { Withheld } from "../fiber/TracerWrapper.js"
import { Header } from "../wire/Wire.js"
import { follow, type Send } from "./FetchRedirects.js"

/** `fetch`, as a client of the platform calls it, with the run taken off each request to an origin that is none of these. */
export const checkedFetch = (fetch: typeof globalThis.fetch, origins: Origins): typeof globalThis.fetch => {
  const checked: Send = (url, init) => {
    // A request that is sent on is sent outside of the fiber.
    const withheld = Runtime.runSync(withholdingRuntime())
    const send: Send = (url, init) =>
      origins.has(url) ? fetch(url, init) : withheld(Effect.sync(() => fetch(url, untold(init))))
    return follow(send, url, init)
  }
  return checked as typeof globalThis.fetch
}

/** The runtime of the fiber that calls, for a call to someone who may not know of the run. */
const withholdingRuntime = (): Runtime.Runtime<never> =>
  Option.match(Fiber.getCurrentFiber(), {
    onNone: () => Runtime.defaultRuntime,
    onSome: (fiber) =>
      Runtime.make({
        context: Context.add(fiber.currentContext, Withheld, true),
        fiberRefs: fiber.getFiberRefs(),
        runtimeFlags: Runtime.defaultRuntimeFlags
      })
  })

const untold = (init: RequestInit): RequestInit => {
  const headers = new Headers(init.headers)
  const baggage = withoutRun(headers.get(Header.baggage) ?? "")
  if (baggage === "") headers.delete(Header.baggage)
  else headers.set(Header.baggage, baggage)
  return { ...init, headers }
}
