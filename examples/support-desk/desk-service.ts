/**
 * The service that takes tickets. Anybody may send one, so nobody is believed: each ticket begins a run of its own here.
 */
import { Layer } from "effect"
import * as Desk from "./Desk.js"
import * as Operator from "./Operator.js"
import * as Service from "./Service.js"
import * as ServiceSettings from "./ServiceSettings.js"

const settings = ServiceSettings.ofProcess()
const backOffice = Desk.BackOffice.layer(settings.upstream ?? "")

Service.serve(settings, Desk.layer.pipe(Layer.provide([backOffice, Operator.layer])), { inbound: "untrusted" })
