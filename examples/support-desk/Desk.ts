/**
 * The desk: a workflow for each topic, and the workflows that they have in common. The work is simulated by sleeping.
 */
import { Botanu, type DeadlineExceeded, type InvalidRunContext, Outcome, RunContext } from "botanu-effect"
import { Data, Effect, Match, Schedule } from "effect"
import type { Access, Payment, Question, Refund, Ticket } from "./Ticket.js"

export class ModelOverloaded extends Data.TaggedError("ModelOverloaded")<{ readonly message: string }> {}
export class GatewayUnavailable extends Data.TaggedError("GatewayUnavailable")<{ readonly message: string }> {}
export class LedgerLocked extends Data.TaggedError("LedgerLocked")<{ readonly message: string }> {}
export class NothingToRefund extends Data.TaggedError("NothingToRefund")<{ readonly message: string }> {}
export class IdentityNotProven extends Data.TaggedError("IdentityNotProven")<{ readonly message: string }> {}
export class MailboxUnreachable extends Data.TaggedError("MailboxUnreachable")<{ readonly message: string }> {}

export type DeskError =
  | ModelOverloaded
  | GatewayUnavailable
  | LedgerLocked
  | NothingToRefund
  | IdentityNotProven
  | MailboxUnreachable
  | DeadlineExceeded
  | Outcome.InvalidOutcome
  | InvalidRunContext

/** Works a ticket to its end, over as many attempts as it takes. */
export const work = (ticket: Ticket): Effect.Effect<void, DeskError> =>
  Match.value(ticket).pipe(
    Match.when({ topic: "question" }, answer),
    Match.when({ topic: "refund" }, refund),
    Match.when({ topic: "access" }, recover),
    Match.exhaustive
  )

const ids = {
  eventId: (ticket: Ticket) => ticket.id,
  customerId: (ticket: Ticket) => ticket.org,
  tenantId: (ticket: Ticket) => ticket.tenant
}

/** Two more attempts, a little later, after failures of this kind. */
const retryAfter = (...tags: ReadonlyArray<DeskError["_tag"]>) => ({
  schedule: Schedule.spaced("80 millis"),
  times: 2,
  while: (error: { readonly _tag: string }) => tags.some((tag) => tag === error._tag)
})

/** A part of the simulated work, as a span of its own. */
const step = (name: string, ticket: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  Effect.sleep(ticket.simulate.workMs * share).pipe(Effect.withSpan(name, { attributes }))

const confidentEnough = 0.7

const answer = Botanu.fn("Customer Support", {
  ...ids,
  deadline: "1500 millis",
  retry: retryAfter("ModelOverloaded")
})(function* (ticket: Question) {
  const { attempt } = yield* RunContext
  yield* step("search knowledge base", ticket, 0.3, { "kb.query.length": ticket.subject.length })
  const confidence = yield* draftReply(ticket, attempt)
  if (confidence >= confidentEnough) {
    yield* Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1, confidence })
  } else {
    const reason = "handed to a person, with a draft"
    yield* Outcome.emit("partial", { valueType: "tickets_resolved", valueAmount: 0.5, confidence, reason })
  }
})

const draftReply = Botanu.fn("Draft Reply", {
  ...ids,
  spanKind: "internal",
  outcome: (confidence: number) => ({
    status: "success",
    valueType: "replies_drafted",
    valueAmount: 1,
    confidence
  })
})(function* (ticket: Question, parentAttempt: number) {
  yield* step("ask model", ticket, 0.4, { "gen_ai.operation.name": "chat" })
  if (parentAttempt <= ticket.simulate.failures) {
    return yield* new ModelOverloaded({ message: `no capacity for ticket ${ticket.id}` })
  }
  yield* step("check tone", ticket, 0.3)
  return ticket.simulate.confidence
})

const refund = Botanu.fn("Refund", {
  ...ids,
  deadline: "5 seconds",
  retry: retryAfter("LedgerLocked")
})(function* (ticket: Refund) {
  const { attempt } = yield* RunContext
  const payments = yield* Effect.forEach(ticket.payments, (payment) => lookUp(payment, ticket), {
    concurrency: "unbounded"
  })
  const refundable = payments.filter((payment) => payment.refundable)
  if (refundable.length === 0) {
    return yield* new NothingToRefund({ message: `no payment of ticket ${ticket.id} can be refunded` })
  }
  yield* step("post to ledger", ticket, 0.6, { "ledger.entries": refundable.length })
  if (attempt <= ticket.simulate.failures) {
    return yield* new LedgerLocked({ message: `the ledger of ${ticket.org} is being closed` })
  }
  const value = { valueType: "usd_refunded", valueAmount: sumUsd(refundable) }
  if (refundable.length === payments.length) {
    yield* Outcome.emit("success", value)
  } else {
    const refused = payments.filter((payment) => !payment.refundable)
    const reason = `${refused.length} of ${payments.length} payments cannot be refunded`
    const metadata = { usd_refused: sumUsd(refused) }
    yield* Outcome.emit("partial", { ...value, reason, metadata })
  }
})

const lookUp = (payment: Payment, ticket: Refund): Effect.Effect<Payment, GatewayUnavailable | InvalidRunContext> =>
  Effect.gen(function* () {
    const { attempt } = yield* RunContext
    yield* step("call payment gateway", ticket, 0.4, { "payment.reference": payment.reference })
    if (attempt <= payment.lookupFailures) {
      return yield* new GatewayUnavailable({ message: `no answer about payment ${payment.reference}` })
    }
    return payment
  }).pipe(
    Botanu.workflow("Payment Lookup", {
      eventId: ticket.id,
      customerId: ticket.org,
      tenantId: ticket.tenant,
      spanKind: "internal",
      retry: retryAfter("GatewayUnavailable")
    })
  )

const sumUsd = (payments: ReadonlyArray<Payment>): number =>
  payments.reduce((cents, payment) => cents + Math.round(payment.usd * 100), 0) / 100

const recover = Botanu.fn("Account Recovery", {
  ...ids,
  deadline: "1200 millis",
  retry: retryAfter("MailboxUnreachable")
})(function* (ticket: Access) {
  const { attempt } = yield* RunContext
  const confidence = yield* checkIdentity(ticket)
  yield* step("send recovery mail", ticket, 0.5)
  if (attempt <= ticket.simulate.failures) {
    return yield* new MailboxUnreachable({ message: `no mail server answers for ${ticket.org}` })
  }
  yield* Outcome.emit("success", { valueType: "accounts_restored", valueAmount: 1, confidence })
})

const checkIdentity = Botanu.fn("Identity Check", {
  ...ids,
  spanKind: "internal"
})(function* (ticket: Access) {
  yield* step("compare proof", ticket, 0.5, { "identity.proof": ticket.proof })
  if (ticket.proof === "none") {
    return yield* new IdentityNotProven({ message: `ticket ${ticket.id} comes without proof` })
  }
  return ticket.proof === "passkey" ? 0.99 : 0.75
})
