import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Kafka, TopicMessages } from 'kafkajs'
import { isPosthornError } from '../../src/errors.ts'
import { createRecordProducer } from '../../src/kafka/record-producer.ts'

type Outcome = 'ok' | Error

/** Takes what it is sent when told to; keeps what each producer object was given. */
class FakeKafka {
  readonly batches: { producer: number; values: string[] }[] = []
  readonly configs: unknown[] = []
  outcomes: Outcome[] = []
  connected = 0
  disconnected = 0
  #inFlight = 0

  producer = (config: unknown) => {
    this.configs.push(config)
    const number = this.configs.length
    return {
      connect: async () => {
        this.connected += 1
      },
      disconnect: async () => {
        this.disconnected += 1
      },
      sendBatch: async ({ topicMessages, acks }: { topicMessages: TopicMessages[]; acks: number }) => {
        assert.equal(acks, -1)
        this.#inFlight += 1
        assert.equal(this.#inFlight, 1, 'two batches were in flight at once')
        await new Promise(setImmediate)
        this.#inFlight -= 1
        const values = topicMessages.flatMap(({ messages }) => messages.map(({ value }) => String(value)))
        this.batches.push({ producer: number, values })
        const outcome = this.outcomes.shift() ?? 'ok'
        if (outcome !== 'ok') throw outcome
      },
    }
  }

  get port(): Pick<Kafka, 'producer'> {
    return this as unknown as Pick<Kafka, 'producer'>
  }
}

const record = (value: string) => ({ topic: 't', key: null, value: Buffer.from(value) })
const lostResponse = () => Object.assign(new Error('Request timed out'), { name: 'KafkaJSRequestTimeoutError' })
const tooLarge = () =>
  Object.assign(new Error('too large'), { name: 'KafkaJSProtocolError', type: 'MESSAGE_TOO_LARGE' })
const hasCode = (code: string) => (error: unknown) => isPosthornError(error) && error.code === code

describe('createRecordProducer', () => {
  it('has one batch in flight at a time; what comes meanwhile shares the next, in order', async () => {
    const kafka = new FakeKafka()
    const producer = createRecordProducer(kafka.port)
    await Promise.all(['a', 'b', 'c'].map((value) => producer.send([record(value)])))
    assert.deepEqual(kafka.batches, [
      { producer: 1, values: ['a'] },
      { producer: 1, values: ['b', 'c'] },
    ])
  })

  it('asks for idempotence', async () => {
    const kafka = new FakeKafka()
    await createRecordProducer(kafka.port).send([record('a')])
    assert.deepEqual(kafka.configs, [{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false }])
  })

  it('never uses a producer again that has failed', async () => {
    const kafka = new FakeKafka()
    kafka.outcomes = [lostResponse()]
    const producer = createRecordProducer(kafka.port)
    await assert.rejects(producer.send([record('a')]), hasCode('KAFKA_UNREACHABLE'))
    assert.equal(kafka.disconnected, 1)
    await producer.send([record('b')])
    assert.deepEqual(kafka.batches.at(-1), { producer: 2, values: ['b'] })
  })

  it('fails only the send that is too large', async () => {
    const kafka = new FakeKafka()
    kafka.outcomes = ['ok', tooLarge(), 'ok', tooLarge(), 'ok']
    const producer = createRecordProducer(kafka.port)
    const results = await Promise.allSettled(['a', 'b', 'BIG', 'c'].map((value) => producer.send([record(value)])))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual(
      kafka.batches.map(({ values }) => values.join('')),
      ['a', 'bBIGc', 'b', 'BIG', 'c'],
    )
  })

  it('lets large sends go alone, so that sharing never makes a batch too large for the broker', async () => {
    const kafka = new FakeKafka()
    const producer = createRecordProducer(kafka.port)
    await Promise.all(['a', 'x'.repeat(400_000), 'y'.repeat(400_000)].map((value) => producer.send([record(value)])))
    assert.deepEqual(
      kafka.batches.map(({ values }) => values.length),
      [1, 1, 1],
    )
  })

  it('waits at its close for what is under way', async () => {
    const kafka = new FakeKafka()
    const producer = createRecordProducer(kafka.port)
    const sending = producer.send([record('a')])
    await producer.close()
    assert.equal(kafka.batches.length, 1)
    assert.equal(kafka.disconnected, 1)
    await sending
  })

  it('connects nothing when there is nothing to send', async () => {
    const kafka = new FakeKafka()
    const producer = createRecordProducer(kafka.port)
    await producer.send([])
    await producer.close()
    assert.equal(kafka.connected, 0)
  })
})
