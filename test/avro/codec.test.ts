import assert from 'node:assert/strict'
import { test } from 'node:test'

import avro from 'avsc'

import { createCodec, type RecordCodec } from '../../src/avro/codec.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import type { SchemaRegistry } from '../../src/avro/schema-registry.ts'
import { confluentHeader, singleObjectHeader } from '../../src/avro/wire-format.ts'
import { PosthornError } from '../../src/errors.ts'
import { schemaText } from './arbitrary-records.ts'

const schemas = loadSchemas()
const offline = createCodec({ schemas, encoding: 'single-object', registry: null })

interface FakeRegistry extends Pick<SchemaRegistry, 'schemaById' | 'register'> {
  byId: Map<number, unknown>
  /** One line for each call, in order. */
  calls: string[]
  /** Thrown by the next call. */
  failure: PosthornError | null
}

const fakeRegistry = (): FakeRegistry => {
  const registry: FakeRegistry = {
    byId: new Map(),
    calls: [],
    failure: null,
    schemaById: async (id) => {
      registry.calls.push(`schemaById ${id}`)
      await step(registry)
      const schema = registry.byId.get(id)
      if (schema === undefined) throw new PosthornError('RECORD_SCHEMA_UNKNOWN', 'unknown', { stage: 'decode' })
      return schema
    },
    register: async (subject, schema) => {
      registry.calls.push(`register ${subject}`)
      await step(registry)
      const id = registry.byId.size + 1
      registry.byId.set(id, JSON.parse(schema))
      return id
    },
  }
  return registry
}

const step = async (registry: FakeRegistry): Promise<void> => {
  await Promise.resolve()
  const { failure } = registry
  registry.failure = null
  if (failure !== null) throw failure
}

const withRegistry = (): { registry: FakeRegistry; codec: RecordCodec } => {
  const registry = fakeRegistry()
  return { registry, codec: createCodec({ schemas, encoding: 'confluent', registry }) }
}

const request = { id: 'r1', to: ['a@b.c'] }
const unreachable = new PosthornError('REGISTRY_UNREACHABLE', 'down', { stage: 'decode', retryable: true })

test('single-object is written without asking anybody, and read back', async () => {
  const bytes = await offline.encode('SendRequest', request, 'mail.send.requests')
  assert.equal(bytes.toString('hex', 0, 2), 'c301')
  assert.deepEqual((await offline.decode('SendRequest', bytes)).to, ['a@b.c'])
})

test('decodeAny tells which record it is', async () => {
  const bytes = await offline.encode('SendRequest', request, 't')
  const { record, value } = await offline.decodeAny(bytes)
  assert.deepEqual([record, value.account], ['SendRequest', 'default'])
})

test('what is wrong with a record is told by its code', async () => {
  const bytes = await offline.encode('SendRequest', request, 't')
  const cases: [Buffer | null, string][] = [
    [null, 'RECORD_NULL'],
    [Buffer.from('{"id":"r1"}'), 'RECORD_UNRECOGNIZED'],
    [Buffer.concat([singleObjectHeader('0102030405060708'), bytes.subarray(10)]), 'RECORD_SCHEMA_UNKNOWN'],
    [Buffer.concat([confluentHeader(1), bytes.subarray(10)]), 'RECORD_SCHEMA_UNKNOWN'],
    [bytes.subarray(0, -1), 'RECORD_UNDECODABLE'],
    [Buffer.concat([bytes, Buffer.from([0])]), 'RECORD_UNDECODABLE'],
    [bytes.subarray(0, 10), 'RECORD_UNDECODABLE'],
  ]
  for (const [value, code] of cases)
    await assert.rejects(offline.decode('SendRequest', value), { code, retryable: false, stage: 'decode' })
  await assert.rejects(offline.decode('MailboxCommand', bytes), {
    code: 'RECORD_WRONG_TYPE',
    message: 'the record is SendRequest, where MailboxCommand is expected',
  })
})

test('input with an unknown field is refused, a typed value with one is written', async () => {
  const value = { ...request, colour: 'red' }
  await assert.rejects(offline.encodeInput('SendRequest', value, 't'), { code: 'RECORD_INVALID', message: /"colour"/ })
  assert.ok(await offline.encode('SendRequest', value, 't'))
})

test('with a registry, the subject is the topic and -value, asked for once', async () => {
  const { registry, codec } = withRegistry()
  await codec.prepare('SendRequest', 'mail.send.requests')
  const [first, second] = await Promise.all([
    codec.encode('SendRequest', request, 'mail.send.requests'),
    codec.encode('SendRequest', request, 'mail.send.requests'),
  ])
  assert.deepEqual(registry.calls, ['register mail.send.requests-value'])
  assert.equal(first.toString('hex', 0, 5), '0000000001')
  assert.deepEqual(first, second)
  assert.equal((await codec.decode('SendRequest', first)).id, 'r1')
})

test('a schema id is fetched once, also by many records at the same time', async () => {
  const { registry, codec } = withRegistry()
  registry.byId.set(7, JSON.parse(schemaText('SendRequest')))
  const body = (await offline.encode('SendRequest', request, 't')).subarray(10)
  const bytes = Buffer.concat([confluentHeader(7), body])
  await Promise.all(Array.from({ length: 20 }, () => codec.decode('SendRequest', bytes)))
  await codec.decode('SendRequest', bytes)
  assert.deepEqual(registry.calls, ['schemaById 7'])
})

test('a registry that was down is asked again', async () => {
  const { registry, codec } = withRegistry()
  registry.failure = unreachable
  await assert.rejects(codec.encode('SendRequest', request, 't'), { code: 'REGISTRY_UNREACHABLE', retryable: true })
  const bytes = await codec.encode('SendRequest', request, 't')
  registry.failure = unreachable
  await assert.rejects(codec.decode('SendRequest', bytes), { code: 'REGISTRY_UNREACHABLE', retryable: true })
  assert.equal((await codec.decode('SendRequest', bytes)).id, 'r1')
})

test('both encodings are read, whichever is written', async () => {
  const { codec } = withRegistry()
  const single = await offline.encode('SendRequest', request, 't')
  const confluent = await codec.encode('SendRequest', request, 't')
  assert.deepEqual(await codec.decode('SendRequest', single), await codec.decode('SendRequest', confluent))
  await assert.rejects(offline.decode('SendRequest', confluent), {
    code: 'RECORD_SCHEMA_UNKNOWN',
    message: /none is configured/,
  })
})

test('a producer with a schema of its own is read by resolution', async () => {
  const { registry, codec } = withRegistry()
  const schema = {
    type: 'record',
    name: 'SendRequest',
    namespace: 'posthorn',
    fields: [
      { name: 'to', type: { type: 'array', items: 'string' } },
      { name: 'campaign', type: { type: 'map', values: { type: 'array', items: 'long' } } },
      { name: 'id', type: 'string' },
      { name: 'subject', type: 'string' },
    ],
  } as const
  registry.byId.set(3, schema)
  const body = avro.Type.forSchema(structuredClone(schema) as never).toBuffer({
    to: ['a@b.c'],
    campaign: { a: [1, 2], b: [] },
    id: 'theirs',
    subject: 'hello',
  })
  const value = await codec.decode('SendRequest', Buffer.concat([confluentHeader(3), body]))
  assert.deepEqual([value.id, value.to, value.subject, value.delivery], ['theirs', ['a@b.c'], 'hello', 'AT_LEAST_ONCE'])
})

test('a registered schema that can not be read says why', async () => {
  const { registry, codec } = withRegistry()
  registry.byId.set(1, { type: 'record', name: 'SendRequest', namespace: 'posthorn', fields: [] })
  registry.byId.set(2, 'string')
  registry.byId.set(3, { type: 'record', name: 'SendRequest', namespace: 'com.example', fields: [] })
  const decode = (id: number) => codec.decode('SendRequest', confluentHeader(id))
  await assert.rejects(decode(1), { code: 'RECORD_SCHEMA_UNKNOWN', message: /SendRequest: .*id/ })
  await assert.rejects(decode(2), { code: 'RECORD_SCHEMA_UNKNOWN', message: /not a usable Avro record/ })
  await assert.rejects(decode(3), { code: 'RECORD_WRONG_TYPE', message: /com\.example\.SendRequest/ })
})
