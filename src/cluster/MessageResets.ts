/**
 * A message storage in which a request is not handed out again to a read that began before.
 */
import type { MessageStorage } from "@effect/cluster"
import { Effect } from "effect"

type Storage = MessageStorage.MessageStorage["Type"]

/**
 * The cluster forgets which requests it has answered, reads messages, and leaves out what it has answered meanwhile. A request that is
 * answered and reset while a read is under way would be read, marked as read, and left out.
 */
export const afterReads = (storage: Storage): Storage => {
  let reads = 0
  const noRead = Effect.unsafeMakeLatch(true)
  const begun = Effect.sync(() => {
    reads += 1
    noRead.unsafeClose()
  })
  const ended = Effect.sync(() => {
    reads -= 1
    if (reads === 0) noRead.unsafeOpen()
  })
  return {
    ...storage,
    unprocessedMessages: (shards) =>
      Effect.acquireUseRelease(
        begun,
        () => storage.unprocessedMessages(shards),
        () => ended
      ),
    clearReplies: (request) => noRead.whenOpen(storage.clearReplies(request))
  }
}
