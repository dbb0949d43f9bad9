/**
 * Whom the server answers: programs on this machine, or those that have the token, and never a page of another site.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Option } from "effect"

export interface TrustOptions {
  /** The address that the server listens on. */
  readonly host: string
  /** What a request must have. Absent: anybody who reaches the address may read. */
  readonly token: string | undefined
}

/** Whether an address is one of this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host)

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const headers = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()"
}

const cookieName = "botanu-token"

/** Refuses requests that are not trusted, and adds the headers that bind the browser. */
export const middleware =
  (options: TrustOptions) =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, R> =>
    HttpApp.withPreResponseHandler(
      guarded(app, options),
      // Errors are answers too.
      (_, response) => Effect.succeed(HttpServerResponse.setHeaders(response, headers))
    )

const guarded = <E, R>(app: HttpApp.Default<E, R>, options: TrustOptions): HttpApp.Default<E, R> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const url = new URL(request.url, "http://botanu")
    const given = url.searchParams.get("token")
    const refused = refusal(request, options)
    if (refused !== undefined) return yield* HttpServerResponse.text(`${refused}\n`, { status: 403 })
    if (options.token !== undefined) {
      if (
        given !== null &&
        isSame(given, options.token) &&
        request.method === "GET" &&
        !url.pathname.startsWith("/api")
      ) {
        url.searchParams.delete("token")
        // The token leaves the address, so that it is in no history and in no copied link.
        return HttpServerResponse.empty({ status: 303 }).pipe(
          HttpServerResponse.setHeaders({
            location: `${url.pathname}${url.search}`,
            "set-cookie": `${cookieName}=${encodeURIComponent(options.token)}; Path=/; HttpOnly; SameSite=Lax`
          })
        )
      }
      if (!hasToken(request, options.token)) {
        return yield* HttpServerResponse.text(
          "This page needs its token: open the address that the command printed.\n",
          {
            status: 401,
            headers: { "www-authenticate": "Bearer" }
          }
        )
      }
    }
    return yield* app
  })

const refusal = (
  { headers, method }: HttpServerRequest.HttpServerRequest,
  { host, token }: TrustOptions
): string | undefined => {
  const named = headers["host"]
  const origin = headers["origin"]
  if (named === undefined) return "The request has no Host."
  // A site that makes its own name point here (DNS rebinding) sends its name. Without a token only names of this machine count.
  if (token === undefined && !isLoopback(nameIn(named)) && nameIn(named) !== host) {
    return `The Host ${JSON.stringify(named)} is not this machine.`
  }
  if (origin !== undefined && hostOf(origin) !== named) return `Pages of ${JSON.stringify(origin)} get no answer.`
  const site = headers["sec-fetch-site"]
  const mode = headers["sec-fetch-mode"]
  // A link from elsewhere may open the page; nothing else from elsewhere is answered.
  if (site !== undefined && site !== "same-origin" && site !== "none" && (mode !== "navigate" || method !== "GET")) {
    return "The request comes from another site."
  }
  return undefined
}

const nameIn = (host: string): string => host.replace(/:\d+$/, "")

const hostOf = (origin: string): string | undefined => {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}

const hasToken = (request: HttpServerRequest.HttpServerRequest, token: string): boolean => {
  const [, bearer] = /^Bearer (.+)$/i.exec(request.headers["authorization"] ?? "") ?? []
  return [bearer, Option.getOrUndefined(Option.fromNullable(request.cookies[cookieName]))].some(
    (given) => given !== undefined && isSame(given, token)
  )
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compares in a time that does not depend on where the texts differ. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))
