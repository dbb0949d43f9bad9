/**
 * The desk: a workflow for each topic. The back office does a part of the work. What no model does is simulated by sleeping.
 */
import { LanguageModel } from "@effect/ai"
import { HttpApiError, HttpClientError } from "@effect/platform"
import { Botanu, DeadlineExceeded, Outcome, RunContext } from "botanu-effect"
import { Data, Effect, ParseResult } from "effect"
import { BackOffice, ids, retryAfter, step } from "./BackOffice.js"
import * as Models from "./Models.js"
import * as Prompts from "./Prompts.js"
import type { Access, Payment, Question, Refund, Ticket } from "./Ticket.js"

export class LedgerLocked extends Data.TaggedError("LedgerLocked")<{ readonly message: string }> {}
export class NothingToRefund extends Data.TaggedError("NothingToRefund")<{ readonly message: string }> {}
export class MailboxUnreachable extends Data.TaggedError("MailboxUnreachable")<{ readonly message: string }> {}

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
    return error._tag === "ResponseError" && error.response.status === 504 ? late : Effect.die(error)
  })

const late = Effect.flatMap(RunContext, ({ deadline, runId, workflow }) =>
  deadline === undefined ? Effect.interrupt : Effect.fail(new DeadlineExceeded({ runId, workflow, deadline }))
)

/** Which part of the business a ticket belongs to. */
const belongsTo = (team: string, { tenant }: Ticket) => Botanu.annotate({ team, region: tenant })

const confidentEnough = 0.7

const answer = Botanu.fn("Customer Support", {
  ...ids,
  deadline: "5 seconds",
  // What the desk itself spends on a question, over all attempts. What the back office spends is on its own runs.
  budget: { usd: "0.01", children: false, retries: true, warnAt: 0.8 },
  retry: retryAfter("ModelOverloaded")
})(function* (ticket: Question) {
  const { attempt } = yield* RunContext
  yield* belongsTo("product", ticket)
  yield* Effect.sleep(ticket.simulate.workMs * 0.1).pipe(Effect.withSpan("search knowledge base"))
  yield* LanguageModel.generateText({ prompt: Prompts.articles(ticket) }).pipe(
    Models.by(Models.forReading(ticket), ticket, 0.2)
  )
  const backOffice = yield* BackOffice
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
  const backOffice = yield* BackOffice
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
    Models.by(Models.forRoutine, ticket, 0.2)
  )
  yield* step("post to ledger", ticket, 0.4, { "ledger.entries": refundable.length })
  if (attempt <= ticket.simulate.failures) {
    return yield* new LedgerLocked({ message: `the ledger of ${ticket.org} is being closed` })
  }
  const value = { valueType: "usd_refunded", valueAmount: sumUsd(refundable) }
  if (refundable.length === payments.length) return yield* Outcome.emit("success", value)
  const refused = payments.filter((payment) => !payment.refundable)
  const reason = `${refused.length} of ${payments.length} payments cannot be refunded`
  yield* Outcome.emit("partial", { ...value, reason, metadata: { usd_refused: sumUsd(refused) } })
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
  const backOffice = yield* BackOffice
  const confidence = yield* inTime(backOffice.checkIdentity({ payload: { ticket } }))
  yield* LanguageModel.generateText({ prompt: Prompts.recoveryMail(ticket) }).pipe(
    Models.by(Models.forRoutine, ticket, 0.2)
  )
  yield* step("send recovery mail", ticket, 0.3)
  if (attempt <= ticket.simulate.failures) {
    return yield* new MailboxUnreachable({ message: `no mail server answers for ${ticket.org}` })
  }
  yield* Outcome.emit("success", { valueType: "accounts_restored", valueAmount: 1, confidence })
})

/** Works a ticket to its end, over as many attempts as it takes. */
export const work = (
  ticket: Ticket
): Effect.Effect<unknown, { readonly _tag: string }, BackOffice | LanguageModel.LanguageModel> => {
  switch (ticket.topic) {
    case "question":
      return answer(ticket)
    case "refund":
      return refund(ticket)
    case "access":
      return recover(ticket)
  }
}

/** Cancels the work on a ticket that its customer withdraws. */
export const withdrawal = ({ id, simulate: { withdrawnAfterMs } }: Ticket): Effect.Effect<void> =>
  withdrawnAfterMs === undefined
    ? Effect.void
    : Botanu.activeRuns.pipe(
        Effect.delay(withdrawnAfterMs),
        Effect.map((runs) => runs.find((run) => run.eventId === id && run.parentRunId === undefined)),
        Effect.flatMap((run) =>
          run === undefined ? Effect.void : Botanu.cancel(run.runId, "withdrawn by the customer")
        ),
        Effect.asVoid
      )
