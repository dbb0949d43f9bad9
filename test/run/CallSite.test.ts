/**
 * Where a function was called, in engines that know it, that do not, and that throw.
 */
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { callSiteOf, framesOf } from "../../src/run/CallSite.js"

/** What `work` gives where `Error` has other properties meanwhile; and the limit of frames after it. */
const onEngine = <A>(properties: PropertyDescriptorMap, work: () => A) => {
  const before = Object.fromEntries(
    Object.keys(properties).map((name) => [name, Object.getOwnPropertyDescriptor(Error, name) ?? {}])
  )
  Object.defineProperties(Error, properties)
  try {
    return { result: work(), limit: Error.stackTraceLimit }
  } finally {
    Object.defineProperties(Error, before)
  }
}

const called = () => callSiteOf(called)
const here = fileURLToPath(import.meta.url)
const limit = { configurable: true, value: 7, writable: true }
const capturing = (captureStackTrace: unknown) => ({
  stackTraceLimit: limit,
  captureStackTrace: { configurable: true, value: captureStackTrace }
})
const fails = () => {
  throw new Error("no stacks here")
}

describe("callSiteOf", () => {
  it("gives file, line and column of the call, and not of the function that was called", () => {
    const place = called()()
    expect(place).toContain(`${here}:`)
    expect(place).toMatch(/:\d+:\d+$/)
    expect(place).not.toMatch(/[()]| at /)
    const name = new Error("the next line but one").stack?.match(/CallSite\.test\.ts:(\d+):/)?.[1]
    expect(called()()).toContain(`CallSite.test.ts:${Number(name) + 1}:`)
  })

  it("leaves the program's limit of frames as it is", () => {
    expect(onEngine({ stackTraceLimit: limit }, called).limit).toBe(7)
  })

  it("leaves the limit as it is, and knows no place, where the engine throws", () => {
    const { limit, result } = onEngine(capturing(fails), () => called()())
    expect(result).toBeUndefined()
    expect(limit).toBe(7)
  })

  it("knows no place where the limit cannot be set", () => {
    const { limit, result } = onEngine({ stackTraceLimit: { configurable: true, value: 7, writable: false } }, () =>
      called()()
    )
    expect(result).toBeUndefined()
    expect(limit).toBe(7)
  })

  it("knows no place where the engine captures no stacks", () => {
    expect(onEngine(capturing(undefined), () => called()()).result).toBeUndefined()
  })

  it.each(["", "at nowhere", "Error: broken\n    at somewhere"])(
    "knows no place in a stack of another shape: %j",
    (stack) => {
      const capture = (target: object) => Object.assign(target, { stack })
      expect(onEngine(capturing(capture), () => called()()).result).toBeUndefined()
    }
  )

  it("knows no place where a stack cannot be read", () => {
    const capture = (target: object) => Object.defineProperty(target, "stack", { get: fails })
    expect(onEngine(capturing(capture), () => called()()).result).toBeUndefined()
  })
})

describe("framesOf", () => {
  it("lists the places that are known, innermost first", () => {
    const places = ["/a.ts:1:2", undefined, "/b.ts:3:4"].map((place) => () => place)
    expect(framesOf(...places)).toBe("at (/a.ts:1:2)\nat (/b.ts:3:4)")
  })

  it("gives nothing where no place is known", () => {
    expect(framesOf()).toBeUndefined()
    expect(framesOf(() => undefined)).toBeUndefined()
  })
})
