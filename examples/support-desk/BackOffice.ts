/**
 * The back office: a service behind the desk, over HTTP. Each piece of work is a run inside the desk's, which arrives with the
 * request.
 */
import { createServer } from "node:http"
import { LanguageModel } from "@effect/ai"
import {
  FetchHttpClient,
  HttpApi,
  HttpApiBuilder,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiSchema,
  HttpServer
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Botanu, InvalidRunContext, RunContext } from "botanu-effect"
import { RunHttpClient, RunHttpServer } from "botanu-effect/platform"
import { Context, Effect, Layer, Schedule, Schema, Stream } from "effect"
import * as Models from "./Models.js"
import * as Prompts from "./Prompts.js"
import { Access, Payment, Question, Refund, type Ticket } from "./Ticket.js"

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

class Work extends HttpApiGroup.make("work")
  .add(
    HttpApiEndpoint.post("draftReply", "/replies")
      .setPayload(Schema.Struct({ ticket: Question, deskAttempt: Schema.Int }))
      .addSuccess(Confidence)
      .addError(Models.ModelOverloaded)
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

class Api extends HttpApi.make("BackOffice").add(Work) {}

/** The ids of the run for a ticket. */
export const ids = {
  eventId: (ticket: Ticket) => ticket.id,
  customerId: (ticket: Ticket) => ticket.org,
  tenantId: (ticket: Ticket) => ticket.tenant
}

/** Two more attempts, a little later, after failures of these kinds. */
export const retryAfter = <const Tag extends string>(...tags: ReadonlyArray<Tag>) => ({
  schedule: Schedule.spaced("80 millis"),
  times: 2,
  while: (error: { readonly _tag: string }) => tags.some((tag) => tag === error._tag)
})

/** A part of the work, as a span of its own, that takes a share of the ticket's time, or for ever. */
export const step = (name: string, { simulate }: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  (simulate.hangs ? Effect.never : Effect.sleep(simulate.workMs * share)).pipe(Effect.withSpan(name, { attributes }))

const draftReply = Botanu.fn("Draft Reply", {
  ...ids,
  outcome: (confidence: number) => ({ status: "success", valueType: "replies_drafted", valueAmount: 1, confidence })
})(function* (ticket: Question, deskAttempt: number) {
  const { confidence, failures, hangs = false } = ticket.simulate
  const reply = yield* LanguageModel.streamText({ prompt: Prompts.draft(ticket) }).pipe(
    Stream.runFold("", (text, part) => (part.type === "text-delta" ? text + part.delta : text)),
    Models.by(Models.forDrafts(ticket), ticket, 0.4, { hangs })
  )
  yield* LanguageModel.generateText({ prompt: Prompts.tone(reply) }).pipe(
    Models.by(Models.forRoutine, ticket, 0.3, { isOverloaded: deskAttempt <= failures })
  )
  return confidence
})

const lookUpPayment = Botanu.fn("Payment Lookup", {
  ...ids,
  retry: retryAfter("GatewayUnavailable")
})(function* (ticket: Refund, payment: Payment) {
  const { attempt } = yield* RunContext
  yield* step("call payment gateway", ticket, 0.4, { "payment.reference": payment.reference })
  if (attempt <= payment.lookupFailures) {
    return yield* new GatewayUnavailable({ message: `no answer about payment ${payment.reference}` })
  }
  return payment
})

const checkIdentity = Botanu.fn(
  "Identity Check",
  ids
)(function* (ticket: Access) {
  yield* step("compare proof", ticket, 0.5, { "identity.proof": ticket.proof })
  if (ticket.proof === "none") {
    return yield* new IdentityNotProven({ message: `ticket ${ticket.id} comes without proof` })
  }
  return ticket.proof === "passkey" ? 0.99 : 0.75
})

/** The ids of a ticket were checked when it was read, so that its runs can begin. */
const checked = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, InvalidRunContext>, R> =>
  Effect.catchIf(work, isInvalid<E>, Effect.die) as Effect.Effect<A, Exclude<E, InvalidRunContext>, R>

const isInvalid = <E>(error: E): error is Extract<E, InvalidRunContext> => error instanceof InvalidRunContext

const handlers = HttpApiBuilder.group(Api, "work", (handlers) =>
  handlers
    .handle("draftReply", ({ payload: { deskAttempt, ticket } }) => checked(draftReply(ticket, deskAttempt)))
    .handle("lookUpPayment", ({ payload: { payment, ticket } }) => checked(lookUpPayment(ticket, payment)))
    .handle("checkIdentity", ({ payload: { ticket } }) => checked(checkIdentity(ticket)))
)

// Only the desk reaches it, so its runs are trusted: their deadlines hold here too.
const server = HttpApiBuilder.serve().pipe(
  RunHttpServer.withLinkedTraces,
  Layer.provide(HttpApiBuilder.middleware(RunHttpServer.middleware({ inbound: "trusted" }))),
  Layer.provide(HttpApiBuilder.api(Api).pipe(Layer.provide(handlers))),
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
)

/** A client that propagates the run to the service, and to nobody else. */
const connect = Effect.flatMap(
  HttpServer.addressFormattedWith((origin) =>
    HttpApiClient.make(Api, { baseUrl: origin, transformClient: RunHttpClient.propagateTo([origin]) })
  ),
  ({ work }) => Effect.succeed(work)
)

/** The back office, and the way there. */
export class BackOffice extends Context.Tag("support-desk/BackOffice")<
  BackOffice,
  Effect.Effect.Success<typeof connect>
>() {
  static readonly layer = Layer.effect(BackOffice, connect).pipe(Layer.provide([server, FetchHttpClient.layer]))
}
