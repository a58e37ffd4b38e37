/**
 * One record's schema, ready to write and to read: avsc, with what it leaves open settled so that decoded values are
 * exactly the types of `records.ts`. Values are plain objects; a union of several records is the bare record, told by
 * its fields; bytes are copies, so that no value keeps a fetched batch of Kafka alive.
 */

import type { Type } from 'avsc'
import avro from 'avsc'

import { isPosthornError, PosthornError } from '../errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { RecordName } from './records.ts'
import { invalidValue, missingBranch } from './invalid-value.ts'
import { compileVerifier } from './verify-body.ts'
import { singleObjectHeader } from './wire-format.ts'

type RecordType = InstanceType<typeof avro.types.RecordType>
type Fields = Record<string, unknown>

/** Reads the body that begins at `start` and ends with the bytes. Throws RECORD_UNDECODABLE. */
export type ReadBody = (bytes: Buffer, start: number) => unknown

export interface RecordSchema {
  readonly name: RecordName
  /** The .avsc file's content. */
  readonly json: string
  /** CRC-64-AVRO in hex, in the order of a single-object header. */
  readonly fingerprint: string
  readonly singleObjectHeader: Buffer
  /**
   * Header and body in one buffer. With `strict`, fields that the record does not have are refused.
   *
   * @throws PosthornError RECORD_INVALID
   */
  write(header: Buffer, value: unknown, options: { strict: boolean }): Buffer
  /**
   * A reader of what was written with another schema of this record (Avro specification, "Schema Resolution").
   *
   * @throws Error, with avsc's reason, where the two can't be resolved.
   */
  readerOf(writer: RecordType): ReadBody
}

/** Bodies of up to so many bytes are written without measuring them first. */
const scratchLength = 64 * 1024

/** @throws Error where it is not an Avro record. */
export const parseRecordType = (schema: unknown): RecordType => {
  const type = avro.Type.forSchema(schema as Parameters<typeof avro.Type.forSchema>[0], { omitRecordMethods: true })
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

interface RecordUnion {
  field: string
  branches: RecordType[]
}

/** avsc wraps a value of a union with several records: `{ 'posthorn.UidTarget': … }`. Such fields of the record. */
const recordUnions = (type: RecordType): RecordUnion[] =>
  type.fields.flatMap((field) =>
    field.type instanceof avro.types.WrappedUnionType
      ? [{ field: field.name, branches: field.type.types as RecordType[] }]
      : [],
  )

const requiredFields = (type: RecordType): string[] =>
  type.fields.filter((field) => field.defaultValue() === undefined).map((field) => field.name)

const wrap = (name: RecordName, value: Fields, unions: RecordUnion[]): Fields => {
  if (unions.length === 0) return value
  const wrapped = { ...value }
  for (const { field, branches } of unions) {
    const inner = value[field]
    const fits = (branch: RecordType): boolean =>
      typeof inner === 'object' && inner !== null && requiredFields(branch).every((required) => required in inner)
    const branch = branches.find(fits)
    if (branch === undefined) throw missingBranch(name, field, branches.map(requiredFields))
    wrapped[field] = { [branch.branchName ?? '']: inner }
  }
  return wrapped
}

const unwrap = (value: Fields, unions: RecordUnion[]): Fields => {
  for (const { field } of unions) value[field] = Object.values(value[field] as Fields)[0]
  return value
}

/** A copy whose text has U+FFFD in the place of unpaired surrogates, which UTF-8 can't express. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('utf8')
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [wellFormed(key), wellFormed(inner)]))
}

/** avsc's `schema()` without attributes is the Parsing Canonical Form. */
export const fingerprintOfType = (type: RecordType): string => fingerprintOf(JSON.stringify(type.schema()))

/** @throws Error where the content is not an Avro record. */
export const compileRecord = (name: RecordName, json: string): RecordSchema => {
  const type = parseRecordType(JSON.parse(json))
  const unions = recordUnions(type)
  const verify = compileVerifier(type)
  const scratch = Buffer.allocUnsafeSlow(scratchLength)

  const encode = (header: Buffer, value: unknown): Buffer => {
    const end = type.encode(value, scratch, header.length)
    const bytes = Buffer.allocUnsafe(end < 0 ? scratch.length - end : end)
    if (end < 0) type.encode(value, bytes, header.length)
    else scratch.copy(bytes, 0, 0, end)
    header.copy(bytes)
    return bytes
  }

  // Written bytes are verified like read ones: avsc can write text that is not UTF-8.
  const attempt = (header: Buffer, value: unknown): Buffer | PosthornError => {
    try {
      const bytes = encode(header, value)
      verify(bytes, header.length)
      return bytes
    } catch (error) {
      // avsc's own message quotes the value.
      const why = isPosthornError(error) ? error.message : 'it does not fit the schema'
      return new PosthornError('RECORD_INVALID', `this ${name} can't be written: ${why}`, { stage: 'validate' })
    }
  }

  const fingerprint = fingerprintOfType(type)

  return {
    name,
    json,
    fingerprint,
    singleObjectHeader: singleObjectHeader(fingerprint),
    write: (header, value, { strict }) => {
      const wrapped = typeof value === 'object' && value !== null ? wrap(name, value as Fields, unions) : value
      const refusal = strict ? invalidValue(name, type, wrapped, true) : null
      if (refusal !== null) throw refusal
      const first = attempt(header, wrapped)
      if (Buffer.isBuffer(first)) return first
      const second = attempt(header, wellFormed(wrapped))
      if (Buffer.isBuffer(second)) return second
      throw invalidValue(name, type, wrapped, false) ?? second
    },
    readerOf: (writer) => {
      const resolver = type.createResolver(writer)
      const verifyWritten = compileVerifier(writer)
      return (bytes, start) => {
        verifyWritten(bytes, start)
        return unwrap(type.decode(bytes, start, resolver).value as Fields, unions)
      }
    },
  }
}
