/**
 * avsc wraps a value of a union with several records, `{ 'posthorn.UidTarget': { uids: … } }`. Posthorn's values are
 * the bare record; which one it is, its fields tell. Pure. Such unions are fields of the topmost record only: a test
 * sees to it.
 */

import avro from 'avsc'

import type { RecordType } from './avro-type.ts'
import { missingBranch } from './invalid-value.ts'

export interface RecordUnion {
  field: string
  branches: RecordType[]
}

type Fields = Record<string, unknown>

export const recordUnions = (type: RecordType): RecordUnion[] =>
  type.fields.flatMap((field) =>
    field.type instanceof avro.types.WrappedUnionType
      ? [{ field: field.name, branches: field.type.types as RecordType[] }]
      : [],
  )

const requiredFields = (type: RecordType): string[] =>
  type.fields.filter((field) => field.defaultValue() === undefined).map((field) => field.name)

/**
 * A copy as avsc wants it.
 *
 * @throws PosthornError RECORD_INVALID where the value has the fields of no branch
 */
export const wrapUnions = (record: string, value: object, unions: RecordUnion[]): object => {
  if (unions.length === 0) return value
  const wrapped: Fields = { ...value }
  for (const { field, branches } of unions) {
    const inner = wrapped[field]
    const fits = (branch: RecordType): boolean =>
      typeof inner === 'object' && inner !== null && requiredFields(branch).every((required) => required in inner)
    const branch = branches.find(fits)
    if (branch === undefined) throw missingBranch(record, field, branches.map(requiredFields))
    wrapped[field] = { [branch.branchName ?? '']: inner }
  }
  return wrapped
}

/** Changes the value, which avsc has just made. */
export const unwrapUnions = (value: Fields, unions: RecordUnion[]): Fields => {
  for (const { field } of unions) value[field] = Object.values(value[field] as Fields)[0]
  return value
}
