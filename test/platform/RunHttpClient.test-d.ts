import { FetchHttpClient, HttpClient, type HttpClientError } from "@effect/platform"
import { Context, type Effect, Layer } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as RunHttpClient from "../../src/platform/RunHttpClient.js"

class Unavailable {
  readonly _tag = "Unavailable"
}
class Token extends Context.Tag("Token")<Token, string>() {}

declare const client: HttpClient.HttpClient.With<Unavailable, Token>
declare const plain: HttpClient.HttpClient
const to = ["https://billing.internal"] as const

describe("a client that tells", () => {
  it("fails and requires as before", () => {
    expectTypeOf(client.pipe(RunHttpClient.propagateTo(to))).toEqualTypeOf<typeof client>()
    expectTypeOf(RunHttpClient.propagateTo(client, to)).toEqualTypeOf<typeof client>()
    expectTypeOf(RunHttpClient.propagateTo(plain, to).get("https://billing.internal")).toExtend<
      Effect.Effect<unknown, HttpClientError.HttpClientError>
    >()
    expectTypeOf(
      plain.pipe(RunHttpClient.propagateTo(to), HttpClient.followRedirects())
    ).toExtend<HttpClient.HttpClient>()
  })

  it("says whom", () => {
    // @ts-expect-error nobody is told by default
    RunHttpClient.propagateTo({})
    // @ts-expect-error a list
    RunHttpClient.propagateTo("https://billing.internal")
    // @ts-expect-error text
    RunHttpClient.propagateTo(client, [undefined])
    // @ts-expect-error nobody is told by default
    RunHttpClient.layer()
  })
})

describe("a layer of one", () => {
  it("fails with the entry that is no origin", () => {
    expectTypeOf(RunHttpClient.layer({ propagateTo: to })).toEqualTypeOf<
      Layer.Layer<HttpClient.HttpClient, RunHttpClient.InvalidOrigin, HttpClient.HttpClient>
    >()
    expectTypeOf(RunHttpClient.layer({ propagateTo: to }).pipe(Layer.provide(FetchHttpClient.layer))).toEqualTypeOf<
      Layer.Layer<HttpClient.HttpClient, RunHttpClient.InvalidOrigin>
    >()
  })
})
