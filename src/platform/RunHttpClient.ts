/**
 * The edge of an HTTP client: to which origins the run of a request is propagated.
 */
import {
  FetchHttpClient,
  Headers,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  type HttpClientResponse
} from "@effect/platform"
import { Context, Effect, Either, FiberRef, identity, Layer, Option, Stream } from "effect"
import * as Carrier from "../baggage/Carrier.js"
import { fromEntries, type InvalidOrigin, type Origins } from "../baggage/Origin.js"
import { withoutRun, withRun } from "../baggage/RunMembers.js"
import { SentByClient, Withheld } from "../fiber/TracerWrapper.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { baggageHeaderFor } from "../lifecycle/OutgoingRun.js"
import { changedWithin } from "../tracking/LayeredClient.js"
import { Header } from "../wire/Wire.js"
import { checkedFetch } from "./CheckedFetch.js"
import { altered, stagesOf, withSend } from "./ClientStages.js"

export { InvalidOrigin } from "../baggage/Origin.js"

/**
 * To which origins a client propagates the run.
 *
 * @example
 * ```ts
 * import { RunHttpClient } from "botanu-effect/platform"
 *
 * const options: RunHttpClient.Options = { propagateTo: ["https://billing.internal"] }
 * export const origins = RunHttpClient.layer(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * Origins that receive the run: scheme, host and port, such as `"https://billing.internal"`, `"http://127.0.0.1:8080"`, or
   * `"https://*.internal.example"` for subdomains at any depth. A run carries customer ids, so there is no default, and no
   * other origin receives it.
   */
  readonly propagateTo: ReadonlyArray<string>
}

/**
 * Propagates the run in whose fiber a request is sent to these origins, in its `baggage` header, beside what others put there.
 * For every other origin, and outside of a run, members of `baggage` that name a run are removed from the request, whatever code
 * put them there. Trace headers stay as they are. Of nested clients, a request goes to an origin with the run only where each
 * of them lists it.
 *
 * Each request of a chain of redirects is checked anew: those that `HttpClient.followRedirects` follows above this, and those
 * that `fetch` follows by itself. What is below this is out of its sight: `followRedirects` there, and, through
 * `HttpClient.transform` or `HttpClient.withScope`, a `FetchHttpClient.Fetch` that was given to the client's layer, in place of
 * which the global one is called. `layer` is below everything.
 *
 * Throws `InvalidOrigin` for an entry that is no origin: a list in a program is right or wrong for good. `layer` fails with it.
 *
 * @example
 * ```ts
 * import { FetchHttpClient, HttpClient } from "@effect/platform"
 * import { RunHttpClient } from "botanu-effect/platform"
 * import { Effect } from "effect"
 *
 * const program = Effect.map(HttpClient.HttpClient, RunHttpClient.propagateTo(["https://billing.internal"])).pipe(
 *   Effect.flatMap((client) => Effect.log(typeof client.get)),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category clients
 */
export function propagateTo(origins: ReadonlyArray<string>): <E, R>(client: Client<E, R>) => Client<E, R>
export function propagateTo<E, R>(client: Client<E, R>, origins: ReadonlyArray<string>): Client<E, R>
export function propagateTo<E, R>(
  ...args: [origins: ReadonlyArray<string>] | [client: Client<E, R>, origins: ReadonlyArray<string>]
) {
  const origins = Either.getOrThrowWith(fromEntries(args.length === 1 ? args[0] : args[1]), identity)
  const propagating = <E, R>(client: Client<E, R>) =>
    changedWithin(client, (client) => propagateToOrigins(client, origins))
  return args.length === 1 ? propagating : propagating(args[0])
}

/**
 * The client in the environment, which propagates the run to these origins as `propagateTo` does. Provided with the layer of a client, it is below all
 * that a program makes of that client. Fails with `InvalidOrigin` for an entry that is no origin.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { RunHttpClient } from "botanu-effect/platform"
 * import { Layer } from "effect"
 *
 * export const client = RunHttpClient.layer({ propagateTo: ["https://billing.internal"] }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = ({
  propagateTo
}: Options): Layer.Layer<HttpClient.HttpClient, InvalidOrigin, HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.zipWith(fromEntries(propagateTo), HttpClient.HttpClient, (origins, client) =>
      propagateToOrigins(client, origins)
    )
  )

type Client<E, R> = HttpClient.HttpClient.With<E, R>
type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse

/** What a client that propagates was made of. */
const propagating = new WeakMap<object, { readonly client: object; readonly origins: Origins }>()

/** A client that propagates already is made anew: only directly above what sends is the `fetch` of that one's layer seen. */
const propagateToOrigins = <E, R>(client: Client<E, R>, origins: Origins): Client<E, R> => {
  const known = propagating.get(client)
  const below = (known?.client ?? client) as Client<E, R>
  const ofBoth = known === undefined ? origins : { has: (url: URL) => known.origins.has(url) && origins.has(url) }
  const made = propagateFrom(below, ofBoth)
  propagating.set(made, { client: below, origins: ofBoth })
  return made
}

const propagateFrom = <E, R>(client: Client<E, R>, origins: Origins): Client<E, R> => {
  const stages = stagesOf(client)
  const send = (request: Request): Effect.Effect<Response, E, R> =>
    Effect.withFiberRuntime((fiber) => {
      const { currentContext: context } = fiber
      const isTold = !Context.get(context, Withheld) && Option.exists(HttpClientRequest.toUrl(request), origins.has)
      const run = isTold ? currentRun(context) : undefined
      const baggage = run && baggageHeaderFor(fiber, run)
      const own = withBodyOf(request, context)
      const outgoing =
        baggage === undefined
          ? Effect.succeed(withBaggage(own, withoutRun))
          : checkingRedirects(
              withBaggage(own, (header) => withRun(baggage, header)),
              origins
            )
      return stages
        .postprocess(outgoing)
        .pipe(
          Effect.locally(
            FiberRef.currentContext,
            isTold ? Context.add(context, SentByClient, true) : Context.add(context, Withheld, true)
          ),
          Effect.locally(Headers.currentRedactedNames, redactedNames(fiber.getFiberRef(Headers.currentRedactedNames)))
        )
    })
  return withSend(stages, send)
}

const baggageName = new RegExp(`^${Header.baggage}$`, "i")

/** The request with another `baggage` header; without one where that is empty, and as it is where nothing changes. */
const withBaggage = (request: Request, change: (header: string) => string): Request => {
  const lines = Carrier.lines(request.headers, Header.baggage)
  const header = lines.join(",")
  const changed = change(header)
  if (changed === header && lines.length < 2) return request
  const others = Headers.remove(request.headers, baggageName)
  return altered(request, { headers: changed === "" ? others : Headers.set(others, Header.baggage, changed) })
}

/** The request with a body that is streamed in the caller's context: what it asks of others has nothing to do with this. */
const withBodyOf = (request: Request, context: Context.Context<never>): Request => {
  const { body } = request
  if (body._tag !== "Stream") return request
  const callers = Context.pick(...ourTags)(context)
  // Not by the context of the stream, which one that is provided inside of it would replace.
  const asCaller = Effect.mapInputContext((outer: Context.Context<never>) =>
    Context.merge(Context.omit(...ourTags)(outer), callers)
  )
  const stream = Stream.fromPull(Effect.map(Stream.toPull(body.stream), asCaller))
  return altered(request, { body: HttpBody.stream(stream, body.contentType, body.contentLength) })
}

/** What a request is sent with. */
const ourTags = [Withheld, SentByClient, FetchHttpClient.Fetch] as const

/**
 * The request, for a client that may be one of `fetch`, which follows redirects by itself and with all headers. Such a client
 * calls the `fetch` that is in its context. This runs in that context, where one that was given to its layer is seen too, and
 * changes it for the rest of the request.
 */
const checkingRedirects = (request: Request, origins: Origins): Effect.Effect<Request> =>
  Effect.withFiberRuntime((fiber) => {
    const { currentContext: context } = fiber
    const fetch = Option.getOrElse(Context.getOption(context, FetchHttpClient.Fetch), () => globalThis.fetch)
    const checked = Context.add(context, FetchHttpClient.Fetch, checkedFetch(fetch, origins))
    return Effect.as(FiberRef.set(FiberRef.currentContext, checked), request)
  })

const withRedacted = new WeakMap<RedactedNames, RedactedNames>()

/** The names of headers that are redacted on spans, and `baggage`. */
const redactedNames = (names: RedactedNames): RedactedNames => {
  const known = withRedacted.get(names)
  if (known !== undefined) return known
  const more = [...names, baggageName]
  withRedacted.set(names, more)
  return more
}

type RedactedNames = ReadonlyArray<string | RegExp>
