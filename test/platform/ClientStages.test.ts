/**
 * What the library assumes of the platform's HTTP client beyond its public API. Where one of these fails after an upgrade of
 * `@effect/platform`, `src/platform/ClientStages.ts` is the place to mend.
 */
import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, GlobalValue, Scope } from "effect"
import { altered, stagesOf, withSend } from "../../src/platform/ClientStages.js"

const answering = (respond: (url: string) => Response) => {
  const sent: Array<string> = []
  const client = HttpClient.make((request, url) =>
    Effect.sync(() => {
      sent.push(url.href)
      return HttpClientResponse.fromWeb(request, respond(url.href))
    })
  )
  return { client, sent }
}

const redirecting = () =>
  answering((url) =>
    url.endsWith("/old")
      ? new Response(null, { status: 302, headers: { location: "http://b.example/new" } })
      : new Response(null, { status: 204 })
  )

describe("@effect/platform", () => {
  it("gives a client the fields `preprocess` and `postprocess`", () => {
    const client = answering(() => new Response()).client.pipe(
      HttpClient.mapRequest((request) => request),
      HttpClient.transformResponse((response) => response)
    )
    expect(Object.keys(client)).toEqual(expect.arrayContaining(["preprocess", "postprocess"]))
    expect(stagesOf(client)).toEqual({
      preprocess: (client as unknown as Record<string, unknown>)["preprocess"],
      postprocess: (client as unknown as Record<string, unknown>)["postprocess"]
    })
  })

  it.effect("runs `preprocess` once, and `postprocess` for each request of a chain of redirects", () =>
    Effect.gen(function* () {
      const { client, sent } = redirecting()
      const log: Array<string> = []
      const prepared = HttpClient.mapRequest(client, (request) => {
        log.push("preprocess")
        return HttpClientRequest.prependUrl(request, "http://a.example")
      })
      const stages = stagesOf(prepared)
      const seen = withSend(stages, (request) => {
        log.push(request.url)
        return stages.postprocess(Effect.succeed(request))
      })
      yield* HttpClient.followRedirects(seen).get("/old")
      expect(log).toEqual(["preprocess", "http://a.example/old", "http://b.example/new"])
      expect(sent).toEqual(["http://a.example/old", "http://b.example/new"])
    })
  )

  it.effect("keeps what aborts a request of `withScope` in `@effect/platform/HttpClient/scopedRequests`", () =>
    Effect.gen(function* () {
      const known = GlobalValue.globalValue(
        "@effect/platform/HttpClient/scopedRequests",
        () => new WeakMap<HttpClientRequest.HttpClientRequest, AbortController>()
      )
      const controllers: Array<AbortController | undefined> = []
      const signals: Array<AbortSignal> = []
      const bare = HttpClient.make((request, _, signal) => {
        signals.push(signal)
        return Effect.succeed(HttpClientResponse.fromWeb(request, new Response()))
      })
      const stages = stagesOf(bare)
      const client = withSend(stages, (request) => {
        controllers.push(known.get(request))
        return stages.postprocess(Effect.succeed(altered(request, { headers: request.headers })))
      })
      const scope = yield* Scope.make()
      yield* Scope.extend(HttpClient.withScope(client).get("http://a.example/"), scope)
      expect(controllers[0]).toBeInstanceOf(AbortController)
      expect(signals).toEqual([controllers[0]?.signal])
    })
  )
})

describe("a client that the platform's functions did not make", () => {
  it.effect("is one stage, which its `execute` is", () =>
    Effect.gen(function* () {
      const { client, sent } = redirecting()
      const own: HttpClient.HttpClient = Object.create(client, {
        preprocess: { value: undefined },
        postprocess: { value: undefined }
      })
      const stages = stagesOf(own)
      const response = yield* withSend(stages, (request) => stages.postprocess(Effect.succeed(request))).get(
        "http://a.example/new"
      )
      expect(response.status).toBe(204)
      expect(sent).toEqual(["http://a.example/new"])
    })
  )
})
