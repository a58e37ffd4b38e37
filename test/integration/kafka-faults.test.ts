/** What kafkajs makes of lost requests and responses, and that nothing is lost or repeated through Posthorn's clients. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Kafka } from 'kafkajs'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { createTopic } from '../support/create-topic.ts'
import { KafkaProxy, type Fault } from '../support/kafka-proxy.ts'
import { readValues } from '../support/read-values.ts'
import { testServers, uniqueName } from '../support/servers.ts'

const clientFor = (brokers: readonly string[]): Kafka =>
  createKafka({ brokers: [...brokers], tls: null, sasl: null }, { clientId: 'test', patience: 'worker', log: () => {} })

interface Setting {
  /** Straight to the broker. */
  direct: Kafka
  /** Through the proxy. */
  faulty: Kafka
  proxy: KafkaProxy
  topic: string
}

const setUp = async (t: TestContext): Promise<Setting> => {
  const { brokers } = await testServers()
  const proxy = await KafkaProxy.start(t, brokers[0] ?? '')
  const direct = clientFor(brokers)
  const admin = direct.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const topic = uniqueName('faults')
  await createTopic(admin, topic)
  return { direct, faulty: clientFor(proxy.brokers), proxy, topic }
}

const faults: readonly Fault[] = ['lose-request', 'lose-response']
for (const fault of faults) {
  test(`a producer through a Produce that is hit by ${String(fault)} writes every record once, in order`, async (t) => {
    const { direct, faulty, proxy, topic } = await setUp(t)
    const producer = createRecordProducer(faulty)
    t.after(() => producer.close())
    const record = (value: string) => ({ topic, key: 'k', value: Buffer.from(value) })
    await producer.send([record('0')])
    const struck = proxy.next('Produce', fault)
    const sent = ['1', '2', '3', '4'].map((value) => producer.send([record(value)]))
    await struck
    await Promise.all(sent)
    await producer.send([record('5')])
    assert.deepEqual(await readValues(direct, topic, 6), ['0', '1', '2', '3', '4', '5'])
  })
}

test('offsets are asked of the new leader at once where a partition was moved', async (t) => {
  const { faulty, proxy, topic } = await setUp(t)
  const admin = faulty.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const offsets = await admin.fetchTopicOffsets(topic)
  const notLeader = (response: Buffer): Buffer => {
    // Version 3: throttle time, one topic, one partition, then its error code.
    response.writeInt16BE(6, 4 + 4 + 2 + topic.length + 4 + 4)
    return response
  }
  const struck = proxy.next('ListOffsets', notLeader)
  const asked = proxy.next('Metadata', (response) => response)
  assert.deepEqual(await admin.fetchTopicOffsets(topic), offsets)
  await Promise.all([struck, asked])
})
