/**
 * A bare HTTP server on loopback that keeps what it receives, byte for byte, and says nothing of its own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Deferred, Effect } from "effect"

export interface Received {
  readonly method: string
  readonly path: string
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: string
}

export interface Receiver {
  readonly origin: string
  readonly port: number
  readonly received: ReadonlyArray<Received>
}

export type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** Answers, once a request is there as a whole; with 204 unless told otherwise. */
export const receiver = (answer: Answer = (response) => response.writeHead(204).end()) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<{ readonly server: ReturnType<typeof createServer>; readonly received: Array<Received> }>(
        (resume) => {
          const received: Array<Received> = []
          const server = createServer((request, response) => {
            let body = ""
            request.setEncoding("latin1")
            request.on("data", (data: string) => {
              body += data
            })
            request.on("end", () => {
              const { method = "", rawHeaders, url: path = "" } = request
              received.push({ method, path, rawHeaders, body })
              answer(response, request)
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, received })))
        }
      ),
      ({ server }) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    ({ received, server }): Receiver => {
      const { port } = server.address() as AddressInfo
      return { origin: `http://127.0.0.1:${port}`, port, received }
    }
  )

/** Sends a request on, to a URL that may not be known before. */
export const redirect =
  (status: number, location: () => string): Answer =>
  (response) =>
    response.writeHead(status, { location: location() }).end()

/** The lines of a header, as they came. */
export const linesOf = (name: string, { rawHeaders }: Received): ReadonlyArray<string> =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)

/** Answers nothing; says that a request is there, and then that its connection is gone. */
export const silent = Effect.gen(function* () {
  const arrived = yield* Deferred.make<void>()
  const gone = yield* Deferred.make<void>()
  const { origin } = yield* receiver((response) => {
    Deferred.unsafeDone(arrived, Effect.void)
    response.on("close", () => Deferred.unsafeDone(gone, Effect.void))
  })
  return { origin, arrived: Deferred.await(arrived), gone: Deferred.await(gone) }
})
