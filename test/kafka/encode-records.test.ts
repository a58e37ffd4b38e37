import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import process from 'node:process'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeRecord, encodeRecordsOnce, type EncodableRecord } from '../../src/kafka/encode-records.ts'

const require = createRequire(import.meta.url)
type Encode = (record: object) => { buffer: Buffer }
/** The library's own, taken before anything replaces it. */
const original = require('kafkajs/src/protocol/recordBatch/record/v0') as Encode

const bytes = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
)
const record: fc.Arbitrary<EncodableRecord> = fc.record({
  offsetDelta: fc.nat(5_000),
  timestampDelta: fc.oneof(fc.constant(0), fc.integer({ min: -100_000, max: 100_000_000 })),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.string({ unit: 'binary', maxLength: 80 }), fc.oneof(bytes, fc.array(bytes)), {
    maxKeys: 80,
  }),
})

test('a record is encoded to the bytes that kafkajs makes of it', () => {
  fc.assert(
    fc.property(record, (made) => {
      assert.deepEqual(encodeRecord(made).buffer, original(made).buffer)
    }),
    { numRuns: 500 },
  )
  assert.deepEqual(encodeRecord({}).buffer, original({}).buffer)
})

test('a header without a value has a length of -1', () => {
  const { buffer } = encodeRecord({ headers: { a: null } })
  assert.deepEqual([...buffer.subarray(-4)], [2, 2, 0x61, 1])
})

test('the encoder grows and keeps what it has', () => {
  encodeRecordsOnce()
  const Encoder = require('kafkajs/src/protocol/encoder') as new () => {
    writeBuffer(value: Buffer): void
    buffer: Buffer
  }
  const encoder = new Encoder()
  const pieces = Array.from({ length: 40 }, (_, index) => Buffer.alloc(index * 37, index))
  for (const piece of pieces) encoder.writeBuffer(piece)
  assert.deepEqual(encoder.buffer, Buffer.concat(pieces))
})

test('kafkajs encodes records by it', () => {
  const program = `
    const { createRequire } = await import('node:module')
    const { createKafka } = await import(${JSON.stringify(new URL('../../src/kafka/connect.ts', import.meta.url).href)})
    createKafka({ brokers: ['127.0.0.1:1'], tls: null, sasl: null }, { clientId: 't', patience: 'command', log() {} })
    const require = createRequire(${JSON.stringify(import.meta.url)})
    const cached = require.cache[require.resolve('kafkajs/src/protocol/recordBatch/record/v0')]
    let asked = 0
    const encode = cached.exports
    cached.exports = (record) => { asked += 1; return encode(record) }
    const request = require('kafkajs/src/protocol/requests/produce').protocol({ version: 7 })({
      transactionalId: 't', acks: -1, timeout: 1, producerId: 1, producerEpoch: 1,
      topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages: [{ key: 'k', value: 'v' }] }] }],
    })
    await request.request.encode()
    console.log(encode.name, asked)
  `
  const args = ['--import', 'tsx', '--input-type=module', '-e', program]
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim(), 'encodeRecord 1')
})
