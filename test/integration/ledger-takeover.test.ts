/** The ledger of a partition when replies are lost and another owner takes over meanwhile. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Kafka } from 'kafkajs'
import { createKafka } from '../../src/kafka/connect.ts'
import { PartitionLedger, type Positions } from '../../src/kafka/partition-ledger.ts'
import { readValues } from '../support/read-values.ts'
import { KafkaProxy } from '../support/kafka-proxy.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { createTopic } from '../support/create-topic.ts'

const setUp = async (t: TestContext) => {
  const { brokers } = await testServers()
  const proxy = await KafkaProxy.start(t, brokers[0] ?? '')
  const name = uniqueName('ledger')
  const [input, state, output] = [`${name}.input`, `${name}.state`, `${name}.output`] as const
  const clientFor = (addresses: readonly string[]): Kafka =>
    createKafka(
      { brokers: [...addresses], tls: null, sasl: null },
      { clientId: 'test', patience: 'worker', log: () => undefined },
    )
  const ledgerOn = async (kafka: Kafka): Promise<PartitionLedger> => {
    const admin = kafka.admin()
    await admin.connect()
    const abort = new AbortController()
    const ledger = new PartitionLedger({
      kafka,
      admin,
      groupId: name,
      partition: 0,
      inputTopics: [input],
      stateTopic: state,
      transactionTimeoutMs: 60_000,
      signal: abort.signal,
      onTrouble: () => undefined,
    })
    t.after(async () => {
      abort.abort()
      await ledger.close()
      await admin.disconnect()
    })
    return ledger
  }
  const direct = clientFor(brokers)
  const admin = direct.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  for (const topic of [input, state, output]) await createTopic(admin, topic)
  const commit = (ledger: PartitionLedger, value: string, offset: number): Promise<void> => {
    const positions: Positions = new Map([[input, { offset, settled: [] }]])
    return ledger.commit([{ topic: output, key: null, value: Buffer.from(value) }], positions)
  }
  const committed = (awaited: number): Promise<string[]> => readValues(direct, output, awaited)
  return { proxy, commit, committed, faulty: await ledgerOn(clientFor(proxy.brokers)), other: await ledgerOn(direct) }
}

test('a commit whose reply is lost while another owner takes over is not repeated', async (t) => {
  const { proxy, commit, committed, faulty, other } = await setUp(t)
  await faulty.claim()
  await commit(faulty, 'a', 1)
  const struck = proxy.next('EndTxn', async (response) => {
    const { positions } = await other.claim()
    assert.deepEqual([...positions.values()], [{ offset: 2, settled: [] }], 'the commit has happened')
    await commit(other, 'c', 3)
    proxy.cut()
    return response
  })
  const outcome = commit(faulty, 'b', 2).then(
    () => 'committed',
    ({ code }: { code: string }) => code,
  )
  await struck
  assert.equal(await outcome, 'KAFKA_FENCED')
  assert.deepEqual(await committed(3), ['a', 'b', 'c'])
})
