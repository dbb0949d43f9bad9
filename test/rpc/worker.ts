/**
 * The server in a worker thread.
 */
import { workerData } from "node:worker_threads"
import { NodeRuntime, NodeWorkerRunner } from "@effect/platform-node"
import { RpcServer } from "@effect/rpc"
import { Layer } from "effect"
import { type Edge, edges, observed, server } from "./desk.js"

const protocol = Layer.provide(RpcServer.layerProtocolWorkerRunner, NodeWorkerRunner.layer)

NodeRuntime.runMain(NodeWorkerRunner.launch(observed(Layer.provide(server(edges[workerData as Edge]), protocol))))
