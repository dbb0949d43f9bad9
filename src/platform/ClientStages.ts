/**
 * What the platform's HTTP client consists of beyond its public API, in the one place that relies on it.
 *
 * Two assumptions, each with a test of its name. A client has the fields `preprocess` and `postprocess`: only the second is run
 * again for each redirect, so only there is each request of a chain seen. `HttpClient.transform` sees it there too and cannot
 * change it; `HttpClient.mapRequest` changes it before the chain begins. And `HttpClient.withScope` keeps what aborts a request in
 * a global `WeakMap` by that request, which a changed copy is not.
 */
import { HttpClient, type HttpClientRequest } from "@effect/platform"
import { Effect, GlobalValue } from "effect"

type Client<E, R> = HttpClient.HttpClient.With<E, R>
type Request = HttpClientRequest.HttpClientRequest

/** The two parts of a client: what is done once with a request, and what sends it, and each redirect of it. */
export interface Stages<E, R> {
  readonly preprocess: HttpClient.HttpClient.Preprocess<E, R>
  readonly postprocess: HttpClient.HttpClient.Postprocess<E, R>
}

/** The stages of a client. One that is not made by the platform's own functions has a single stage. */
export const stagesOf = <E, R>(client: Client<E, R>): Stages<E, R> => {
  const { postprocess, preprocess } = client as Client<E, R> & Partial<Stages<E, R>>
  return typeof preprocess === "function" && typeof postprocess === "function"
    ? { preprocess, postprocess }
    : { preprocess: Effect.succeed, postprocess: Effect.flatMap((request) => client.execute(request)) }
}

/** A client of the stages of another one, with `send` in the place of what sends a request. */
export const withSend = <E, R>(
  { preprocess }: Stages<E, R>,
  send: (request: Request) => ReturnType<Client<E, R>["execute"]>
): Client<E, R> => HttpClient.makeWith((request) => Effect.flatMap(request, send), preprocess)

/** Where `HttpClient.withScope` keeps what aborts a request when the scope is closed. */
const abortOnClose = GlobalValue.globalValue(
  "@effect/platform/HttpClient/scopedRequests",
  () => new WeakMap<Request, AbortController>()
)

/**
 * A copy of a request with other headers or another body, aborted with the original. The platform's own functions would look at
 * the body for its headers, and cannot remove one.
 */
export const altered = (request: Request, fields: Partial<Pick<Request, "headers" | "body">>): Request => {
  const copy: Request = Object.assign(Object.create(Object.getPrototypeOf(request)), request, fields)
  const controller = abortOnClose.get(request)
  if (controller !== undefined) abortOnClose.set(copy, controller)
  return copy
}
