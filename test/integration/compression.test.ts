/**
 * Compressed records between Posthorn and others: the broker, whose codecs are those of the Java client (a topic's
 * `compression.type` makes it compress anew what it gets), and librdkafka.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Admin } from 'kafkajs'
import type { KafkaConfig } from '../../src/config/config.ts'
import { isPosthornError } from '../../src/errors.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { createTopic } from '../support/create-topic.ts'
import { pythonWith, type Script } from '../support/python.ts'
import { testServers, uniqueName } from '../support/servers.ts'

type Codec = KafkaConfig['compression']
const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const satisfies Codec[]
const script = new URL('../support/python/compressed_records.py', import.meta.url).pathname

let brokers: string[] = []
let admin: Admin
let python: Script

const connect = (compression: Codec) =>
  createKafka(
    { brokers, tls: null, sasl: null, compression },
    { clientId: 'test', patience: 'worker', log: () => undefined },
  )

before(async () => {
  brokers = (await testServers()).brokers
  python = await pythonWith('confluent-kafka==2.16.1')
  admin = connect('none').admin()
  await admin.connect()
})
after(() => admin.disconnect())

const newTopic = async (settings: Record<string, string>): Promise<string> => {
  const topic = uniqueName('compressed')
  await createTopic(admin, topic, settings)
  return topic
}

/** More than a block of any codec, of text that repeats and text that does not. */
const values = Array.from({ length: 400 }, (_, index) =>
  index % 2 === 0
    ? `number ${index} ${'ä plain line; '.repeat(40)}`
    : Buffer.from(`${Math.sin(index)}`.repeat(30)).toString('base64'),
)

const write = async (topic: string, compression: Codec): Promise<void> => {
  const producer = createRecordProducer(connect(compression))
  await producer.send(values.map((value) => ({ topic, key: null, value: Buffer.from(value), partition: 0 })))
  await producer.close()
}

/** @param awaited how many are waited for; without it: what can be read now */
const read = async (topic: string, awaited?: number): Promise<string[]> => {
  const kafka = connect('none')
  const found: string[] = []
  for await (const { value } of await TopicReader.open({
    kafka,
    topic,
    groupPrefix: topic,
    from: 'beginning',
    untilEnd: awaited === undefined,
  })) {
    found.push(String(value))
    if (found.length === awaited) break
  }
  return found
}

const readWithPython = async (topic: string): Promise<string[]> =>
  (await python(script, ['read', brokers.join(','), topic], '')).trimEnd().split('\n')

for (const codec of codecs) {
  describe(`records compressed with ${codec}`, () => {
    it('are read as the Java codec writes them', async () => {
      const topic = await newTopic({ 'compression.type': codec })
      await write(topic, 'none')
      assert.deepEqual(await read(topic), values)
    })

    it('are read as librdkafka writes them', async () => {
      const topic = await newTopic({})
      await python(script, ['write', brokers.join(','), topic, codec], values.join('\n'))
      assert.deepEqual(await read(topic), values)
    })

    it('are written as the Java codec and librdkafka read them', async () => {
      const recompressed = await newTopic({ 'compression.type': codec === 'gzip' ? 'zstd' : 'gzip' })
      await write(recompressed, codec)
      assert.deepEqual(await read(recompressed), values)
      const asWritten = await newTopic({})
      await write(asWritten, codec)
      assert.deepEqual(await readWithPython(asWritten), values)
    })

    it('are small also inside a transaction', async () => {
      const topic = await newTopic({ 'max.message.bytes': '20000' })
      const text = 'the same words again and again '.repeat(3_000)
      const message = { topicMessages: [{ topic, messages: [{ value: text }] }] }
      const producer = connect(codec).producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      const transaction = await producer.transaction()
      await transaction.sendBatch(message)
      await transaction.commit()
      await producer.disconnect()
      // The broker answers a commit before its end is written (KIP-98).
      assert.deepEqual(await read(topic, 1), [text])
      const plain = createRecordProducer(connect('none'))
      await assert.rejects(
        plain.send([{ topic, key: null, value: Buffer.from(text) }]),
        (error) => isPosthornError(error) && error.code === 'RECORD_TOO_LARGE',
      )
      await plain.close()
    })
  })
}
