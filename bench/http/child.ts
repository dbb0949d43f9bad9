/**
 * Processes that answer questions: what is measured, and what measures it, do not share a thread.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"

/** Asks a process, one question at a time. */
export type Ask<Question, Answer> = (question: Question) => Effect.Effect<Answer>

/** Starts a module beside this one as a process, which ends with the scope. Where it ends before, asking it is a defect. */
export const start = <Question extends object, Answer>(
  module: string,
  args: ReadonlyArray<string> = []
): Effect.Effect<Ask<Question, Answer>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => fork(fileURLToPath(new URL(module, import.meta.url)), args)),
      (child) => Effect.sync(() => child.kill())
    ),
    (child) => (question: Question) => ask(child, question) as Effect.Effect<Answer>
  )

const ask = (child: ChildProcess, question: object): Effect.Effect<unknown> =>
  Effect.async((resume) => {
    const onMessage = (answer: unknown) => settle(Effect.succeed(answer))
    const onExit = (code: number | null) => settle(Effect.dieMessage(`a process ended with code ${code}`))
    const settle = (result: Effect.Effect<unknown>) => {
      child.off("message", onMessage)
      child.off("exit", onExit)
      resume(result)
    }
    child.on("message", onMessage)
    child.on("exit", onExit)
    child.send(question)
  })

/** In such a process: answers whatever is asked, until nobody is there to ask. */
export const answering = <Question, Answer>(answer: (question: Question) => Promise<Answer>): void => {
  process.on("message", (question) => {
    answer(question as Question).then((message) => process.send?.(message))
  })
  process.on("disconnect", () => process.exit())
}
