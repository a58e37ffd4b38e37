/** A broker of the test's own, killed in the middle of its work and started again. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Supervisor } from '../../src/embedded/supervisor.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { PartitionLedger } from '../../src/kafka/partition-ledger.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { readValues } from '../support/read-values.ts'
import { createTopic } from '../support/create-topic.ts'
import { startOwnBroker } from '../support/own-broker.ts'

const count = 60

test('a broker killed and restarted in the middle of commits and sends loses and repeats none', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'posthorn-broker-'))
  const supervisor = new Supervisor()
  t.after(async () => {
    await supervisor.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  const broker = await startOwnBroker(supervisor, dataDir)

  const kafka = createKafka(
    { brokers: broker.brokers, tls: null, sasl: null },
    { clientId: 'test', patience: 'worker', log: () => undefined },
  )
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  for (const topic of ['input', 'state', 'committed', 'sent']) await createTopic(admin, topic)
  const abort = new AbortController()
  const ledger = new PartitionLedger({
    kafka,
    admin,
    groupId: 'group',
    partition: 0,
    inputTopics: ['input'],
    stateTopic: 'state',
    transactionTimeoutMs: 60_000,
    signal: abort.signal,
    onTrouble: () => undefined,
  })
  const producer = createRecordProducer(kafka)
  t.after(async () => {
    abort.abort()
    await Promise.all([ledger.close(), producer.close()])
  })
  const record = (topic: string, value: number) => ({ topic, key: 'k', value: Buffer.from(String(value)) })
  await ledger.claim()

  let restarting = Promise.resolve()
  for (let value = 0; value < count; value += 1) {
    if (value === count / 2) restarting = broker.restart(0)
    await Promise.all([
      ledger.commit([record('committed', value)], new Map([['input', { offset: value + 1, settled: [] }]])),
      producer.send([record('sent', value)]),
    ])
  }
  await restarting

  const expected = Array.from({ length: count }, (_, value) => value)
  for (const topic of ['committed', 'sent']) {
    const values = (await readValues(kafka, topic, count)).map(Number)
    assert.deepEqual(values, expected, topic)
  }
  const [position] = await admin.fetchOffsets({ groupId: 'group', topics: ['input'] })
  assert.equal(position?.partitions[0]?.offset, String(count))
})
