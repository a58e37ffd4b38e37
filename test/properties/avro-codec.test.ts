import assert from 'node:assert/strict'
import { test } from 'node:test'

import avro from 'avsc'
import * as fc from 'fast-check'

import { createCodec } from '../../src/avro/codec.ts'
import { recordNames, type RecordName } from '../../src/avro/records.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { isPosthornError } from '../../src/errors.ts'
import { arbitraryRecord, schemaText } from '../avro/arbitrary-records.ts'

const schemas = loadSchemas()
const codec = createCodec({ schemas, encoding: 'single-object', registry: null })

/** How decoding these bytes ends: a value, or the code of the error. Anything else that is thrown fails the test. */
const outcome = async (record: RecordName, bytes: Buffer): Promise<string> => {
  try {
    await codec.decode(record, bytes)
    return 'value'
  } catch (error) {
    if (!isPosthornError(error)) throw error
    return error.code
  }
}

const decodeOutcomes = new Set([
  'value',
  'RECORD_UNRECOGNIZED',
  'RECORD_SCHEMA_UNKNOWN',
  'RECORD_WRONG_TYPE',
  'RECORD_UNDECODABLE',
])

interface Mutation {
  at: number
  remove: number
  insert: Uint8Array
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(8),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    // Numbers that announce something huge.
    fc
      .constantFrom('feffffff0f', 'fcffffffffffff1f', 'ffffffffffffffffff01', '8080808080808080')
      .map((hex) => Buffer.from(hex, 'hex')),
  ),
})

const mutate = (bytes: Buffer, { at, remove, insert }: Mutation): Buffer => {
  const position = Math.floor(at * bytes.length)
  return Buffer.concat([bytes.subarray(0, position), insert, bytes.subarray(position + remove)])
}

for (const record of recordNames) {
  const values = arbitraryRecord(record)

  test(`${record}: what is written is read back the same`, async () => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        assert.deepEqual(await codec.decode(record, await codec.encode(record, value, 't')), value)
      }),
    )
  })

  test(`${record}: the same value gives the same bytes, checked strictly or not`, async () => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        assert.deepEqual(await codec.encodeInput(record, value, 't'), await codec.encode(record, value, 't'))
      }),
    )
  })

  test(`${record}: damaged bytes are a value or a known error, soon`, async () => {
    const started = process.hrtime.bigint()
    await fc.assert(
      fc.asyncProperty(values, fc.array(mutation, { minLength: 1, maxLength: 4 }), async (value, mutations) => {
        const damaged = mutations.reduce(mutate, await codec.encode(record, value, 't'))
        const end = await outcome(record, damaged)
        assert.ok(decodeOutcomes.has(end), end)
      }),
      { numRuns: 1000 },
    )
    assert.ok(process.hrtime.bigint() - started < 20_000_000_000n)
  })

  test(`${record}: any bytes after the header are a value or undecodable`, async () => {
    const { singleObjectHeader } = schemas.schema(record)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (body) => {
        const end = await outcome(record, Buffer.concat([singleObjectHeader, body]))
        assert.ok(end === 'value' || end === 'RECORD_UNDECODABLE', end)
      }),
      { numRuns: 1000 },
    )
  })

  test(`${record}: what decodes is what avsc alone reads from the same bytes`, async () => {
    const type = avro.Type.forSchema(JSON.parse(schemaText(record)))
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const bytes = await codec.encode(record, value, 't')
        const theirs = type.fromBuffer(bytes.subarray(10))
        assert.deepEqual(type.toBuffer(theirs), bytes.subarray(10))
      }),
    )
  })

  test(`${record}: every proper prefix is refused`, async () => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const bytes = await codec.encode(record, value, 't')
        for (let length = 10; length < bytes.length; length++)
          assert.equal(await outcome(record, bytes.subarray(0, length)), 'RECORD_UNDECODABLE')
      }),
      { numRuns: 20 },
    )
  })
}
