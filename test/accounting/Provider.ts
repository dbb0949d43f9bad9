/**
 * A provider of models on loopback that serves in lock step: it goes on only when the client has said that it took in what came
 * before, so that nothing is ever on its way when a call is aborted. Its own log says what it served.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

/** What a client asks for. */
export interface CallRequest {
  readonly id: string
  readonly runId: string
  readonly inputTokens: number
  /** The sums of output tokens that the events of a stream tell; of an answer as a whole, the last one counts. */
  readonly outputTokens: ReadonlyArray<number>
  readonly answers: "whole" | "in a stream" | "without usage" | "with a refusal"
  /** How many events of a stream come before its connection is cut. */
  readonly cutAfter?: number | undefined
}

/** What is told of the usage of a call. */
export interface Told {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What the provider did for a call. */
export interface Served {
  readonly runId: string
  readonly told: Told | undefined
  readonly isRefused: boolean
}

interface Call {
  readonly request: CallRequest
  readonly response: ServerResponse
  told: Told | undefined
  /** How many events were sent. */
  sent: number
  /** Whether the client took in all that was sent. */
  isTaken: boolean
  /** Whether the client has gone away. */
  isClosed: boolean
}

export class Provider {
  private readonly calls = new Map<string, Call>()
  private isPaused = false
  private readonly held: Array<() => void> = []
  private onChange: () => void = () => {}

  private constructor(private readonly server: Server) {
    server.on("request", (request, response) => void this.receive(request, response))
  }

  static async start(): Promise<Provider> {
    const server = createServer()
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return new Provider(server)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** What was served, by the id of the call. */
  get log(): ReadonlyMap<string, Served> {
    return new Map(
      Array.from(this.calls, ([id, { request, sent, told }]) => [
        id,
        { runId: request.runId, told, isRefused: request.answers === "with a refusal" && sent > 0 }
      ])
    )
  }

  /** How often something was served. */
  private get servings(): number {
    return Array.from(this.calls.values()).reduce((sum, { sent }) => sum + sent, 0)
  }

  /** Waits until something was served so often. */
  async served(times: number): Promise<void> {
    while (this.servings < times) await this.change()
  }

  /** Serves nothing more, and waits until all that was served was taken in. */
  async pause(): Promise<void> {
    this.isPaused = true
    while (Array.from(this.calls.values()).some(({ isTaken }) => !isTaken)) await this.change()
  }

  /** Forgets what it served before. */
  resume(): void {
    this.calls.clear()
    this.isPaused = false
    this.held.length = 0
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, "close")
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.onChange = resolve
    })
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await text(request))
    if (request.url === "/call") return this.open(body as CallRequest, response)
    response.end()
    this.taken((body as { readonly id: string }).id)
  }

  private open(request: CallRequest, response: ServerResponse): void {
    const call: Call = { request, response, told: undefined, sent: 0, isTaken: true, isClosed: false }
    this.calls.set(request.id, call)
    // Whoever has gone away took what there was.
    response.once("close", () => {
      call.isClosed = true
      this.markTaken(call)
    })
    this.serve(() => this.answer(call))
  }

  private serve(serving: () => void): void {
    if (this.isPaused) this.held.push(serving)
    else serving()
  }

  private answer(call: Call): void {
    const { request, response } = call
    call.sent += 1
    call.isTaken = false
    if (request.answers === "in a stream") {
      response.setHeader("content-type", "text/event-stream")
      this.sendEvent(call)
    } else if (request.answers === "with a refusal") {
      response.writeHead(429).end()
    } else {
      const outputTokens = request.outputTokens.at(-1) ?? 0
      if (request.answers === "whole") call.told = { inputTokens: request.inputTokens, outputTokens }
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ usage: call.told }))
    }
  }

  private sendEvent(call: Call): void {
    const { inputTokens, outputTokens } = call.request
    call.told = { inputTokens, outputTokens: outputTokens[call.sent - 1] ?? 0 }
    call.response.write(`data: ${JSON.stringify(call.told)}\n\n`)
  }

  /** The client took in what was sent, and asks for more. */
  private taken(id: string): void {
    const call = this.calls.get(id)
    if (call === undefined) return
    this.markTaken(call)
    if (call.request.answers === "in a stream" && !call.isClosed) this.serve(() => this.goOn(call))
  }

  private markTaken(call: Call): void {
    call.isTaken = true
    this.onChange()
  }

  private goOn(call: Call): void {
    const { cutAfter, outputTokens } = call.request
    if (call.isClosed) return
    if (call.sent === cutAfter) call.response.destroy()
    else if (call.sent === outputTokens.length) call.response.end()
    else {
      call.sent += 1
      call.isTaken = false
      this.sendEvent(call)
    }
  }
}
