import { DateTime, FastCheck, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { CompletedRun } from "../../src/index.js"
import { encode, type LedgerLine } from "../../src/ledger/LedgerLine.js"
import { LineQueue, textsOf } from "../../src/ledger/LineQueue.js"
import { Run } from "../../src/run/Run.js"

const at = DateTime.unsafeMake(1_795_000_000_000)

const idOf = (number: number): string => `01a21a49-f8c9-7448-8265-${String(number).padStart(12, "0")}`

const runOf = (number: number): Run =>
  Schema.decodeSync(Run)({
    runId: idOf(number),
    rootRunId: idOf(number),
    workflow: "Customer Support",
    eventId: `ticket-${number}`,
    customerId: "bigretail",
    environment: "test",
    attempt: 1,
    startTime: DateTime.formatIso(at),
    cancelled: false
  })

const started = (run: Run): LedgerLine => ({ v: 1, type: "started", run })
const completed = (run: Run): LedgerLine => ({
  v: 1,
  type: "completed",
  completed: new CompletedRun({ run, status: "success", endTime: at, durationMs: 1 })
})
const lost = (count: number): LedgerLine => ({ v: 1, type: "lost", count, at })

const take = (queue: LineQueue) => queue.take(at.epochMillis)
const texts = (queue: LineQueue): ReadonlyArray<string> => {
  const batch = take(queue)
  return batch === undefined ? [] : textsOf(batch)
}

describe("lines that wait", () => {
  it("are given once, whatever their length and their characters", () =>
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.tuple(FastCheck.string({ unit: "binary" }), FastCheck.integer({ min: 1, max: 30 }))),
        (given) => {
          const queue = new LineQueue(1000)
          const lines = given.map(([text, times]) => JSON.stringify(times > 27 ? text.repeat(times * 500) : text))
          for (const round of [lines, lines.slice(1)]) {
            for (const line of round) queue.appendText(line)
            expect(queue.count).toBe(round.length)
            const batch = take(queue)
            expect(batch?.count).toBe(round.length === 0 ? undefined : round.length)
            expect(batch === undefined ? [] : textsOf(batch)).toEqual(round)
            if (batch !== undefined) queue.release(batch)
          }
          expect(texts(queue)).toEqual([])
        }
      ),
      { numRuns: 30 }
    ))

  it("leave out the start of a run that is over already", () => {
    const queue = new LineQueue(10)
    queue.append(started(runOf(1)))
    queue.append(started(runOf(2)))
    queue.append(completed(runOf(1)))
    expect(queue.count).toBe(2)
    expect(texts(queue)).toEqual([completed(runOf(1)), started(runOf(2))].map(encode))
    queue.append(completed(runOf(2)))
    expect(texts(queue)).toEqual([encode(completed(runOf(2)))])
  })

  it("are counted where there is no room, and the count is a line of its own", () => {
    const queue = new LineQueue(2)
    for (const number of [1, 2, 3, 4]) queue.append(completed(runOf(number)))
    expect([queue.count, queue.lost]).toEqual([2, 2])
    expect(texts(queue)).toEqual([completed(runOf(1)), completed(runOf(2)), lost(2)].map(encode))
    expect([queue.count, queue.lost]).toEqual([0, 0])
  })

  it("come before later ones when they are put back; of those the latest are lost", () => {
    const queue = new LineQueue(3)
    for (const number of [1, 2, 3, 4]) queue.append(completed(runOf(number)))
    const batch = take(queue)
    for (const number of [5, 6, 7]) queue.append(completed(runOf(number)))
    if (batch !== undefined) queue.putBack({ ...batch, count: batch.count - 2 })
    expect([queue.count, queue.lost]).toEqual([3, 3])
    expect(texts(queue)).toEqual(
      [completed(runOf(1)), completed(runOf(2)), completed(runOf(3)), lost(1), completed(runOf(5)), lost(2)].map(encode)
    )
  })

  it("are in memory that is used again, and never while it is being written", () => {
    const queue = new LineQueue(100)
    queue.append(completed(runOf(1)))
    const first = take(queue)
    queue.append(completed(runOf(2)))
    const second = take(queue)
    expect(first && textsOf(first)).toEqual([encode(completed(runOf(1)))])
    expect(second?.bytes.buffer).not.toBe(first?.bytes.buffer)
    if (first !== undefined) queue.release(first)
    queue.append(completed(runOf(3)))
    expect(second && textsOf(second)).toEqual([encode(completed(runOf(2)))])
    take(queue)
    queue.append(completed(runOf(4)))
    expect(take(queue)?.bytes.buffer).toBe(first?.bytes.buffer)
  })
})
