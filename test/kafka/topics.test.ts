import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPosthornError } from '../../src/errors.ts'
import type { TopicPlan } from '../../src/kafka/topic-plan.ts'
import { describeTopics, ensureTopics, type TopicAdmin } from '../../src/kafka/topics.ts'

interface FakeTopic {
  partitions: number
  config: Record<string, string>
  /** Answers without a leader so many times. */
  leaderless: number
}

/** Behaves as far as `TopicAdmin` goes like a broker's admin API; `onCreate` is where another process gets in between. */
class FakeAdmin implements Pick<TopicAdmin, 'listTopics'> {
  readonly topics = new Map<string, FakeTopic>()
  readonly createCalls: unknown[] = []
  leaderlessAfterCreate = 0
  onCreate = (): void => undefined

  add(name: string, partitions: number, cleanup: string): this {
    this.topics.set(name, { partitions, config: { 'cleanup.policy': cleanup }, leaderless: 0 })
    return this
  }

  listTopics = async () => [...this.topics.keys()]

  fetchTopicMetadata = async (request?: { topics: string[] }) => ({
    topics: (request?.topics ?? []).map((name) => {
      const topic = this.topics.get(name)
      assert.ok(topic, `asked for the metadata of ${name}, which does not exist`)
      const leader = topic.leaderless > 0 ? -1 : 1
      topic.leaderless -= 1
      const partitions = Array.from({ length: topic.partitions }, (_, partitionId) => ({
        partitionId,
        leader,
        partitionErrorCode: 0,
        replicas: [1],
        isr: [1],
      }))
      return { name, partitions }
    }),
  })

  describeConfigs = async ({ resources }: { resources: { name: string }[] }) => ({
    throttleTime: 0,
    resources: resources.map(({ name }) => ({
      resourceName: name,
      configEntries: Object.entries(this.topics.get(name)?.config ?? {}).map(([configName, configValue]) => ({
        configName,
        configValue,
      })),
    })),
  })

  createTopics = async (request: {
    topics: { topic: string; numPartitions: number; configEntries: { name: string; value: string }[] }[]
  }) => {
    this.createCalls.push(request)
    this.onCreate()
    let hasCreated = false
    for (const { topic, numPartitions, configEntries } of request.topics) {
      if (this.topics.has(topic)) continue
      hasCreated = true
      const config = Object.fromEntries(configEntries.map(({ name, value }) => [name, value]))
      this.topics.set(topic, { partitions: numPartitions, config, leaderless: this.leaderlessAfterCreate })
    }
    return hasCreated
  }

  get port(): TopicAdmin {
    return this as unknown as TopicAdmin
  }
}

const plan = (changes: Partial<TopicPlan>): TopicPlan => ({
  role: 'commands',
  name: 'commands',
  partitions: 4,
  replication: null,
  cleanup: 'delete',
  suitableCleanups: ['delete'],
  cleanupReason: 'it would drop records',
  group: 'mailbox',
  maxMessageBytes: 1_048_576,
  retentionMs: null,
  neededRetention: null,
  safeRetentionMs: null,
  carries: null,
  ...changes,
})
const commands = plan({})
const checkpoints = plan({
  role: 'checkpoints',
  name: 'checkpoints',
  cleanup: 'compact',
  suitableCleanups: ['compact'],
  cleanupReason: 'it would forget',
})
const rejection = (pattern: RegExp) => (error: unknown) => {
  assert.ok(isPosthornError(error))
  assert.equal(error.code, 'KAFKA_TOPIC_UNSUITABLE')
  assert.match(error.message, pattern)
  assert.ok(error.action)
  return true
}

describe('ensureTopics', () => {
  it('creates what is missing and says what it was', async () => {
    const admin = new FakeAdmin().add('commands', 6, 'delete')
    assert.deepEqual(await ensureTopics(admin.port, [commands, checkpoints]), ['checkpoints'])
    const made = admin.topics.get('checkpoints')
    assert.equal(made?.partitions, 6)
    assert.deepEqual(made.config, { 'cleanup.policy': 'compact', 'max.message.bytes': '1048576' })
    assert.deepEqual(await ensureTopics(admin.port, [commands, checkpoints]), [])
    assert.equal(admin.createCalls.length, 1)
  })

  it('says how long a topic keeps its records where that is not left to the broker', async () => {
    const admin = new FakeAdmin()
    await ensureTopics(admin.port, [plan({ retentionMs: 60_000 })])
    assert.equal(admin.topics.get('commands')?.config['retention.ms'], '60000')
  })

  it('tells of a topic that works and may lose something', async () => {
    const admin = new FakeAdmin().add('commands', 4, 'delete')
    admin.topics.get('commands')!.config['retention.ms'] = '1000'
    const risks: string[] = []
    await ensureTopics(admin.port, [plan({ safeRetentionMs: 1_001 })], { onRisk: ({ topic }) => risks.push(topic) })
    await ensureTopics(admin.port, [plan({ safeRetentionMs: 1_000 })], { onRisk: ({ topic }) => risks.push(topic) })
    admin.topics.get('commands')!.config['retention.ms'] = '-1'
    await ensureTopics(admin.port, [plan({ safeRetentionMs: 1_001 })], { onRisk: ({ topic }) => risks.push(topic) })
    assert.deepEqual(risks, ['commands'])
  })

  it('asks for two in-sync replicas only from three replicas on', async () => {
    const admin = new FakeAdmin()
    await ensureTopics(admin.port, [
      { ...commands, replication: 3 },
      { ...checkpoints, replication: 2 },
    ])
    assert.equal(admin.topics.get('commands')?.config['min.insync.replicas'], '2')
    assert.equal(admin.topics.get('checkpoints')?.config['min.insync.replicas'], undefined)
  })

  it('creates nothing when an existing topic cannot work', async () => {
    const admin = new FakeAdmin().add('checkpoints', 4, 'delete')
    await assert.rejects(
      ensureTopics(admin.port, [commands, checkpoints]),
      rejection(/topic checkpoints has cleanup\.policy=delete.*it would forget/),
    )
    assert.deepEqual(admin.createCalls, [])
  })

  it('comes back only when every new partition has a leader', async () => {
    const admin = new FakeAdmin()
    admin.leaderlessAfterCreate = 2
    await ensureTopics(admin.port, [commands])
    assert.ok((admin.topics.get('commands')?.leaderless ?? 0) < 0)
  })

  it('waits for a broker that has not heard of a new topic yet', async () => {
    const admin = new FakeAdmin()
    const { fetchTopicMetadata } = admin
    let calls = 0
    admin.fetchTopicMetadata = async (request) => {
      calls += 1
      if (calls > 1) return fetchTopicMetadata(request)
      throw Object.assign(new Error('unknown topic'), {
        name: 'KafkaJSProtocolError',
        type: 'UNKNOWN_TOPIC_OR_PARTITION',
      })
    }
    assert.deepEqual(await ensureTopics(admin.port, [commands]), ['commands'])
    assert.equal(calls, 2)
  })

  it('waits for leaders that are being elected while it starts', async () => {
    const admin = new FakeAdmin().add('commands', 4, 'delete')
    const { fetchTopicMetadata } = admin
    let calls = 0
    admin.fetchTopicMetadata = async (request) => {
      calls += 1
      if (calls > 1) return fetchTopicMetadata(request)
      throw Object.assign(new Error('no leader'), {
        name: 'KafkaJSProtocolError',
        type: 'LEADER_NOT_AVAILABLE',
        retriable: true,
      })
    }
    assert.deepEqual(await ensureTopics(admin.port, [commands]), [])
    admin.listTopics = () => Promise.reject(new Error('down'))
    await assert.rejects(ensureTopics(admin.port, [commands]), /down/, 'anything else fails at once')
  })

  it('gives up on a leader that never comes', async () => {
    const admin = new FakeAdmin()
    admin.leaderlessAfterCreate = 1_000
    await assert.rejects(
      ensureTopics(admin.port, [commands], { timeoutMs: 1 }),
      (error) => isPosthornError(error) && error.code === 'KAFKA_FAILED' && /commands/.test(error.message),
    )
  })

  it('notices that another process created a topic differently at the same time', async () => {
    const admin = new FakeAdmin()
    admin.onCreate = () => admin.add('checkpoints', 1, 'compact')
    await assert.rejects(ensureTopics(admin.port, [commands, checkpoints]), rejection(/must have the same number/))
  })

  it('says what the cluster refuses', async () => {
    const admin = new FakeAdmin()
    admin.onCreate = () => {
      throw Object.assign(new Error('Replication-factor is invalid'), {
        name: 'KafkaJSCreateTopicError',
        type: 'INVALID_REPLICATION_FACTOR',
        topic: 'commands',
      })
    }
    await assert.rejects(ensureTopics(admin.port, [commands]), rejection(/Replication-factor.*topic commands/))
  })
})

describe('describeTopics', () => {
  it('tells of the topics that exist only', async () => {
    const admin = new FakeAdmin().add('commands', 3, 'delete')
    assert.deepEqual(
      await describeTopics(admin.port, ['commands', 'other']),
      new Map([
        [
          'commands',
          {
            name: 'commands',
            partitions: 3,
            replication: 1,
            cleanup: 'delete',
            minInsyncReplicas: null,
            maxMessageBytes: null,
            retentionMs: null,
            isLed: true,
          },
        ],
      ]),
    )
  })
})
