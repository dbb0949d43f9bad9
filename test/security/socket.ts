/**
 * HTTP as bytes on a socket, for requests that no client would send.
 */
import { connect } from "node:net"
import { Effect } from "effect"

/** What came back on a connection, one character for each byte. */
export interface RawAnswer {
  readonly status: number
  /** Whole lines, between the status line and the empty line. */
  readonly headerLines: ReadonlyArray<string>
}

/**
 * Sends a request of these header lines on a connection of its own, one byte for each character, and gives the answer once the
 * server has closed it.
 */
export const exchange = (origin: string, headerLines: ReadonlyArray<string>): Effect.Effect<RawAnswer, Error> =>
  Effect.async((resume) => {
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname)
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (data: string) => {
      text += data
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("close", () => {
      const [statusLine = "", ...lines] = (text.split("\r\n\r\n")[0] ?? "").split("\r\n")
      resume(Effect.succeed({ status: Number(statusLine.split(" ")[1]), headerLines: lines }))
    })
    const request = ["GET / HTTP/1.1", "Host: edge", "Connection: close", ...headerLines, "", ""].join("\r\n")
    socket.write(Buffer.from(request, "latin1"))
    return Effect.sync(() => socket.destroy())
  })
