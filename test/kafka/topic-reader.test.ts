import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, it } from 'node:test'
import type { Kafka } from 'kafkajs'
import { isPosthornError } from '../../src/errors.ts'
import { TopicReader, type TopicReaderOptions } from '../../src/kafka/topic-reader.ts'

const events = { GROUP_JOIN: 'join', END_BATCH_PROCESS: 'end', CRASH: 'crash' }
type EachBatch = (payload: { batch: { partition: number; messages: unknown[] } }) => Promise<void>

/** The part of kafkajs that the reader uses, driven by the test: partitions 0 and 1, offsets as given. */
class FakeKafka extends EventEmitter {
  readonly deletedGroups: string[] = []
  readonly seeks: string[] = []
  offsets = [{ partition: 0, offset: '0', low: '2', high: '5' }]
  isPaused = false
  consumers = 0
  disconnects = 0
  eachBatch: EachBatch = async () => assert.fail('not running')

  admin = () => ({
    connect: async () => undefined,
    disconnect: async () => {
      this.disconnects += 1
    },
    listTopics: async () => ['t'],
    fetchTopicOffsets: async () => this.offsets,
    deleteGroups: async (groups: string[]) => this.deletedGroups.push(...groups),
  })

  /** What kafkajs would do after this crash. */
  restartsAfter: (error: unknown) => Promise<boolean> = async () => false

  consumer = ({ retry }: { retry: { restartOnFailure: (error: unknown) => Promise<boolean> } }) => {
    this.consumers += 1
    this.restartsAfter = retry.restartOnFailure
    return {
      events,
      on: (name: string, listener: (event: { payload: unknown }) => void) =>
        this.addListener(name, (payload: unknown) => listener({ payload })),
      connect: async () => undefined,
      disconnect: async () => undefined,
      subscribe: async () => undefined,
      seek: ({ partition, offset }: { partition: number; offset: string }) => this.seeks.push(`${partition}@${offset}`),
      pause: () => {
        this.isPaused = true
      },
      resume: () => {
        this.isPaused = false
        this.emit('resumed')
      },
      run: async ({ eachBatch }: { eachBatch: EachBatch }) => {
        this.eachBatch = eachBatch
        this.emit(events.GROUP_JOIN, {})
        this.emit('running')
      },
    }
  }

  /** What a fetch brings: the records that kafkajs shows, and the last offset, which may be a control record's. */
  async deliver(partition: number, offsets: number[], lastOffset: number): Promise<void> {
    const messages = offsets.map((offset) => ({
      offset: String(offset),
      timestamp: '1700000000000',
      key: null,
      value: Buffer.from(`v${offset}`),
    }))
    if (messages.length > 0) await this.eachBatch({ batch: { partition, messages } })
    this.emit(events.END_BATCH_PROCESS, { partition, lastOffset: String(lastOffset) })
  }

  async open(options: Partial<TopicReaderOptions> = {}): Promise<TopicReader> {
    const kafka = this as unknown as Kafka
    return TopicReader.open({ kafka, topic: 't', groupPrefix: 'p', from: 'beginning', untilEnd: true, ...options })
  }

  /** Opened and past its first join. */
  async start(options: Partial<TopicReaderOptions> = {}): Promise<TopicReader> {
    const running = once(this, 'running')
    const reader = await this.open(options)
    await running
    return reader
  }
}

const collect = async (reader: TopicReader): Promise<number[]> => {
  const offsets: number[] = []
  for await (const { offset } of reader) offsets.push(offset)
  return offsets
}

describe('TopicReader', () => {
  it('reads from the beginning to the end and no further, and deletes its group', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    assert.deepEqual(kafka.seeks, ['0@2'])
    await kafka.deliver(0, [2, 3, 4, 5, 6], 6)
    assert.deepEqual(await collect(reader), [2, 3, 4])
    assert.match(kafka.deletedGroups.join(), /^p\.reader\./)
    assert.equal(kafka.disconnects, 1)
  })

  it('ends where the last offsets are control records or aborted ones, which are never delivered', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    await kafka.deliver(0, [2], 2)
    await kafka.deliver(0, [], 4)
    assert.deepEqual(await collect(reader), [2])
  })

  it('waits for every partition', async () => {
    const kafka = new FakeKafka()
    kafka.offsets.push({ partition: 1, offset: '0', low: '0', high: '1' })
    const reader = await kafka.start()
    const collected = collect(reader)
    await kafka.deliver(0, [2, 3, 4], 4)
    await kafka.deliver(1, [0], 0)
    assert.deepEqual(await collected, [2, 3, 4, 0])
  })

  it('joins no group at all when there is nothing to read', async () => {
    const kafka = new FakeKafka()
    kafka.offsets = [{ partition: 0, offset: '7', low: '7', high: '7' }]
    const joins: unknown[] = []
    kafka.on('running', () => joins.push(1))
    assert.deepEqual(await collect(await kafka.open()), [])
    assert.deepEqual(joins, [])
  })

  it('begins at the end as it was when the reader was opened, however late the group is joined', async () => {
    const kafka = new FakeKafka()
    const running = once(kafka, 'running')
    const reader = await kafka.open({ from: 'latest', untilEnd: false })
    kafka.offsets = [{ partition: 0, offset: '0', low: '2', high: '50' }]
    await running
    assert.deepEqual(kafka.seeks, ['0@5'])
    await reader.close()
  })

  it('goes on where it was after the group was joined again, and repeats nothing', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    await kafka.deliver(0, [2, 3], 3)
    kafka.emit(events.GROUP_JOIN, {})
    assert.deepEqual(kafka.seeks, ['0@2', '0@4'])
    await kafka.deliver(0, [2, 3, 4], 4)
    assert.deepEqual(await collect(reader), [2, 3, 4])
  })

  it('asks for no more while nobody takes the records, and goes on afterwards', async () => {
    const kafka = new FakeKafka()
    kafka.offsets = [{ partition: 0, offset: '0', low: '0', high: '2000' }]
    const reader = await kafka.start()
    const offsets = Array.from({ length: 1_000 }, (_, offset) => offset)
    await kafka.deliver(0, offsets, 999)
    assert.equal(kafka.isPaused, true)
    const resumed = once(kafka, 'resumed')
    const collected = collect(reader)
    await resumed
    await kafka.deliver(
      0,
      offsets.map((offset) => offset + 1_000),
      1_999,
    )
    assert.equal((await collected).length, 2_000)
  })

  it('ends quietly at the signal', async () => {
    const kafka = new FakeKafka()
    const abort = new AbortController()
    const reader = await kafka.start({ untilEnd: false, signal: abort.signal })
    const collected = collect(reader)
    await kafka.deliver(0, [2], 2)
    abort.abort()
    assert.ok((await collected).length <= 1)
    assert.equal(kafka.deletedGroups.length, 1)
  })

  it('closes when the loop is left early', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    await kafka.deliver(0, [2, 3], 3)
    for await (const { offset } of reader) {
      assert.equal(offset, 2)
      break
    }
    assert.equal(kafka.deletedGroups.length, 1)
  })

  it('joins again while the broker still loads its groups, and goes on where it was', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    await kafka.deliver(0, [2, 3], 3)
    const error = Object.assign(new Error('loading'), { name: 'KafkaJSProtocolError', type: 'GROUP_LOAD_IN_PROGRESS' })
    assert.equal(await kafka.restartsAfter(error), true)
    kafka.emit(events.CRASH, { error, restart: true })
    kafka.emit(events.GROUP_JOIN, {})
    await kafka.deliver(0, [3, 4], 4)
    assert.deepEqual(await collect(reader), [2, 3, 4])
    assert.deepEqual(kafka.seeks, ['0@2', '0@4'])
    const gone = Object.assign(new Error('gone'), { name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' })
    assert.equal(await kafka.restartsAfter(gone), false)
  })

  it('throws what made the consumer crash, also when nobody was reading yet', async () => {
    const kafka = new FakeKafka()
    const reader = await kafka.start()
    kafka.emit(events.CRASH, { error: Object.assign(new Error('gone'), { name: 'KafkaJSConnectionError' }) })
    await new Promise(setImmediate)
    await assert.rejects(collect(reader), (error) => isPosthornError(error) && error.code === 'KAFKA_UNREACHABLE')
  })

  it('refuses a topic that does not exist and keeps no connection', async () => {
    const kafka = new FakeKafka()
    await assert.rejects(
      kafka.open({ topic: 'other' }),
      (error) => isPosthornError(error) && error.code === 'KAFKA_TOPIC_UNSUITABLE',
    )
    assert.equal(kafka.disconnects, 1)
  })
})
