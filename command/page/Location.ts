/**
 * The address of the page, which holds all of its state: the view, the period, filters, sort, columns and selection.
 */
import { useEffect, useState } from "preact/hooks"

/** A view, and its parameters. */
export interface Location {
  readonly path: string
  readonly parameters: URLSearchParams
}

/** The address now. */
export const current = (): Location => ({ path: location.pathname, parameters: new URLSearchParams(location.search) })

const changed = "botanu:location"

/** The address; the component is drawn again where it changes. */
export const useLocation = (): Location => {
  const [now, setNow] = useState(current)
  useEffect(() => {
    const update = () => setNow(current())
    addEventListener("popstate", update)
    addEventListener(changed, update)
    return () => {
      removeEventListener("popstate", update)
      removeEventListener(changed, update)
    }
  }, [])
  return now
}

/** Goes to an address of the page. `replace` leaves no entry in the history. */
export const go = (href: string, replace = false): void => {
  if (href === location.pathname + location.search) return
  history[replace ? "replaceState" : "pushState"](null, "", href)
  dispatchEvent(new Event(changed))
  if (!replace) scrollTo(0, 0)
}

/** An address with parameters; those that are undefined or empty are left out. */
export const hrefOf = (path: string, parameters: Readonly<Record<string, string | number | undefined>>): string => {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "")
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return search === "" ? path : `${path}?${search}`
}

/** This address with some parameters set, or taken away where `undefined`. */
export const hrefWith = (
  { parameters, path }: Location,
  changes: Readonly<Record<string, string | number | undefined>>,
  toPath = path
): string => hrefOf(toPath, { ...Object.fromEntries(parameters), ...changes })

/** Follows links of the page without loading it again. */
export const followLinks = (event: MouseEvent): void => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return
  }
  const link = event.target instanceof Element ? event.target.closest("a") : null
  if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return
  if (link.pathname.startsWith("/api/")) return
  if (link.hash !== "") return
  event.preventDefault()
  go(link.pathname + link.search)
}
