import assert from 'node:assert/strict'
import { test } from 'node:test'

import { confluentHeader, readFrame, singleObjectHeader } from '../../src/avro/wire-format.ts'

const fingerprint = '0102030405060708'

test('a single-object header is C3 01 and the fingerprint', () => {
  assert.equal(singleObjectHeader(fingerprint).toString('hex'), `c301${fingerprint}`)
})

test('a Confluent header is a zero byte and the id, highest byte first', () => {
  assert.equal(confluentHeader(0x01020304).toString('hex'), '0001020304')
  assert.equal(confluentHeader(0xfffffffe).toString('hex'), '00fffffffe')
})

test('the first bytes tell the two formats apart', () => {
  const single = Buffer.concat([singleObjectHeader(fingerprint), Buffer.from('body')])
  assert.deepEqual(readFrame(single), { format: 'single-object', fingerprint, bytes: single, bodyStart: 10 })
  const confluent = Buffer.concat([confluentHeader(7), Buffer.from('body')])
  assert.deepEqual(readFrame(confluent), { format: 'confluent', schemaId: 7, bytes: confluent, bodyStart: 5 })
})

test('a record without a value is told from one in no known encoding', () => {
  assert.throws(() => readFrame(null), { code: 'RECORD_NULL' })
  for (const hex of ['', 'c3', 'c302000000000000000000', '7b7d', 'ff0000000001', '01'])
    assert.throws(() => readFrame(Buffer.from(hex, 'hex')), { code: 'RECORD_UNRECOGNIZED' }, hex)
})

test('a header that is cut off is refused', () => {
  for (const hex of ['c301', 'c30101020304050607', '00', '00010203'])
    assert.throws(() => readFrame(Buffer.from(hex, 'hex')), { code: 'RECORD_UNRECOGNIZED', message: /header/ }, hex)
})
