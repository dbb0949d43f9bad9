/**
 * A provider of models on loopback. Its log says what it served, and to which runner.
 */
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import type { Asked } from "./orders.js"

export interface ServedCall extends Asked {
  readonly callId: string
  readonly inputTokens: number
}

export class ModelServer {
  readonly served: Array<ServedCall> = []
  private constructor(
    private readonly server: Server,
    readonly url: string
  ) {}

  static async start(): Promise<ModelServer> {
    const server = createServer()
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const models = new ModelServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    server.on("request", async (request, response) => {
      const asked = JSON.parse(await text(request)) as Asked
      const call = { ...asked, callId: `call-${models.served.length}`, inputTokens: 1 + (models.served.length % 7) }
      models.served.push(call)
      response.end(JSON.stringify({ callId: call.callId, inputTokens: call.inputTokens }))
    })
    return models
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, "close")
  }
}
