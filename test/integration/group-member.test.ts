/** Members of a group on a real broker, each with owners that copy what they get, once. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Admin, Kafka } from 'kafkajs'
import { createKafka } from '../../src/kafka/connect.ts'
import { GroupMember } from '../../src/kafka/group-member.ts'
import { OffsetTracker } from '../../src/kafka/offset-tracker.ts'
import { PartitionLedger, type Positions } from '../../src/kafka/partition-ledger.ts'
import type { PartitionContext, PartitionOwner } from '../../src/kafka/partition-owner.ts'
import { createRecordProducer, type RecordProducer } from '../../src/kafka/record-producer.ts'
import type { ConsumedRecord } from '../../src/kafka/records.ts'
import { SettlementBatcher } from '../../src/kafka/settlement-batcher.ts'
import { TopicReader } from '../../src/kafka/topic-reader.ts'
import { createTopic } from '../support/create-topic.ts'
import { testServers, uniqueName } from '../support/servers.ts'

const partitions = 4
const sessionTimeoutMs = 6_000

/** Writes each record to another topic, with its offset in one transaction. */
class CopyOwner implements PartitionOwner {
  readonly awaited = []
  readonly #topics: { input: string; output: string }
  readonly #trackers = new Map<string, OffsetTracker>()
  readonly #batcher: SettlementBatcher
  readonly #underWay = new Set<Promise<void>>()
  #isHeld = false

  constructor(context: PartitionContext, topics: { input: string; output: string }) {
    this.#topics = topics
    this.#batcher = new SettlementBatcher({
      ledger: context.ledger,
      trackers: this.#trackers,
      replaceTooLarge: (record) => record,
      onFailed: (error) => context.rejoin(error),
    })
  }

  replay(): void {}

  begin(positions: Positions): void {
    const { input } = this.#topics
    this.#trackers.set(input, new OffsetTracker(positions.get(input) ?? { offset: 0, settled: [] }))
  }

  accept(records: readonly ConsumedRecord[]): void {
    if (this.#isHeld) return
    for (const { topic, offset, key, value } of records) {
      if (this.#trackers.get(topic)?.accept(offset) !== true) continue
      const added = this.#batcher
        .add({ records: [{ topic: this.#topics.output, key, value }], source: { topic, offset } })
        .catch(() => undefined)
        .finally(() => this.#underWay.delete(added))
      this.#underWay.add(added)
    }
  }

  async drain(): Promise<void> {
    this.#isHeld = true
    await Promise.all(this.#underWay)
  }

  resume(): void {
    this.#isHeld = false
  }

  async release(): Promise<void> {}
}

class Member extends EventEmitter {
  /** Partition numbers in the order in which owners were made. */
  readonly owners: number[] = []
  readonly member: GroupMember
  joined: readonly number[] = []

  constructor(kafka: Kafka, admin: Admin, group: Group) {
    super()
    this.member = new GroupMember({
      kafka,
      admin,
      groupId: group.id,
      inputTopics: [group.input],
      stateTopic: group.state,
      sessionTimeoutMs,
      createOwner: (context) => {
        this.owners.push(context.partition)
        return new CopyOwner(context, group)
      },
      events: {
        joined: (owned) => {
          this.joined = owned
          this.emit('joined')
        },
        partitionReady: () => undefined,
        trouble: () => undefined,
        lost: () => undefined,
      },
    })
  }

  /** Until it owns so many partitions. */
  async owns(count: number): Promise<void> {
    while (this.joined.length !== count) await once(this, 'joined')
  }
}

class Group {
  readonly id = uniqueName('group')
  readonly input = `${this.id}.input`
  readonly output = `${this.id}.output`
  readonly state = `${this.id}.state`
  readonly #kafka: Kafka
  readonly #admin: Admin
  readonly #producer: RecordProducer
  readonly #t: TestContext
  #sent = 0

  constructor(t: TestContext, kafka: Kafka, admin: Admin) {
    this.#t = t
    this.#kafka = kafka
    this.#admin = admin
    this.#producer = createRecordProducer(kafka)
    t.after(() => this.#producer.close())
  }

  static async make(t: TestContext): Promise<Group> {
    const { brokers } = await testServers()
    const kafka = createKafka(
      { brokers, tls: null, sasl: null },
      { clientId: 'test', patience: 'worker', log: () => {} },
    )
    const admin = kafka.admin()
    await admin.connect()
    t.after(() => admin.disconnect())
    const group = new Group(t, kafka, admin)
    for (const topic of [group.input, group.output, group.state]) await createTopic(admin, topic, {}, partitions)
    return group
  }

  async join(): Promise<Member> {
    const member = new Member(this.#kafka, this.#admin, this)
    this.#t.after(() => member.member.stop())
    await member.member.start()
    return member
  }

  async stealPartition(partition: number): Promise<void> {
    const thief = new PartitionLedger({
      kafka: this.#kafka,
      admin: this.#admin,
      groupId: this.id,
      partition,
      inputTopics: [this.input],
      stateTopic: this.state,
      transactionTimeoutMs: 60_000,
      signal: new AbortController().signal,
      onTrouble: () => undefined,
    })
    this.#t.after(() => thief.close())
    await thief.claim()
  }

  /** To all partitions in turn. */
  async send(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => {
      const value = this.#sent++
      return { topic: this.input, partition: value % partitions, key: null, value: Buffer.from(String(value)) }
    })
    await this.#producer.send(records)
  }

  /** What a committed reader gets: everything that was sent, in any order. Waits for it. */
  async copied(): Promise<number[]> {
    const values: number[] = []
    const options = { kafka: this.#kafka, topic: this.output, groupPrefix: 'test', from: 'beginning' } as const
    for await (const { value } of await TopicReader.open({ ...options, untilEnd: false })) {
      values.push(Number(value))
      if (new Set(values).size === this.#sent) break
    }
    const all: number[] = []
    for await (const { value } of await TopicReader.open({ ...options, untilEnd: true })) all.push(Number(value))
    return all.sort((a, b) => a - b)
  }

  get everything(): number[] {
    return Array.from({ length: this.#sent }, (_, value) => value)
  }
}

test('partitions that stay keep their owner through a rebalance, and nothing is lost or copied twice', async (t) => {
  const group = await Group.make(t)
  await group.send(200)
  const a = await group.join()
  await a.owns(4)
  await group.send(200)
  const b = await group.join()
  await group.send(200)
  await Promise.all([a.owns(2), b.owns(2)])
  await group.send(200)
  assert.deepEqual(await group.copied(), group.everything)
  assert.deepEqual(a.owners.toSorted(), [0, 1, 2, 3], 'none was made anew')
  assert.deepEqual([...a.joined, ...b.joined].sort(), [0, 1, 2, 3])
  assert.deepEqual(b.owners.toSorted(), [...b.joined])

  const kept = [...b.joined]
  await a.member.stop()
  await b.owns(4)
  await group.send(200)
  assert.deepEqual(await group.copied(), group.everything)
  assert.deepEqual(b.owners.slice(0, 2).toSorted(), kept)
  assert.equal(b.owners.length, 4, 'what it had was not claimed again')
})

test('a member that finds itself fenced rejoins and goes on where the commits end', async (t) => {
  const group = await Group.make(t)
  const a = await group.join()
  await a.owns(4)
  await group.send(100)
  assert.deepEqual(await group.copied(), group.everything)
  // Somebody claims a partition behind the group's back, as a worker does that wakes up after it was given up.
  await group.stealPartition(0)
  await group.send(100)
  assert.deepEqual(await group.copied(), group.everything)
  assert.deepEqual(a.owners.toSorted(), [0, 0, 1, 1, 2, 2, 3, 3], 'it let go of everything and claimed it again')
})
