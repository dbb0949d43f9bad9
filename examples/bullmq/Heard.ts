/**
 * What is heard of the processes of the example.
 */
import { Data, Deferred, Effect, Queue } from "effect"
import type { Message } from "./Message.js"

/** A process ended by itself. What was wrong stands on standard error. */
export class ProcessEnded extends Data.TaggedError("ProcessEnded")<{ readonly process: string; readonly how: string }> {
  override get message(): string {
    return `${this.process} ended with ${this.how}`
  }
}

/** Nothing was heard of any process for a long time. */
export class Silence extends Data.TaggedError("Silence") {
  override get message(): string {
    return `nothing was heard for ${patience}`
  }
}

const patience = "30 seconds"

export interface Heard {
  readonly process: string
  readonly message: Message
}

/** Where it is heard. */
export class Inbox {
  private constructor(
    private readonly messages: Queue.Queue<Heard>,
    /** Waits for the end of a process that nobody asked for, and fails with it. */
    readonly ended: Deferred.Deferred<never, ProcessEnded>
  ) {}

  static readonly make: Effect.Effect<Inbox> = Effect.zipWith(
    Queue.unbounded<Heard>(),
    Deferred.make<never, ProcessEnded>(),
    (messages, ended) => new Inbox(messages, ended)
  )

  /** Waits for the message that comes next. */
  readonly next: Effect.Effect<Heard, Silence> = Effect.suspend(() => Queue.take(this.messages)).pipe(
    Effect.timeoutFail({ duration: patience, onTimeout: () => new Silence() })
  )

  unsafeHear(process: string, message: Message): void {
    Queue.unsafeOffer(this.messages, { process, message })
  }

  unsafeHearOfEnd(process: string, how: string): void {
    Deferred.unsafeDone(this.ended, new ProcessEnded({ process, how }))
  }
}
