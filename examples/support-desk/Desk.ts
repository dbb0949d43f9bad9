/**
 * The desk: a workflow for each topic. The back office does a part of the work. What no model does is simulated by sleeping.
 */
import { LanguageModel } from "@effect/ai"
import { HttpApiBuilder, HttpApiClient, HttpApiError, HttpClientError } from "@effect/platform"
import {
  Botanu,
  type BudgetExceeded,
  DeadlineExceeded,
  type InvalidAnnotation,
  type InvalidRunContext,
  Outcome,
  RunContext
} from "botanu-effect"
import { RunHttpClient } from "botanu-effect/platform"
import { Context, Data, Effect, Layer, Match, ParseResult } from "effect"
import { BackOfficeApi, type GatewayUnavailable, type IdentityNotProven } from "./BackOfficeApi.js"
import { DeskApi } from "./DeskApi.js"
import type { ModelOverloaded } from "./ModelOverloaded.js"
import * as Models from "./Models.js"
import * as Operator from "./Operator.js"
import * as Prompts from "./Prompts.js"
import { retryAfter, step, thinking } from "./Simulation.js"
import type { Access, Payment, Question, Refund, Ticket } from "./Ticket.js"

export class LedgerLocked extends Data.TaggedError("LedgerLocked")<{ readonly message: string }> {}
export class NothingToRefund extends Data.TaggedError("NothingToRefund")<{ readonly message: string }> {}
export class MailboxUnreachable extends Data.TaggedError("MailboxUnreachable")<{ readonly message: string }> {}

export type DeskError =
  | ModelOverloaded
  | GatewayUnavailable
  | LedgerLocked
  | NothingToRefund
  | IdentityNotProven
  | MailboxUnreachable
  | DeadlineExceeded
  | BudgetExceeded
  | InvalidAnnotation
  | Outcome.InvalidOutcome
  | InvalidRunContext

/** The back office, and the way there. It is told of the run that it works for. */
const connect = (origin: string) =>
  HttpApiClient.make(BackOfficeApi, { baseUrl: origin, transformClient: RunHttpClient.propagateTo([origin]) })

export class BackOffice extends Context.Tag("support-desk/BackOffice")<
  BackOffice,
  Effect.Effect.Success<ReturnType<typeof connect>>
>() {
  static layer(origin: string) {
    return Layer.effect(BackOffice, connect(origin))
  }
}

type NoAnswer = HttpClientError.HttpClientError | HttpApiError.HttpApiDecodeError | ParseResult.ParseError

const isNoAnswer = (error: unknown): error is NoAnswer =>
  HttpClientError.isHttpClientError(error) ||
  error instanceof HttpApiError.HttpApiDecodeError ||
  ParseResult.isParseError(error)

/** What the back office answers. It stops at the deadline of the run too, and may be the first to notice. */
const inTime = <A, E, R>(
  asked: Effect.Effect<A, E | NoAnswer, R>
): Effect.Effect<A, E | DeadlineExceeded, R | RunContext> =>
  Effect.catchAll(asked, (error): Effect.Effect<never, E | DeadlineExceeded, RunContext> => {
    if (!isNoAnswer(error)) return Effect.fail(error)
    const isLate = error._tag === "ResponseError" && error.response.status === 504
    return isLate ? late : Effect.die(error)
  })

const late = Effect.flatMap(RunContext, ({ deadline, runId, workflow }) =>
  deadline === undefined ? Effect.interrupt : Effect.fail(new DeadlineExceeded({ runId, workflow, deadline }))
)

/** Works a ticket to its end, over as many attempts as it takes. */
export const work = (ticket: Ticket): Effect.Effect<void, DeskError, BackOffice | LanguageModel.LanguageModel> =>
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

/** Whose business a ticket is. */
const belongsTo = (team: string, { tenant }: Ticket) =>
  Botanu.annotate({ team, ...(tenant !== undefined && { region: tenant }) })

const confidentEnough = 0.7

const answer = Botanu.fn("Customer Support", {
  ...ids,
  deadline: "5 seconds",
  // What the desk itself spends on a question, over all attempts. What the back office spends is on its own runs.
  budget: { usd: "0.01", children: true, retries: true, warnAt: 0.8 },
  retry: retryAfter("ModelOverloaded")
})(function* (ticket: Question) {
  const { attempt } = yield* RunContext
  yield* belongsTo("product", ticket)
  yield* step("search knowledge base", ticket, 0.1, { "kb.query.length": ticket.subject.length })
  yield* LanguageModel.generateText({ prompt: Prompts.articles(ticket) }).pipe(
    Models.by(Models.forReading(ticket), thinking(ticket, 0.2))
  )
  const { backOffice } = yield* BackOffice
  const confidence = yield* inTime(backOffice.draftReply({ payload: { ticket, deskAttempt: attempt } }))
  if (confidence >= confidentEnough) {
    yield* Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1, confidence })
  } else {
    const reason = "handed to a person, with a draft"
    yield* Outcome.emit("partial", { valueType: "tickets_resolved", valueAmount: 0.5, confidence, reason })
  }
})

const refund = Botanu.fn("Refund", {
  ...ids,
  deadline: "15 seconds",
  retry: retryAfter("LedgerLocked", "ModelOverloaded")
})(function* (ticket: Refund) {
  const { attempt } = yield* RunContext
  yield* belongsTo("billing", ticket)
  const { backOffice } = yield* BackOffice
  const payments = yield* Effect.forEach(
    ticket.payments,
    (payment) => inTime(backOffice.lookUpPayment({ payload: { ticket, payment } })),
    { concurrency: "unbounded" }
  )
  const refundable = payments.filter((payment) => payment.refundable)
  if (refundable.length === 0) {
    return yield* new NothingToRefund({ message: `no payment of ticket ${ticket.id} can be refunded` })
  }
  yield* LanguageModel.generateText({ prompt: Prompts.notice(ticket, refundable) }).pipe(
    Models.by(Models.forRoutine, thinking(ticket, 0.2))
  )
  yield* step("post to ledger", ticket, 0.4, { "ledger.entries": refundable.length })
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

const sumUsd = (payments: ReadonlyArray<Payment>): number =>
  payments.reduce((cents, payment) => cents + Math.round(payment.usd * 100), 0) / 100

const recover = Botanu.fn("Account Recovery", {
  ...ids,
  deadline: "5 seconds",
  retry: retryAfter("MailboxUnreachable", "ModelOverloaded")
})(function* (ticket: Access) {
  const { attempt } = yield* RunContext
  yield* belongsTo("accounts", ticket)
  const { backOffice } = yield* BackOffice
  const confidence = yield* inTime(backOffice.checkIdentity({ payload: { ticket } }))
  yield* LanguageModel.generateText({ prompt: Prompts.recoveryMail(ticket) }).pipe(
    Models.by(Models.forRoutine, thinking(ticket, 0.2))
  )
  yield* step("send recovery mail", ticket, 0.3)
  if (attempt <= ticket.simulate.failures) {
    return yield* new MailboxUnreachable({ message: `no mail server answers for ${ticket.org}` })
  }
  yield* Outcome.emit("success", { valueType: "accounts_restored", valueAmount: 1, confidence })
})

/** The desk takes a ticket, and answers when it is done with it, whatever came of it: that is on the record of its runs. */
export const layer = HttpApiBuilder.api(DeskApi).pipe(
  Layer.provide(
    HttpApiBuilder.group(DeskApi, "tickets", (handlers) =>
      Effect.map(Operator.Operator, (operator) =>
        handlers.handle("work", ({ payload: { ticket } }) =>
          Effect.zipRight(operator.hear(ticket), Effect.asVoid(Effect.exit(work(ticket))))
        )
      )
    )
  )
)
