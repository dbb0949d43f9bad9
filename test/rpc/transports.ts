/**
 * The ways in which a client reaches the server: real connections, and a real worker thread.
 */
import { createServer } from "node:http"
import { Worker } from "node:worker_threads"
import { type HttpClient, HttpLayerRouter, HttpServer, Socket, SocketServer } from "@effect/platform"
import { NodeHttpClient, NodeHttpServer, NodeSocket, NodeSocketServer, NodeWorker } from "@effect/platform-node"
import { RpcClient, RpcSerialization, RpcServer } from "@effect/rpc"
import { Context, Effect, identity, Layer, type Scope } from "effect"
import { WebSocket } from "undici"
import { RunHttpServer } from "../../src/platform/index.js"
import { type Edge, edges, observed, Records, server } from "./desk.js"

const loopback = { port: 0, host: "127.0.0.1" }

const portOf = (address: SocketServer.Address | HttpServer.Address): number => {
  if (address._tag !== "TcpAddress") throw new Error("expected a TCP address")
  return address.port
}

type Serving = Layer.Layer<never, never, RpcServer.Protocol | Records>

type Routes = Layer.Layer<never, never, HttpLayerRouter.HttpRouter>

const onHttp = (
  serving: Serving,
  protocol: Layer.Layer<RpcServer.Protocol, never, HttpLayerRouter.HttpRouter>,
  edge: Routes = Layer.empty
) =>
  HttpLayerRouter.serve(Layer.merge(Layer.provide(serving, protocol), edge), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    edge === Layer.empty ? identity : RunHttpServer.withLinkedTraces,
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), loopback)),
    observed,
    Layer.build,
    Effect.map((context) => ({
      port: portOf(Context.get(context, HttpServer.HttpServer).address),
      records: Context.get(context, Records)
    }))
  )

/** A server that runs for as long as the scope is open: the protocol of clients, and what becomes known of it. */
export interface Served {
  readonly protocol: Layer.Layer<RpcClient.Protocol, unknown>
  readonly records: Records["Type"]
}

type Starting = Effect.Effect<Served, unknown, Scope.Scope>

const path = "/rpc"

interface HttpOptions {
  readonly transformClient?: (origin: string) => TransformClient
  /** Middleware around the route, to which spans are left. */
  readonly edge?: Routes
}

/** Serves over HTTP on a free port. */
export const overHttp = (serving: Serving, { edge, transformClient = () => identity }: HttpOptions = {}): Starting =>
  Effect.map(
    onHttp(serving, Layer.provide(RpcServer.layerProtocolHttpRouter({ path }), RpcSerialization.layerNdjson), edge),
    ({ port, records }) => {
      const origin = `http://127.0.0.1:${port}`
      const protocol = RpcClient.layerProtocolHttp({ url: origin + path, transformClient: transformClient(origin) })
      return {
        protocol: Layer.provide(protocol, [NodeHttpClient.layerUndici, RpcSerialization.layerNdjson]),
        records
      }
    }
  )

type TransformClient = <E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E, R>

interface WebSocketOptions {
  readonly around?: AroundProtocol
  /** Of the request that opens the socket. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Serves over WebSocket on a free port. */
export const overWebSocket = (
  serving: Serving,
  { around = identity, headers = {} }: WebSocketOptions = {}
): Starting => {
  const ofServer = around(RpcServer.layerProtocolWebsocketRouter({ path }))
  return Effect.map(onHttp(serving, Layer.provide(ofServer, RpcSerialization.layerJson)), ({ port, records }) => {
    const socket = Layer.scoped(Socket.Socket, Socket.makeWebSocket(`ws://127.0.0.1:${port}${path}`)).pipe(
      Layer.provide(
        Layer.succeed(
          Socket.WebSocketConstructor,
          (url) => new WebSocket(url, { headers }) as unknown as globalThis.WebSocket
        )
      )
    )
    return {
      protocol: Layer.provide(RpcClient.layerProtocolSocket(), [socket, RpcSerialization.layerJson]),
      records
    }
  })
}

/** Serves over TCP on a free port. */
export const overTcp = (serving: Serving, around: AroundProtocol = identity): Starting =>
  serving.pipe(
    Layer.provide(around(RpcServer.layerProtocolSocketServer)),
    Layer.provide(RpcSerialization.layerMsgPack),
    Layer.provideMerge(NodeSocketServer.layer(loopback)),
    observed,
    Layer.build,
    Effect.map((context) => {
      const port = portOf(Context.get(context, SocketServer.SocketServer).address)
      const socket = NodeSocket.layerNet({ port, host: loopback.host })
      return {
        protocol: Layer.provide(RpcClient.layerProtocolSocket(), [socket, RpcSerialization.layerMsgPack]),
        records: Context.get(context, Records)
      }
    })
  )

/** What is done to the protocol of a server. */
export type AroundProtocol = <E, R>(
  protocol: Layer.Layer<RpcServer.Protocol, E, R>
) => Layer.Layer<RpcServer.Protocol, E, R>

const inWorker = (edge: Edge) =>
  RpcClient.layerProtocolWorker({ size: 1, concurrency: 100 }).pipe(
    Layer.provide(
      NodeWorker.layerPlatform(() => new Worker(loadedByTsx("./worker.ts"), { eval: true, workerData: edge }))
    )
  )

// Node 20 does not heed `--import` where it starts a thread.
const loadedByTsx = (file: string) =>
  `import("tsx/esm/api").then(({ register }) => {
    register()
    return import(${JSON.stringify(new URL(file, import.meta.url))})
  })`

/** Starts a server behind an edge, and gives the protocol of clients. */
export type Transport = (edge: Edge) => Effect.Effect<Layer.Layer<RpcClient.Protocol, unknown>, unknown, Scope.Scope>

const protocolOf = Effect.map(({ protocol }: Served) => protocol)

/** The kinds of connection. */
export const transports: Readonly<Record<string, Transport>> = {
  HTTP: (edge) => protocolOf(overHttp(server(edges[edge]))),
  WebSocket: (edge) => protocolOf(overWebSocket(server(edges[edge]))),
  TCP: (edge) => protocolOf(overTcp(server(edges[edge]))),
  "a worker": (edge) => Effect.succeed(inWorker(edge))
}
