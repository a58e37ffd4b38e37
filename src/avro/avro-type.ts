/** Avro schemas as avsc's types, set up so that what they decode to is what `records.ts` says. */

import type { Type } from 'avsc'
import avro from 'avsc'

import { fingerprintOf } from './fingerprint.ts'

export type RecordType = InstanceType<typeof avro.types.RecordType>

type AvroSchema = Parameters<typeof avro.Type.forSchema>[0]

/** @throws Error, with avsc's reason, where it is not the schema of an Avro record. */
export const parseRecordType = (schema: unknown): RecordType => {
  const type = avro.Type.forSchema(schema as AvroSchema, { omitRecordMethods: true })
  if (!(type instanceof avro.types.RecordType)) throw new Error(`an Avro ${type.typeName}, not a record`)
  settle(type, new Set())
  return type
}

/**
 * Lets avsc build records as plain objects, which compare and clone like any other, and keeps it from taking
 * `constructor` for a symbol of an enum: it looks symbols up in an object that inherits.
 */
const settle = (type: Type, seen: Set<Type>): void => {
  if (seen.has(type)) return
  seen.add(type)
  const { types } = avro
  if (type instanceof types.RecordType) {
    type.recordConstructor.prototype = Object.prototype
    for (const field of type.fields) settle(field.type, seen)
  } else if (type instanceof types.ArrayType) settle(type.itemsType, seen)
  else if (type instanceof types.MapType) settle(type.valuesType as Type, seen)
  else if (type instanceof types.EnumType) Object.setPrototypeOf(Reflect.get(type, '_indices'), null)
  else if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType)
    for (const branch of type.types) settle(branch, seen)
}

/** CRC-64-AVRO in hex. avsc's `schema()` without attributes is the Parsing Canonical Form. */
export const fingerprintOfType = (type: RecordType): string => fingerprintOf(JSON.stringify(type.schema()))
