/** Random values of any record, from its schema, so that a new field is tested without anyone thinking of it. */

import { readFileSync } from 'node:fs'

import * as fc from 'fast-check'

import type { RecordName, RecordTypes } from '../../src/avro/records.ts'

type Schema =
  | string
  | Schema[]
  | { type: 'record'; name: string; fields: { name: string; type: Schema }[] }
  | { type: 'enum'; name: string; symbols: string[] }
  | { type: 'array'; items: Schema }
  | { type: 'map'; values: Schema }
  | { type: string; logicalType?: string }

const primitives: Record<string, fc.Arbitrary<unknown>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  int: fc.integer(),
  long: fc.oneof(fc.nat(), fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER - 1 })),
  string: fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 200 })),
  bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
}

/** Years 1 to 9999: what other languages have dates for. */
const time = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })

const arbitraryOf = (schema: Schema, named: Map<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> => {
  if (typeof schema === 'string') return primitives[schema] ?? named.get(schema) ?? fc.constant(undefined)
  if (Array.isArray(schema)) return fc.oneof(...schema.map((branch) => arbitraryOf(branch, named)))
  if ('items' in schema) return fc.array(arbitraryOf(schema.items, named), { maxLength: 4 })
  if ('values' in schema)
    return fc.dictionary(mapKey, arbitraryOf(schema.values, named), { maxKeys: 4, noNullPrototype: true })
  if ('symbols' in schema) {
    const symbols = fc.constantFrom(...schema.symbols)
    named.set(schema.name, symbols)
    return symbols
  }
  if ('logicalType' in schema) return time
  if (!('fields' in schema)) return arbitraryOf(schema.type, named)
  const fields = fc.record(
    Object.fromEntries(schema.fields.map(({ name, type }) => [name, arbitraryOf(type, named)])),
    {
      noNullPrototype: true,
    },
  )
  named.set(schema.name, fields)
  return fields
}

const mapKey = fc.string().filter((key) => key !== '__proto__')

export const schemaText = (record: RecordName): string =>
  readFileSync(new URL(`../../schemas/${record}.avsc`, import.meta.url), 'utf8')

export const arbitraryRecord = <N extends RecordName>(record: N): fc.Arbitrary<RecordTypes[N]> =>
  arbitraryOf(JSON.parse(schemaText(record)) as Schema, new Map()) as fc.Arbitrary<RecordTypes[N]>
