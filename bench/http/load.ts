/**
 * The process that makes the load: as many requests as a server answers, on a few connections, for a moment.
 */
import autocannon from "autocannon"
import type { Requests } from "./apps.js"
import { answering } from "./child.js"

/** A slice of load. */
export interface Slice {
  readonly url: string
  readonly requests: Requests
  readonly millis: number
}

/** What came of it. */
export interface Answers {
  readonly count: number
  readonly perSecond: number
  readonly p99Millis: number
  /** Requests that were not answered with success. */
  readonly failed: number
}

const connections = 10

const load = async ({ millis, requests: { body, headers, method }, url }: Slice): Promise<Answers> => {
  const times: Array<number> = []
  const run = autocannon({
    url,
    method,
    headers,
    ...(body && { body }),
    connections,
    duration: millis / 1000,
    sampleInt: 20
  })
  let first = 0
  let last = 0
  run.on("response", (_client, _status, _bytes, millis) => {
    last = performance.now()
    if (times.length === 0) first = last
    times.push(millis)
  })
  const { errors, non2xx } = await run
  return {
    count: times.length,
    perSecond: ((times.length - 1) * 1000) / (last - first),
    p99Millis: times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN,
    failed: errors + non2xx
  }
}

answering(load)
