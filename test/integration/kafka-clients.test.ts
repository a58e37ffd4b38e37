/** The plain Kafka clients on a real broker: topics, reader, producer. */
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Admin, Kafka, Producer } from 'kafkajs'
import { compileConfig } from '../../src/config/compile-config.ts'
import { isPosthornError } from '../../src/errors.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { partitionFor } from '../../src/kafka/partition-for.ts'
import { createRecordProducer, type RecordProducer } from '../../src/kafka/record-producer.ts'
import { planTopics } from '../../src/kafka/topic-plan.ts'
import { TopicReader, type TopicReaderOptions } from '../../src/kafka/topic-reader.ts'
import { describeTopics, ensureTopics } from '../../src/kafka/topics.ts'
import { testServers, uniqueName } from '../support/servers.ts'

let brokers: string[] = []
let kafka: Kafka
let admin: Admin

before(async () => {
  brokers = (await testServers()).brokers
  kafka = createKafka(
    { brokers, tls: null, sasl: null },
    { clientId: 'test', patience: 'command', log: () => undefined },
  )
  admin = kafka.admin()
  await admin.connect()
})
after(() => admin.disconnect())

/** kafkajs's own wait for leaders fails where the topic is not known yet. */
const create = async (topic: string, numPartitions: number, configEntries: { name: string; value: string }[] = []) => {
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
  while ((await describeTopics(admin, [topic]).catch(() => null))?.get(topic)?.isLed !== true) await setTimeout(50)
}

const createTopic = async (
  numPartitions = 1,
  configEntries: { name: string; value: string }[] = [],
): Promise<string> => {
  const topic = uniqueName('clients')
  await create(topic, numPartitions, configEntries)
  return topic
}

const producerOf = (t: TestContext): RecordProducer => {
  const producer = createRecordProducer(kafka)
  t.after(() => producer.close())
  return producer
}

const transactional = async (t: TestContext): Promise<Producer> => {
  const producer = kafka.producer({ transactionalId: uniqueName('tx'), maxInFlightRequests: 1, idempotent: true })
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

const read = async (topic: string, options: Partial<TopicReaderOptions> = {}): Promise<string[]> => {
  const reader = await TopicReader.open({
    kafka,
    topic,
    groupPrefix: 'it',
    from: 'beginning',
    untilEnd: true,
    ...options,
  })
  const values: string[] = []
  for await (const { value } of reader) values.push(String(value))
  return values
}

const record = (topic: string, value: string | Buffer, key: string | null = null) => ({
  topic,
  key,
  value: Buffer.from(value),
})

const planFor = (prefix: string, extra = '') =>
  planTopics(
    compileConfig(
      `kafka: { brokers: ['${brokers.join()}'], topics: { sendRequests: ${prefix}.requests, sendRetries: ${prefix}.retries,
        sendResults: ${prefix}.results, inbound: ${prefix}.inbound, commands: ${prefix}.commands,
        commandResults: ${prefix}.command.results, deadLetters: ${prefix}.dead, checkpoints: ${prefix}.checkpoints,
        oauthTokens: ${prefix}.tokens, partitions: 3 ${extra} } }`,
      { fileName: 'test', env: {}, readFile: () => '' },
    ),
  )

describe('topics on a real broker', () => {
  it('are created as planned, once, with the broker choosing the replication', async () => {
    const plans = planFor(uniqueName('made'))
    assert.deepEqual(
      await ensureTopics(admin, plans),
      plans.map(({ name }) => name),
    )
    assert.deepEqual(await ensureTopics(admin, plans), [])
    const described = await describeTopics(
      admin,
      plans.map(({ name }) => name),
    )
    for (const { name, cleanup, maxMessageBytes } of plans) {
      const found = described.get(name)
      assert.deepEqual(
        [found?.partitions, found?.replication, found?.maxMessageBytes, new Set(found?.cleanup.split(','))],
        [3, 1, maxMessageBytes, new Set(cleanup.split(','))],
        name,
      )
    }
  })

  it('are created by two processes at once', async () => {
    const plans = planFor(uniqueName('race'))
    const both = await Promise.all([ensureTopics(admin, plans), ensureTopics(admin, plans)])
    assert.ok(both.flat().length >= plans.length)
  })

  it('are refused when the checkpoints would be forgotten', async () => {
    const prefix = uniqueName('refused')
    await create(`${prefix}.checkpoints`, 3)
    await assert.rejects(
      ensureTopics(admin, planFor(prefix)),
      (error) => isPosthornError(error) && error.code === 'KAFKA_TOPIC_UNSUITABLE' && /checkpoints/.test(error.message),
    )
    assert.equal((await describeTopics(admin, [`${prefix}.commands`])).size, 0)
  })

  it('are refused by the cluster with its own reason', async () => {
    await assert.rejects(
      ensureTopics(admin, planFor(uniqueName('three'), ', replication: 3')),
      (error) =>
        isPosthornError(error) && error.code === 'KAFKA_TOPIC_UNSUITABLE' && /replication/i.test(error.message),
    )
  })
})

describe('TopicReader on a real broker', () => {
  it('reads what is committed to its end, over aborted and control records, and leaves no group behind', async (t) => {
    const topic = await createTopic()
    const producer = await transactional(t)
    for (const [value, ending] of [
      ['a', 'commit'],
      ['b', 'abort'],
      ['c', 'commit'],
      ['d', 'abort'],
    ] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value }] })
      await transaction[ending]()
    }
    assert.deepEqual(await read(topic), ['a', 'c'])
    const { groups } = await admin.listGroups()
    assert.deepEqual(
      groups.map(({ groupId }) => groupId).filter((id) => id.startsWith('it.')),
      [],
    )
  })

  it('ends before a transaction that is still open', async (t) => {
    const topic = await createTopic()
    await producerOf(t).send([record(topic, 'before')])
    const producer = await transactional(t)
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'pending' }] })
    assert.deepEqual(await read(topic), ['before'])
    await transaction.abort()
  })

  it('ends at once in an empty topic', async () => {
    assert.deepEqual(await read(await createTopic(3)), [])
  })

  it('misses nothing that is written after it was opened, and shows nothing older', async (t) => {
    const topic = await createTopic(4)
    const producer = producerOf(t)
    await producer.send([record(topic, 'old')])
    const reader = await TopicReader.open({ kafka, topic, groupPrefix: 'it', from: 'latest', untilEnd: false })
    const expected = Array.from({ length: 20 }, (_, index) => `new-${index}`)
    await producer.send(expected.map((value) => record(topic, value)))
    const seen = new Set<string>()
    for await (const { value } of reader) {
      seen.add(String(value))
      if (seen.size === expected.length) break
    }
    assert.deepEqual(seen, new Set(expected))
  })

  it('reads every record once and in order when its user is slow', async (t) => {
    const topic = await createTopic(2)
    const producer = producerOf(t)
    const values = Array.from({ length: 3_000 }, (_, index) => String(index))
    await producer.send(values.map((value) => ({ ...record(topic, value), partition: Number(value) % 2 })))
    const reader = await TopicReader.open({ kafka, topic, groupPrefix: 'it', from: 'beginning', untilEnd: true })
    const byPartition: number[][] = [[], []]
    for await (const { partition, value } of reader) {
      byPartition[partition]?.push(Number(value))
      if (Number(value) % 100 === 0) await setTimeout(5)
    }
    assert.deepEqual(byPartition, [
      values.map(Number).filter((value) => value % 2 === 0),
      values.map(Number).filter((value) => value % 2 === 1),
    ])
  })
})

describe('the record producer on a real broker', () => {
  it('puts a key where partitionFor says', async (t) => {
    const topic = await createTopic(7)
    const producer = producerOf(t)
    const keys = Array.from({ length: 50 }, (_, index) => `account-${index}`)
    await producer.send(keys.map((key) => record(topic, 'x', key)))
    const reader = await TopicReader.open({ kafka, topic, groupPrefix: 'it', from: 'beginning', untilEnd: true })
    let count = 0
    for await (const { key, partition } of reader) {
      count += 1
      assert.equal(partition, partitionFor(String(key), 7))
    }
    assert.equal(count, keys.length)
  })

  it('says that a record is too large, loses none of the others and goes on', async (t) => {
    const topic = await createTopic(1, [{ name: 'max.message.bytes', value: '2000' }])
    const producer = producerOf(t)
    const outcomes = await Promise.allSettled([
      producer.send([record(topic, 'a')]),
      producer.send([record(topic, 'b')]),
      producer.send([record(topic, Buffer.alloc(3_000))]),
      producer.send([record(topic, 'c')]),
    ])
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'sent')),
      ['sent', 'sent', 'RECORD_TOO_LARGE', 'sent'],
    )
    await producer.send([record(topic, 'd')])
    assert.deepEqual(await read(topic), ['a', 'b', 'c', 'd'])
  })

  it('says that there is no such topic', async (t) => {
    const producer = producerOf(t)
    await assert.rejects(
      producer.send([record(uniqueName('missing'), 'a')]),
      (error) => isPosthornError(error) && error.code === 'KAFKA_TOPIC_UNSUITABLE',
    )
  })
})
