/**
 * What the records of this library, which are Schema classes, are declared and made with.
 */
import { Schema, type Types } from "effect"

/** A field that is absent, and not `undefined`, where it is not set. */
export const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** The fields of a record while it is put together. */
export type FieldsOf<Class extends abstract new (...args: never) => unknown> = Types.Mutable<
  ConstructorParameters<Class>[0]
>

/**
 * A record of fields that were checked already, by the rules of its class: what `new Class(fields)` gives, at a fraction of its
 * time. The constructor goes through every field for defaults even where it validates nothing.
 */
export const makeUnsafe = <A extends object, Fields extends object>(
  Class: new (fields: Fields) => A,
  fields: Fields
): A => Object.assign(Object.create(Class.prototype), fields)
