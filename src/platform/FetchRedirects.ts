/**
 * Redirects, followed as `fetch` itself follows them (Fetch Standard, section "HTTP-redirect fetch"), but with each request of
 * the chain in the hands of the caller: `fetch` would carry a `baggage` header to whichever origin it is sent on to.
 */

/** What `fetch` is called with. */
export type Send = (url: URL, init: RequestInit) => Promise<Response>

const maxRedirects = 20

/** Sends a request, and follows its redirects where `init` does not say otherwise, each one by `send`. */
export const follow = async (send: Send, url: URL, init: RequestInit): Promise<Response> => {
  if (init.redirect !== undefined && init.redirect !== "follow") return send(url, init)
  let hop: Hop = { url, init: { ...init, redirect: "manual" } }
  for (let redirects = 0; ; redirects += 1) {
    const response = await send(hop.url, hop.init)
    const next = nextHop(hop, response)
    if (next === undefined) return response
    await response.body?.cancel()
    if (redirects === maxRedirects) throw new TypeError("redirect count exceeded")
    hop = next
  }
}

interface Hop {
  readonly url: URL
  readonly init: RequestInit
}

const redirectStatuses: ReadonlyArray<number> = [301, 302, 303, 307, 308]
const bodyHeaders = ["content-encoding", "content-language", "content-location", "content-type", "content-length"]
const credentialHeaders = ["authorization", "proxy-authorization", "cookie", "host"]

const nextHop = ({ init, url }: Hop, response: Response): Hop | undefined => {
  if (response.type === "opaqueredirect") throw new TypeError("a browser does not show where a redirect leads")
  const location = response.headers.get("location")
  if (!redirectStatuses.includes(response.status) || location === null) return undefined
  const target = new URL(asUtf8(location), url)
  if (!/^https?:$/.test(target.protocol)) throw new TypeError("URL scheme must be a HTTP(S) scheme")
  if (response.status !== 303 && isStream(init.body)) throw new TypeError("a streamed body cannot be sent again")

  const headers = new Headers(init.headers)
  const next: RequestInit = { ...init, headers }
  if (becomesGet(response.status, init.method ?? "GET")) {
    next.method = "GET"
    next.body = null
    for (const name of bodyHeaders) headers.delete(name)
  }
  if (target.origin !== url.origin) for (const name of credentialHeaders) headers.delete(name)
  return { url: target, init: next }
}

const becomesGet = (status: number, method: string): boolean =>
  status === 303 ? method !== "GET" && method !== "HEAD" : (status === 301 || status === 302) && method === "POST"

const isStream = (body: unknown): boolean =>
  body instanceof ReadableStream || (typeof body === "object" && body !== null && Symbol.asyncIterator in body)

/** A header's value is one character for each byte. */
const asUtf8 = (value: string): string =>
  /[\x80-\xff]/.test(value) ? new TextDecoder().decode(Uint8Array.from(value, (byte) => byte.charCodeAt(0))) : value
