/** Says where and why a value is not one of a record's schema. Never quotes the value: it may be mail. Pure. */

import type { Type } from 'avsc'
import avro from 'avsc'

import { PosthornError } from '../errors.ts'

const { types } = avro

const simple: Record<string, string> = {
  null: 'null',
  boolean: 'true or false',
  int: 'a whole number of at most 32 bits',
  long: 'a whole number',
  float: 'a number',
  double: 'a number',
  string: 'a string',
  bytes: 'a Buffer',
}

const expected = (type: Type): string => {
  if (type instanceof types.RecordType) return `an object (${type.name?.split('.').at(-1)})`
  if (type instanceof types.ArrayType) return 'an array'
  if (type instanceof types.MapType) return 'an object of strings'
  if (type instanceof types.EnumType) return `one of ${type.symbols.join(', ')}`
  if (type instanceof types.UnwrappedUnionType) return type.types.map(expected).join(' or ')
  return simple[type.typeName] ?? type.typeName
}

const kindOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  if (Buffer.isBuffer(value)) return 'a Buffer'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return 'a number like this'
  return `a ${typeof value}`
}

const mismatch = (type: Type, value: unknown): string => {
  const rule = `must be ${expected(type)}`
  return type instanceof types.EnumType && typeof value === 'string' ? rule : `${rule}, not ${kindOf(value)}`
}

const unknownFields = (type: Type, value: unknown): string[] => {
  if (!(type instanceof types.RecordType) || typeof value !== 'object' || value === null) return []
  const known = new Set(type.fields.map((field) => field.name))
  return Object.keys(value).filter((key) => !known.has(key))
}

/** `['attachments', '0', 'content']` → `attachments[0].content`; branch names of wrapped unions left out. */
const pathText = (path: string[]): string =>
  path
    .filter((part) => !part.includes('.'))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`))
    .join('')

const refusal = (record: string, path: string, rule: string): PosthornError =>
  new PosthornError('RECORD_INVALID', `${record}${path === '' ? '' : `.${path}`} ${rule}`, {
    stage: 'validate',
    action: `See schemas/${record}.avsc.`,
  })

/** The first thing that is wrong with a value, null when nothing is. `strict`: unknown fields are wrong too. */
export const invalidValue = (record: string, type: Type, value: unknown, strict: boolean): PosthornError | null => {
  const wrong: PosthornError[] = []
  const errorHook = (path: string[], inner: unknown, innerType: Type): void => {
    const unknown = strict ? unknownFields(innerType, inner) : []
    const rule =
      unknown.length > 0
        ? `has no field ${unknown.map((name) => JSON.stringify(name.slice(0, 50))).join(', ')}`
        : mismatch(innerType, inner)
    wrong.push(refusal(record, pathText(path), rule))
  }
  type.isValid(value, { noUndeclaredFields: strict, errorHook })
  return wrong[0] ?? null
}

/** For a union of records that are told by their fields. */
export const missingBranch = (record: string, field: string, branches: string[][]): PosthornError =>
  refusal(record, field, `must have ${branches.map((names) => names.join(' and ')).join(', or ')}`)
