/**
 * Things by what they have in common.
 */
import type { CompletedRun } from "botanu-effect"

/** The groups of those that have a key in common, in alphabetical order of the keys. */
export const groupsOf = <A>(
  all: ReadonlyArray<A>,
  keyOf: (item: A) => string
): ReadonlyArray<[string, ReadonlyArray<A>]> => {
  return [...inOrder(all, keyOf)].sort(([one], [other]) => (one < other ? -1 : 1))
}

export type Event = ReadonlyArray<CompletedRun>

/** Runs by the event that they are attempts at, or parts of one. */
export const eventsOf = (runs: ReadonlyArray<CompletedRun>): ReadonlyArray<Event> => [
  ...inOrder(runs, ({ run }) => JSON.stringify([run.customerId, run.eventId])).values()
]

/** The groups, in the order in which the first of each came. */
const inOrder = <A>(all: ReadonlyArray<A>, keyOf: (item: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of all) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
