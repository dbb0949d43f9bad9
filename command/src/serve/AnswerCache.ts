/**
 * Answers to queries, kept while the ledger is as it was: several readers, and the way back, ask the same questions.
 */
import { Effect, Exit, Fiber, type Scope } from "effect"
import type { Parameter } from "../store/DuckDb.js"

/** Answers a statement with rows. */
export type Ask<Row, E> = (
  statement: string,
  parameters: Readonly<Record<string, Parameter>>
) => Effect.Effect<ReadonlyArray<Row>, E>

/** How many answers are kept: some twenty views. */
export const mostAnswers = 200

/** Longer answers, such as an export, are not kept. */
export const mostRows = 500

/**
 * Asks each question once while the revision stays. Questions that are asked at the same time share one answer, which does not end
 * with the reader that asked first. What failed is asked again.
 */
export const make = <Row, E>(
  ask: Ask<Row, E>,
  revision: Effect.Effect<number>
): Effect.Effect<Ask<Row, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const kept = new Map<string, Fiber.RuntimeFiber<ReadonlyArray<Row>, E>>()
    let keptOf: number | undefined
    return (statement, parameters) =>
      Effect.gen(function* () {
        const now = yield* revision
        if (now !== keptOf) {
          kept.clear()
          keptOf = now
        }
        const question = JSON.stringify([statement, parameters])
        const known = kept.get(question)
        if (known !== undefined) {
          // The answer that was not asked for longest is dropped first.
          kept.delete(question)
          kept.set(question, known)
          return yield* Fiber.join(known)
        }
        const answer = yield* Effect.forkIn(ask(statement, parameters), scope)
        kept.set(question, answer)
        answer.addObserver((exit) => {
          const isKept = Exit.isSuccess(exit) && exit.value.length <= mostRows
          if (!isKept && kept.get(question) === answer) kept.delete(question)
        })
        for (const oldest of kept.keys()) {
          if (kept.size <= mostAnswers) break
          kept.delete(oldest)
        }
        return yield* Fiber.join(answer)
      })
  })
