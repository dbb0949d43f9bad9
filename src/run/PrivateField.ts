/**
 * A private field on objects of any class. It is no property, so nothing that prints, compares or copies the object sees it. A hidden
 * property takes ten times as long, and a `WeakMap` is gone through by every collection.
 */

/** A value that objects may have. */
export interface PrivateField<in out A> {
  readonly get: (object: object) => A | undefined
  readonly set: (object: object, value: A) => void
}

/** A field that no object has yet. */
export const make = <A>(): PrivateField<A> => {
  class Holder extends Same {
    #value: A

    constructor(object: object, value: A) {
      super(object)
      this.#value = value
    }

    static get(object: object): A | undefined {
      return #value in object ? object.#value : undefined
    }

    static set(object: object, value: A): void {
      if (#value in object) object.#value = value
      else new Holder(object, value)
    }
  }
  return Holder
}

class Same {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: what a constructor returns gets the private fields of the class below.
    return object
  }
}
