import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import * as fc from 'fast-check'

import { createCodec } from '../../src/avro/codec.ts'
import { recordNames, type RecordName } from '../../src/avro/records.ts'
import { loadSchemas } from '../../src/avro/schema-store.ts'
import { arbitraryRecord } from '../avro/arbitrary-records.ts'
import { pythonWith } from '../support/python.ts'

const codec = createCodec({ schemas: loadSchemas(), encoding: 'single-object', registry: null })
const script = fileURLToPath(new URL('../support/python/cross_check_records.py', import.meta.url))
const schemas = fileURLToPath(new URL('../../schemas/', import.meta.url))

type Task = { record: RecordName } & ({ decode: string } | { encode: unknown })
interface Answer {
  value?: unknown
  bytes: string
}

const ask = async (tasks: Task[]): Promise<Answer[]> => {
  const python = await pythonWith('fastavro==1.13.1')
  const output = await python(script, [schemas], tasks.map((task) => `${JSON.stringify(task)}\n`).join(''))
  const answers = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
  assert.equal(answers.length, tasks.length)
  return answers
}

/** As the script writes values: bytes as `{ $bytes: hex }`. */
const toJson = (value: unknown): unknown => {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('hex') }
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}

test('fastavro reads every record that Posthorn writes, and Posthorn reads what it writes of them', async () => {
  const samples = recordNames.flatMap((record) =>
    fc.sample(arbitraryRecord(record), { numRuns: 100, seed: 4711 }).map((value) => ({ record, value })),
  )
  const written = await Promise.all(samples.map(({ record, value }) => codec.encode(record, value, 't')))
  const tasks = samples.map(({ record }, index) => ({ record, decode: written[index]?.toString('hex') ?? '' }))
  const answers = await ask(tasks)
  for (const [index, answer] of answers.entries()) {
    const { record, value } = samples[index] ?? assert.fail()
    assert.deepEqual(answer.value, toJson(value), record)
    assert.deepEqual(await codec.decode(record, Buffer.from(answer.bytes, 'hex')), value, record)
  }
})

const object = { bucket: 'mail', key: 'out/4711.pdf' }
const command = { id: 'c1', account: 'support', action: 'MOVE' }
const targets = [
  { uids: [4, 5], uidValidity: 7 },
  { messageIds: ['<a@b>'] },
  { filter: { seen: true } },
  { filter: {} },
  { all: true },
]

test('a producer in Python leaves out what has a default, and names targets and objects by their fields', async () => {
  const request = {
    id: 'order-4711',
    to: ['Ada <ada@example.com>'],
    attachments: [{ fileName: 'invoice.pdf', content: object }, { content: { $bytes: '00ff' } }],
    sendAt: 1_767_225_600_000,
  }
  const tasks: Task[] = [
    { record: 'SendRequest', encode: request },
    ...targets.map((target): Task => ({ record: 'MailboxCommand', encode: { ...command, target } })),
  ]
  const answers = await ask(tasks)
  const [first, ...others] = answers.map(({ bytes }) => Buffer.from(bytes, 'hex'))
  const expected = await codec.encodeInput(
    'SendRequest',
    { ...request, attachments: [request.attachments[0], { content: Buffer.from([0, 255]) }] },
    't',
  )
  assert.deepEqual(await codec.decode('SendRequest', first ?? null), await codec.decode('SendRequest', expected))
  for (const [index, bytes] of others.entries()) {
    const ours = await codec.encodeInput('MailboxCommand', { ...command, target: targets[index] }, 't')
    assert.deepEqual(await codec.decode('MailboxCommand', bytes), await codec.decode('MailboxCommand', ours))
  }
})
