/** What a committed reader sees of transactions that were aborted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKafka } from '../../src/kafka/connect.ts'
import { readValues } from '../support/read-values.ts'
import { createTopic } from '../support/create-topic.ts'
import { testServers, uniqueName } from '../support/servers.ts'

test('a reader gets nothing of aborted transactions, however they overlap', async (t) => {
  const { brokers } = await testServers()
  const topic = uniqueName('aborted')
  const client = { clientId: 'test', patience: 'worker', log: () => undefined } as const
  const kafka = createKafka({ brokers, tls: null, sasl: null }, client)
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  await createTopic(admin, topic)
  const begin = async (name: string) => {
    const transactionalId = `${topic}.${name}`
    const producer = kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    t.after(() => producer.disconnect())
    const transaction = await producer.transaction()
    const write = (value: string, key: Buffer | null = null) =>
      transaction.send({ topic, messages: [{ key, value }], acks: -1 })
    return { write, abort: () => transaction.abort(), commit: () => transaction.commit() }
  }
  const [outer, inner, kept] = [await begin('outer'), await begin('inner'), await begin('kept')]
  await outer.write('outer 1')
  await inner.write('inner 1')
  await kept.write('kept')
  // What kafkajs takes for the end of a transaction.
  await outer.write('outer 2', Buffer.alloc(4))
  await outer.write('outer 3')
  await inner.abort()
  await outer.abort()
  await kept.commit()

  assert.deepEqual(await readValues(kafka, topic, 1), ['kept'])
})
