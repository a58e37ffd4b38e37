/** The transactional side of a partition on a real broker: what is lost on the way is neither lost nor repeated. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka } from 'kafkajs'
import { isPosthornError, type PosthornError } from '../../src/errors.ts'
import { createKafka } from '../../src/kafka/connect.ts'
import { HeldPartition } from '../../src/kafka/held-partition.ts'
import type { PartitionOwner } from '../../src/kafka/partition-owner.ts'
import { PartitionLedger, type Positions } from '../../src/kafka/partition-ledger.ts'
import { readValues } from '../support/read-values.ts'
import { createTopic } from '../support/create-topic.ts'
import { KafkaProxy, type Api } from '../support/kafka-proxy.ts'
import { testServers, uniqueName } from '../support/servers.ts'

const clientFor = (brokers: readonly string[]): Kafka =>
  createKafka({ brokers: [...brokers], tls: null, sasl: null }, { clientId: 'test', patience: 'worker', log: () => {} })

class Setting {
  readonly proxy: KafkaProxy
  readonly groupId = uniqueName('ledger')
  readonly input = `${this.groupId}.input`
  readonly output = `${this.groupId}.output`
  readonly state = `${this.groupId}.state`
  readonly direct: Kafka
  readonly #faulty: Kafka
  readonly #admin: Admin
  readonly #t: TestContext

  private constructor(t: TestContext, proxy: KafkaProxy, direct: Kafka, admin: Admin) {
    this.#t = t
    this.proxy = proxy
    this.direct = direct
    this.#admin = admin
    this.#faulty = clientFor(proxy.brokers)
  }

  static async make(t: TestContext): Promise<Setting> {
    const { brokers } = await testServers()
    const proxy = await KafkaProxy.start(t, brokers[0] ?? '')
    const direct = clientFor(brokers)
    const admin = direct.admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    const setting = new Setting(t, proxy, direct, admin)
    for (const topic of [setting.input, setting.output, setting.state]) await createTopic(admin, topic)
    return setting
  }

  /** An owner of the partition, through the proxy. */
  ledger(options: { transactionTimeoutMs?: number; kafka?: Kafka } = {}): {
    ledger: PartitionLedger
    troubles: PosthornError[]
  } {
    const abort = new AbortController()
    const troubles: PosthornError[] = []
    const ledger = new PartitionLedger({
      kafka: this.#faulty,
      admin: this.#admin,
      groupId: this.groupId,
      partition: 0,
      inputTopics: [this.input],
      stateTopic: this.state,
      transactionTimeoutMs: 60_000,
      signal: abort.signal,
      onTrouble: (error) => troubles.push(error),
      ...options,
    })
    this.#t.after(async () => {
      abort.abort()
      await ledger.close()
    })
    return { ledger, troubles }
  }

  at(offset: number): Positions {
    return new Map([[this.input, { offset, settled: [] }]])
  }

  record(value: string): { topic: string; key: string; value: Buffer } {
    return { topic: this.output, key: 'k', value: Buffer.from(value) }
  }

  /** What a committed reader gets, once it gets so many. */
  values(awaited: number): Promise<string[]> {
    return readValues(this.direct, this.output, awaited)
  }

  async committedOffset(): Promise<number> {
    const [topic] = await this.#admin.fetchOffsets({ groupId: this.groupId, topics: [this.input] })
    return Number(topic?.partitions[0]?.offset)
  }

  /** Until a committed reader could read on behind this offset of the output. */
  async stableBeyond(offset: number): Promise<void> {
    for (;;) {
      const [end] = await this.#admin.fetchTopicOffsets(this.output)
      if (Number(end?.high) > offset) return
      await delay(100)
    }
  }
}

const isFenced = (error: unknown): boolean => isPosthornError(error) && error.code === 'KAFKA_FENCED'

/** The requests of one transaction, in their order. */
const requests: readonly Api[] = ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']

for (const api of requests) {
  for (const fault of ['lose-request', 'lose-response'] as const) {
    test(`a commit through ${api}, ${fault}, is committed exactly once`, async (t) => {
      const setting = await Setting.make(t)
      const { ledger } = setting.ledger()
      await ledger.claim()
      const struck = setting.proxy.next(api, fault)
      await Promise.all([ledger.commit([setting.record('1'), setting.record('2')], setting.at(2)), struck])
      await ledger.commit([setting.record('3')], setting.at(3))
      assert.deepEqual(await setting.values(3), ['1', '2', '3'])
      assert.equal(await setting.committedOffset(), 3)
    })
  }
}

test('a commit whose EndTxn lost its answer is found committed, by its id, and not repeated', async (t) => {
  const setting = await Setting.make(t)
  const { ledger, troubles } = setting.ledger()
  await ledger.claim()
  const struck = setting.proxy.next('EndTxn', 'lose-response')
  let producesAfter = 0
  const counted = (): boolean => {
    producesAfter += 1
    return false
  }
  const committing = ledger.commit([setting.record('1')], setting.at(1))
  await struck
  void setting.proxy.next('Produce', 'lose-request', counted)
  await committing
  assert.equal(producesAfter, 0)
  assert.deepEqual(
    troubles.map(({ code }) => code),
    ['KAFKA_UNREACHABLE'],
  )
  assert.deepEqual(await setting.values(1), ['1'])
})

test('CONCURRENT_TRANSACTIONS at AddOffsetsToTxn is tried again within the transaction', async (t) => {
  const setting = await Setting.make(t)
  const { ledger, troubles } = setting.ledger()
  await ledger.claim()
  // Version 1: throttle time, error code 51.
  const busy = Buffer.from([0, 0, 0, 0, 0, 51])
  const struck = [1, 2, 3].map(() => setting.proxy.next('AddOffsetsToTxn', () => busy))
  await ledger.commit([setting.record('1')], setting.at(1))
  await Promise.all(struck)
  assert.deepEqual(troubles, [])
  assert.deepEqual(await setting.values(1), ['1'])
  assert.equal(await setting.committedOffset(), 1)
})

test('where a topic has lost its end, a claim goes on at what was written around the last commit and since', async (t) => {
  const setting = await Setting.make(t)
  const { ledger } = setting.ledger()
  await ledger.claim()
  await ledger.commit([], setting.at(9))
  const producer = setting.direct.producer()
  const admin = setting.direct.admin()
  t.after(() => Promise.all([producer.disconnect(), admin.disconnect()]))
  await Promise.all([producer.connect(), admin.connect()])
  const hourAgo = String(Date.now() - 3_600_000)
  const messages = [{ value: 'old', timestamp: hourAgo }, { value: 'old', timestamp: hourAgo }, { value: 'new' }]
  await producer.send({ topic: setting.input, messages })
  const owner = { release: async () => undefined } as PartitionOwner
  const held = new HeldPartition(owner, setting.ledger().ledger, setting.state, new AbortController(), new Set())
  assert.deepEqual((await held.claim(admin))?.losses, [
    { topic: setting.input, partition: 0, from: 9, to: 2, records: null },
  ])
})

test('a new owner fences the old one, which can commit nothing any more and does not fence back', async (t) => {
  const setting = await Setting.make(t)
  const { ledger: old } = setting.ledger()
  await old.claim()
  await old.commit([setting.record('1')], setting.at(1))
  const { ledger: owner } = setting.ledger()
  assert.deepEqual((await owner.claim()).positions, setting.at(1))
  await assert.rejects(old.commit([setting.record('old')], setting.at(9)), isFenced)
  await owner.commit([setting.record('2')], setting.at(2))
  await assert.rejects(old.commit([setting.record('old')], setting.at(9)), isFenced)
  await owner.commit([setting.record('3')], setting.at(3))
  assert.deepEqual(await setting.values(3), ['1', '2', '3'])
  assert.equal(await setting.committedOffset(), 3)
})

test('an owner that lost an answer writes nothing again where another has taken over and committed meanwhile', async (t) => {
  const setting = await Setting.make(t)
  const { ledger: old } = setting.ledger()
  await old.claim()
  await old.commit([setting.record('1')], setting.at(1))
  const { ledger: owner } = setting.ledger({ kafka: setting.direct })
  let isKeptBack = true
  const keepBack = (): void => {
    void setting.proxy.next('InitProducerId', 'lose-request').then(() => isKeptBack && keepBack())
  }
  keepBack()
  const struck = setting.proxy.next('EndTxn', 'lose-response')
  const committing = old.commit([setting.record('2')], setting.at(2))
  committing.catch(() => undefined)
  await struck
  await owner.claim()
  await owner.commit([setting.record('3')], setting.at(3))
  isKeptBack = false
  await assert.rejects(committing, isFenced)
  assert.deepEqual(await setting.values(3), ['1', '2', '3'])
  assert.equal(await setting.committedOffset(), 3)
})

test('a new owner reads the positions only when the transaction of the old one has been settled', async (t) => {
  const setting = await Setting.make(t)
  const { ledger: old } = setting.ledger()
  await old.claim()
  await old.commit([setting.record('1')], setting.at(1))
  // The broker has the offsets, the transaction is open: a plain OffsetFetch would not wait for it.
  const gate = new EventEmitter()
  const opened = once(gate, 'opened')
  void setting.proxy.next('TxnOffsetCommit', async (response) => {
    gate.emit('opened')
    await once(gate, 'go on')
    return response
  })
  const late = assert.rejects(old.commit([setting.record('never')], setting.at(5)), isFenced)
  await opened
  const { ledger: owner } = setting.ledger()
  assert.deepEqual((await owner.claim()).positions, setting.at(1))
  await owner.commit([setting.record('2')], setting.at(2))
  gate.emit('go on')
  await late
  assert.deepEqual(await setting.values(2), ['1', '2'])
  assert.equal(await setting.committedOffset(), 2)
})

test('a transaction that outlives its timeout ends the ownership: nothing of it can be seen', async (t) => {
  const setting = await Setting.make(t)
  const { ledger } = setting.ledger({ transactionTimeoutMs: 1_000 })
  await ledger.claim()
  await ledger.commit([setting.record('1')], setting.at(1))
  // The broker looks for such transactions every ten seconds and ends them with a marker: behind the first record and its
  // marker, and the record of this transaction, that is offset 3.
  void setting.proxy.next('TxnOffsetCommit', async (response) => {
    await setting.stableBeyond(3)
    return response
  })
  await assert.rejects(ledger.commit([setting.record('never')], setting.at(5)), isFenced)
  const { ledger: successor } = setting.ledger()
  assert.deepEqual((await successor.claim()).positions, setting.at(1))
  await successor.commit([setting.record('2')], setting.at(2))
  assert.deepEqual(await setting.values(2), ['1', '2'])
})

test('a record beyond what the broker takes is refused, and nothing of its transaction is seen', async (t) => {
  const setting = await Setting.make(t)
  const { ledger } = setting.ledger()
  await ledger.claim()
  const huge = { ...setting.record(''), value: Buffer.alloc(2 * 1_048_576) }
  const isTooLarge = (error: unknown): boolean => isPosthornError(error) && error.code === 'RECORD_TOO_LARGE'
  await assert.rejects(ledger.commit([setting.record('never'), huge], setting.at(5)), isTooLarge)
  await ledger.commit([setting.record('1')], setting.at(1))
  assert.deepEqual(await setting.values(1), ['1'])
  assert.equal(await setting.committedOffset(), 1)
})
