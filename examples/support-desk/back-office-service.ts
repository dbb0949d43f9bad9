/**
 * The service behind the desk. Only the desk reaches it, so its runs are believed: their deadlines hold here too.
 */
import * as BackOffice from "./BackOffice.js"
import * as Service from "./Service.js"
import * as ServiceSettings from "./ServiceSettings.js"

Service.serve(ServiceSettings.ofProcess(), BackOffice.layer, { inbound: "trusted" })
