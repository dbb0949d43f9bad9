/**
 * HTTP clients of ours that wrap another client. What else is put on one can go on the inner client
 * instead, where the context that was given to the layer of the inner client is seen.
 */
import { GlobalValue } from "effect"

type Rebuild<Client> = (change: (inner: Client) => Client) => Client

const rebuilds: WeakMap<object, Rebuild<unknown>> = GlobalValue.globalValue(
  "botanu/LayeredClient",
  () => new WeakMap<object, Rebuild<unknown>>()
)

/** The client that `wrap` makes of an inner one, remembered as such. */
export const layered = <Client extends object>(inner: Client, wrap: (inner: Client) => Client): Client => {
  const client = wrap(inner)
  rebuilds.set(client, ((change: (inner: Client) => Client) => layered(change(inner), wrap)) as Rebuild<unknown>)
  return client
}

/** A client with `change` made to it, below all that `layered` has wrapped it in. */
export const changedWithin = <Client extends object>(client: Client, change: (client: Client) => Client): Client => {
  const rebuild = rebuilds.get(client) as Rebuild<Client> | undefined
  return rebuild === undefined ? change(client) : rebuild((inner) => changedWithin(inner, change))
}
