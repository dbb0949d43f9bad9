/**
 * What the desk does for those who have a question, over HTTP.
 */
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
import { Schema } from "effect"
import { Ticket } from "./Ticket.js"

class Tickets extends HttpApiGroup.make("tickets").add(
  HttpApiEndpoint.post("work", "/tickets").setPayload(Schema.Struct({ ticket: Ticket }))
) {}

export class DeskApi extends HttpApi.make("DeskApi").add(Tickets) {}
