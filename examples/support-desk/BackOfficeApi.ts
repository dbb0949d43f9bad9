/**
 * What the back office does for the desk, over HTTP.
 */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { ModelOverloaded } from "./ModelOverloaded.js"
import { Access, Payment, Question, Refund } from "./Ticket.js"

export class GatewayUnavailable extends Schema.TaggedError<GatewayUnavailable>()(
  "GatewayUnavailable",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 502 })
) {}

export class IdentityNotProven extends Schema.TaggedError<IdentityNotProven>()(
  "IdentityNotProven",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 403 })
) {}

const Confidence = Schema.Number

class BackOffice extends HttpApiGroup.make("backOffice")
  .add(
    HttpApiEndpoint.post("draftReply", "/replies")
      .setPayload(Schema.Struct({ ticket: Question, deskAttempt: Schema.Int }))
      .addSuccess(Confidence)
      .addError(ModelOverloaded)
  )
  .add(
    HttpApiEndpoint.post("lookUpPayment", "/payments")
      .setPayload(Schema.Struct({ ticket: Refund, payment: Payment }))
      .addSuccess(Payment)
      .addError(GatewayUnavailable)
  )
  .add(
    HttpApiEndpoint.post("checkIdentity", "/identities")
      .setPayload(Schema.Struct({ ticket: Access }))
      .addSuccess(Confidence)
      .addError(IdentityNotProven)
  ) {}

export class BackOfficeApi extends HttpApi.make("BackOfficeApi").add(BackOffice) {}
