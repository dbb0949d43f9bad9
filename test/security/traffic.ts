/**
 * Many requests at once, on connections that are kept alive.
 */
import { Agent, type IncomingHttpHeaders, request } from "node:http"
import { Effect } from "effect"

export type RequestHeaders = Readonly<Record<string, string | Array<string>>>

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

const connections = 16

/** Sends requests with these headers, and gives their answers in the same order. */
export const sendAll = (
  origin: string,
  requests: ReadonlyArray<RequestHeaders>
): Effect.Effect<ReadonlyArray<Answer>, Error> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Agent({ keepAlive: true, maxSockets: connections })),
    (agent) => Effect.forEach(requests, (headers) => send(origin, headers, agent), { concurrency: connections }),
    (agent) => Effect.sync(() => agent.destroy())
  )

const send = (origin: string, headers: RequestHeaders, agent: Agent): Effect.Effect<Answer, Error> =>
  Effect.async((resume) => {
    // Node keeps a thousand lines, and refuses a request whose host is not among them.
    request(origin, { agent, headers: { host: new URL(origin).host, ...headers } }, (response) => {
      response.resume()
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers })))
    })
      .on("error", (error) => resume(Effect.fail(error)))
      .end()
  })
