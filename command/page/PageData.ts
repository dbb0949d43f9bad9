/**
 * What the page reads from the data API, and the state of the ledger, live.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import type { Status } from "../src/serve/PageApi.js"
import { hrefOf } from "./Location.js"

/** An answer of the API that is no success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: Readonly<Record<string, unknown>>
  ) {
    super(`the server answered ${status}`)
  }
}

export const request = async <A>(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>> = {},
  init: RequestInit = {}
): Promise<A> => {
  const response = await fetch(hrefOf(`/api/${path}`, parameters), init)
  const isJson = response.headers.get("content-type")?.includes("json") === true
  if (!response.ok) throw new ApiError(response.status, isJson ? await response.json() : {})
  return (isJson ? await response.json() : undefined) as A
}

/** What was read: the last answer stays while the next one is on its way. */
export interface Loaded<A> {
  readonly data: A | undefined
  /** The parameters that `data` is the answer for. */
  readonly key: string
  readonly error: unknown
  readonly isLoading: boolean
}

/** Reads from the API, again where the parameters or the revision change. */
export const useData = <A>(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>> | undefined,
  revision: number
): Loaded<A> => {
  const key = parameters === undefined ? "" : hrefOf(path, parameters)
  const [loaded, setLoaded] = useState<Loaded<A>>({ data: undefined, key: "", error: undefined, isLoading: true })
  const asked = useRef(parameters)
  asked.current = parameters
  useEffect(() => {
    if (key === "") return
    const control = new AbortController()
    setLoaded((before) => ({ ...before, isLoading: true }))
    request<A>(path, asked.current, { signal: control.signal }).then(
      (data) => setLoaded({ data, key, error: undefined, isLoading: false }),
      (error: unknown) => {
        if (!control.signal.aborted) setLoaded((before) => ({ ...before, error, isLoading: false }))
      }
    )
    return () => control.abort()
  }, [path, key, revision])
  return loaded
}

/** How the connection to the server stands. */
export interface Live {
  readonly status: Status | undefined
  /** Since when the server does not answer. */
  readonly goneSinceMs: number | undefined
}

/** Listens to the server. */
export const useLive = (): Live => {
  const [live, setLive] = useState<Live>({ status: undefined, goneSinceMs: undefined })
  useEffect(() => {
    let source: EventSource
    let timer: ReturnType<typeof setTimeout> | undefined
    const listen = () => {
      source = new EventSource("/api/live")
      source.addEventListener("status", ({ data }) =>
        setLive({ status: JSON.parse(data) as Status, goneSinceMs: undefined })
      )
      source.onerror = () => {
        setLive((before) => ({ ...before, goneSinceMs: before.goneSinceMs ?? Date.now() }))
        // A refused connection is not tried again by the browser.
        if (source.readyState === EventSource.CLOSED) timer = setTimeout(listen, 2000)
      }
    }
    listen()
    return () => {
      clearTimeout(timer)
      source.close()
    }
  }, [])
  return live
}

/** The time, again and again, while it is needed. */
export const useNow = (everyMillis: number): number => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMillis)
    return () => clearInterval(timer)
  }, [everyMillis])
  return now
}

/** Whether something has lasted for so long: nothing flickers for a short wait. */
export const useLasting = (isSo: boolean, millis: number): boolean => {
  const [lasts, setLasts] = useState(false)
  useEffect(() => {
    if (!isSo) return setLasts(false)
    const timer = setTimeout(() => setLasts(true), millis)
    return () => clearTimeout(timer)
  }, [isSo, millis])
  return isSo && lasts
}
