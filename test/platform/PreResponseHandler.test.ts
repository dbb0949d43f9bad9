/**
 * What a handler adds to its response stays, also where the handler is a run that fails.
 */
import { HttpApp, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Botanu } from "../../src/index.js"
import { ids } from "../runs.js"

const refused = Effect.zipRight(
  HttpApp.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", "30"))
  ),
  Effect.fail("refused")
)

const answered = <E>(work: Effect.Effect<never, E>) =>
  Effect.catchAll(work, () => HttpServerResponse.empty({ status: 403 }))

describe("a handler that appends a pre-response handler and then fails", () => {
  const handlers = {
    bare: answered(refused),
    "as a run": answered(Botanu.workflow(refused, "W", ids)),
    "as a run under a deadline": answered(Botanu.workflow(refused, "W", { ...ids, deadline: "1 hour" })),
    "as a run inside another": answered(
      Botanu.workflow(Botanu.workflow(refused, "Inner", ids), "W", { ...ids, deadline: "1 hour" })
    )
  }
  it.each(Object.entries(handlers))("keeps its header: %s", async (_, handler) => {
    const response = await HttpApp.toWebHandler(handler)(new Request("http://localhost/"))
    expect([response.status, response.headers.get("retry-after")]).toEqual([403, "30"])
  })
})
