import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkKafka } from '../../src/check/check-kafka.ts'
import { runChecks } from '../../src/check/run-checks.ts'
import type { TopicPlan } from '../../src/kafka/topic-plan.ts'
import type { TopicAdmin } from '../../src/kafka/topics.ts'

const plan = (name: string, cleanup: 'delete' | 'compact'): TopicPlan => ({
  role: 'commands',
  name,
  partitions: 1,
  replication: null,
  cleanup,
  suitableCleanups: [cleanup],
  cleanupReason: 'it would not do',
  group: null,
  maxMessageBytes: 1,
  retentionMs: null,
  neededRetention: null,
  safeRetentionMs: null,
  carries: null,
})

/** Topics with one partition and these policies. */
const adminWith = (topics: Record<string, string>): TopicAdmin =>
  ({
    listTopics: async () => Object.keys(topics),
    fetchTopicMetadata: async () => ({
      topics: Object.keys(topics).map((name) => ({ name, partitions: [{ partitionId: 0, leader: 1, replicas: [1] }] })),
    }),
    describeConfigs: async () => ({
      resources: Object.entries(topics).map(([resourceName, configValue]) => ({
        resourceName,
        configEntries: [{ configName: 'cleanup.policy', configValue }],
      })),
    }),
    createTopics: async () => assert.fail('a check must create nothing'),
  }) as unknown as TopicAdmin

const run = (topics: Record<string, string>) =>
  runChecks(
    [
      checkKafka(
        { brokers: ['k:9092'], tls: null, sasl: null },
        [plan('a', 'delete'), plan('b', 'compact')],
        { connectAdmin: async () => adminWith(topics) },
        () => 0,
      ),
    ],
    {
      timeoutMs: 5_000,
      concurrency: 1,
      signal: new AbortController().signal,
      now: () => 0,
    },
  )

describe('checkKafka', () => {
  it('is content with topics that are missing, and says that they will be created', async () => {
    const [connect, topics] = await run({ a: 'delete' })
    assert.equal(connect?.ok, true)
    assert.equal(topics?.ok, true)
    assert.equal(topics?.message, '1 are there and suit; posthorn run will create b')
  })

  it('fails over a topic that cannot work', async () => {
    const [, topics] = await run({ a: 'delete', b: 'delete' })
    assert.equal(topics?.code, 'KAFKA_TOPIC_UNSUITABLE')
    assert.match(topics?.message ?? '', /topic b has cleanup\.policy=delete/)
    assert.match(topics?.action ?? '', /cleanup\.policy=compact/)
  })
})
