import { describe, it } from "vitest"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"

describe("RunOpenTelemetry", () => {
  it("requires the origins that runs are propagated to", () => {
    // @ts-expect-error: propagateTo is required
    RunOpenTelemetry.layer()
    // @ts-expect-error: propagateTo is required
    RunOpenTelemetry.layer({})
    // @ts-expect-error: propagateTo is required
    RunOpenTelemetry.layerNodeSdk({ serviceName: "desk", inbound: "untrusted" })
  })

  it("requires a choice of whom to trust, of a layer that sets all of OpenTelemetry up", () => {
    // @ts-expect-error: inbound is required
    RunOpenTelemetry.layerNodeSdk({ serviceName: "desk", propagateTo: [] })
  })
})
