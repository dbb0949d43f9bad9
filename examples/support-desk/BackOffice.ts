/**
 * The back office: what the desk has others do. Each piece of work is a run inside of the desk's, which came with the request.
 */
import { LanguageModel } from "@effect/ai"
import { HttpApiBuilder } from "@effect/platform"
import { Botanu, InvalidRunContext, RunContext } from "botanu-effect"
import { Effect, Layer, Stream } from "effect"
import { BackOfficeApi, GatewayUnavailable, IdentityNotProven } from "./BackOfficeApi.js"
import * as Models from "./Models.js"
import * as Prompts from "./Prompts.js"
import { call, retryAfter, thinking } from "./Simulation.js"
import type { Access, Payment, Question, Refund, Ticket } from "./Ticket.js"

const ids = {
  eventId: (ticket: Ticket) => ticket.id,
  customerId: (ticket: Ticket) => ticket.org,
  tenantId: (ticket: Ticket) => ticket.tenant,
  spanKind: "internal"
} as const

const draftReply = Botanu.fn("Draft Reply", {
  ...ids,
  outcome: (confidence: number) => ({
    status: "success",
    valueType: "replies_drafted",
    valueAmount: 1,
    confidence
  })
})(function* (ticket: Question, deskAttempt: number) {
  const reply = yield* LanguageModel.streamText({ prompt: Prompts.draft(ticket) }).pipe(
    Stream.runFold("", (text, part) => (part.type === "text-delta" ? text + part.delta : text)),
    Models.by(Models.forDrafts(ticket), thinking(ticket, 0.4, { hangs: ticket.simulate.hangs === true }))
  )
  yield* LanguageModel.generateText({ prompt: Prompts.tone(reply) }).pipe(
    Models.by(Models.forRoutine, thinking(ticket, 0.3, { isOverloaded: deskAttempt <= ticket.simulate.failures }))
  )
  return ticket.simulate.confidence
})

const lookUpPayment = Botanu.fn("Payment Lookup", {
  ...ids,
  retry: retryAfter("GatewayUnavailable")
})(function* (ticket: Refund, payment: Payment) {
  const { attempt } = yield* RunContext
  yield* call("call payment gateway", ticket, 0.4, { "payment.reference": payment.reference })
  if (attempt <= payment.lookupFailures) {
    return yield* new GatewayUnavailable({ message: `no answer about payment ${payment.reference}` })
  }
  return payment
})

const checkIdentity = Botanu.fn(
  "Identity Check",
  ids
)(function* (ticket: Access) {
  yield* call("compare proof", ticket, 0.5, { "identity.proof": ticket.proof })
  if (ticket.proof === "none") {
    return yield* new IdentityNotProven({ message: `ticket ${ticket.id} comes without proof` })
  }
  return ticket.proof === "passkey" ? 0.99 : 0.75
})

/** The ids of a ticket were checked when it was read, so that its runs can begin. */
const checked = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, InvalidRunContext>, R> =>
  Effect.catchIf(work, isInvalid<E>, Effect.die) as Effect.Effect<A, Exclude<E, InvalidRunContext>, R>

const isInvalid = <E>(error: E): error is Extract<E, InvalidRunContext> => error instanceof InvalidRunContext

export const layer = HttpApiBuilder.api(BackOfficeApi).pipe(
  Layer.provide(
    HttpApiBuilder.group(BackOfficeApi, "backOffice", (handlers) =>
      handlers
        .handle("draftReply", ({ payload: { deskAttempt, ticket } }) => checked(draftReply(ticket, deskAttempt)))
        .handle("lookUpPayment", ({ payload: { payment, ticket } }) => checked(lookUpPayment(ticket, payment)))
        .handle("checkIdentity", ({ payload: { ticket } }) => checked(checkIdentity(ticket)))
    )
  )
)
