import assert from 'node:assert/strict'
import { test } from 'node:test'

import avro from 'avsc'

import { compileVerifier } from '../../src/avro/verify-body.ts'

type Schema = Parameters<typeof avro.Type.forSchema>[0]

const verify = (schema: unknown, hex: string): void =>
  compileVerifier(avro.Type.forSchema(schema as Schema))(Buffer.from(hex, 'hex'), 0)

const accepts = (schema: unknown, hex: string): void => assert.doesNotThrow(() => verify(schema, hex), hex)

const refuses = (schema: unknown, hex: string, message: RegExp): void =>
  assert.throws(() => verify(schema, hex), { code: 'RECORD_UNDECODABLE', retryable: false, message }, hex)

const record = (name: string, type: unknown): object => ({ type: 'record', name, fields: [{ name: 'it', type }] })

test('numbers are read to their end, within their range', () => {
  accepts('int', '00')
  accepts('int', 'feffffff0f')
  accepts('int', 'ffffffff0f')
  refuses('int', '8080808010', /beyond 32 bits/)
  accepts('long', '8080808010')
  accepts('long', 'fcffffffffffff1f')
  refuses('long', 'feffffffffffff1f', /too large/)
  accepts('long', 'ffffffffffffff0f')
  refuses('long', '8180808080808010', /too large/)
  refuses('long', 'ffffffffffffffffffff01', /more than 10 bytes/)
  refuses('long', '80', /ends within a number/)
  refuses('long', '', /ends within a number/)
})

test('a boolean is zero or one', () => {
  accepts('boolean', '00')
  accepts('boolean', '01')
  refuses('boolean', '02', /neither/)
  refuses('boolean', '', /neither/)
})

test('text has to be UTF-8, short or long', () => {
  accepts('string', '06c3a461')
  refuses('string', '02ff', /UTF-8/)
  refuses('string', '06eda080', /UTF-8/)
  accepts('string', `c801${'61'.repeat(100)}`)
  refuses('string', `c801${'61'.repeat(99)}ff`, /UTF-8/)
})

test('a length can announce neither more than there is nor less than nothing', () => {
  refuses('string', '0a61', /5 bytes announced with 1 left/)
  refuses('bytes', 'feffffff0f61', /announced/)
  refuses('bytes', '0161', /announced/)
  refuses({ type: 'fixed', name: 'F', size: 4 }, '000000', /announced/)
  refuses('double', '00000000000000', /announced/)
  refuses('float', '000000', /announced/)
})

test('choices exist', () => {
  accepts(['null', 'string'], '00')
  refuses(['null', 'string'], '04', /choice 2 of 2/)
  refuses(['null', 'string'], '01', /choice -1 of 2/)
  refuses({ type: 'enum', name: 'E', symbols: ['A', 'B'] }, '04', /choice 2 of 2/)
})

test('a forged number of items is refused before any of them is read', () => {
  const started = process.hrtime.bigint()
  refuses({ type: 'array', items: 'string' }, 'feffffffffffff1f00', /too large/)
  refuses({ type: 'array', items: 'string' }, 'fcffffffffffff1f00', /announced with 1 bytes left/)
  refuses({ type: 'map', values: 'string' }, 'fcffffffffffff1f00', /announced/)
  assert.ok(process.hrtime.bigint() - started < 1_000_000_000n)
})

test('items that take no bytes are refused, for any number of them could be announced', () => {
  accepts({ type: 'array', items: 'null' }, '00')
  refuses({ type: 'array', items: 'null' }, '0200', /without a byte/)
  refuses({ type: 'array', items: { type: 'record', name: 'R', fields: [] } }, '0200', /without a byte/)
})

const count = (items: number): string => avro.Type.forSchema('long').toBuffer(items).toString('hex')

test('a record holds a million items at most', () => {
  const array = { type: 'array', items: 'boolean' }
  accepts(array, `${count(1_000_000)}${'01'.repeat(1_000_000)}00`)
  refuses(array, `${count(1_000_001)}${'01'.repeat(1_000_001)}00`, /more than 1000000 items/)
})

test('blocks with a size are read, and the size has to be right', () => {
  const array = { type: 'array', items: 'string' }
  accepts(array, '03080261026200')
  refuses(array, '03060261026200', /another size/)
  refuses(array, '030a0261026200', /another size/)
  refuses(array, '03010261026200', /another size/)
})

test('a map has no entry called __proto__, which decoding would lose', () => {
  accepts({ type: 'map', values: 'string' }, '02046162026100')
  refuses({ type: 'map', values: 'string' }, `0212${Buffer.from('__proto__').toString('hex')}026100`, /__proto__/)
})

test('a schema within itself is followed to a bounded depth', () => {
  const list = { type: 'record', name: 'List', fields: [{ name: 'rest', type: ['null', 'List'] }] }
  accepts(list, `${'02'.repeat(60)}00`)
  refuses(list, `${'02'.repeat(100_000)}00`, /more than 64 records within one another/)
})

test('what follows the value is refused', () => {
  refuses(record('R', 'int'), '0000', /1 bytes left over/)
})

test('the message names record and field, not the content', () => {
  refuses(record('Outer', { type: 'array', items: record('Inner', 'string') }), '0202ff00', /at Inner\.it: text that/)
})
