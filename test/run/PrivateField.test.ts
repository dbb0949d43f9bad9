import { describe, expect, it } from "@effect/vitest"
import * as PrivateField from "../../src/run/PrivateField.js"

describe("PrivateField", () => {
  it("is of the object and of no other", () => {
    const field = PrivateField.make<number>()
    const [one, other] = [{}, {}]
    expect(field.get(one)).toBeUndefined()
    field.set(one, 1)
    field.set(other, 2)
    expect([field.get(one), field.get(other)]).toEqual([1, 2])
    field.set(one, 3)
    expect([field.get(one), field.get(other)]).toEqual([3, 2])
  })

  it("is apart from every other field, also on a frozen object", () => {
    const [first, second] = [PrivateField.make<string>(), PrivateField.make<string>()]
    const object = Object.freeze({ name: "a" })
    first.set(object, "first")
    expect(second.get(object)).toBeUndefined()
    second.set(object, "second")
    expect([first.get(object), second.get(object)]).toEqual(["first", "second"])
  })

  it("is seen by nothing that goes through an object", () => {
    const field = PrivateField.make<string>()
    const object = { name: "a" }
    field.set(object, "kept")
    expect(Reflect.ownKeys(object)).toEqual(["name"])
    expect(JSON.stringify(object)).toBe('{"name":"a"}')
    expect(field.get({ ...object })).toBeUndefined()
    expect(field.get(structuredClone(object))).toBeUndefined()
  })
})
