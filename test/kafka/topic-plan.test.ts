import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sendStateTopic, sendStepsTopic } from '../../src/config/derived-topics.ts'
import type { TopicsConfig } from '../../src/config/config.ts'
import {
  findTopicProblems,
  findTopicRisks,
  missingTopics,
  planTopics,
  type ExistingTopic,
} from '../../src/kafka/topic-plan.ts'

const topics: TopicsConfig = {
  sendRequests: 'mail.send.requests',
  sendRetries: 'mail.send.retries',
  sendResults: 'mail.send.results',
  inbound: 'mail.inbound',
  commands: 'mail.commands',
  commandResults: 'mail.command.results',
  deadLetters: 'mail.dead-letters',
  checkpoints: 'mail.checkpoints',
  oauthTokens: 'mail.oauth.tokens',
  partitions: 12,
  replication: 3,
}
const tiers = ['1m', '1h'].map((label) => ({ label, delayMs: 60_000, topic: `mail.send.retries.${label}` }))
const planWith = (grant: string) =>
  planTopics({
    kafka: { topics },
    send: { retry: { tiers, maxAgeMs: 86_400_000 }, dedupeWindowMs: 30 * 86_400_000 },
    limits: { maxInlineBodyBytes: 262_144 },
    accounts: { a: { smtp: null, imap: { auth: { method: 'oauth2', oauth2: { grant } } } } },
  } as unknown as Parameters<typeof planTopics>[0])
const plans = planWith('authorization_code')

const planOf = (name: string) => {
  const found = plans.find((plan) => plan.name === name)
  assert.ok(found, `no plan for ${name}`)
  return found
}

/** A topic as Posthorn would have made it. */
const existing = (name: string, changes: Partial<ExistingTopic> = {}): [string, ExistingTopic] => [
  name,
  {
    name,
    partitions: 12,
    replication: 3,
    cleanup: planOf(name).cleanup,
    minInsyncReplicas: 2,
    maxMessageBytes: 1_048_588,
    retentionMs: null,
    isLed: true,
    ...changes,
  },
]
const problemsWith = (...found: [string, ExistingTopic][]) => findTopicProblems(plans, new Map(found))

describe('planTopics', () => {
  it('keeps what waits, and the ids that count, longer than they are needed', () => {
    const days = (name: string) => (planOf(name).retentionMs ?? 0) / 86_400_000
    assert.equal(days('mail.send.state'), 60)
    assert.equal(days('mail.send.steps'), 7)
    assert.equal(days('mail.send.retries.1h'), 7)
    assert.equal(planOf('mail.send.requests').retentionMs, null)
  })

  it('plans every topic of the contract once, and one for each retry tier', () => {
    assert.deepEqual(
      plans.map(({ role, name }) => `${role} ${name}`),
      [
        'sendRequests mail.send.requests',
        'sendRetries mail.send.retries.1m',
        'sendRetries mail.send.retries.1h',
        'sendSteps mail.send.steps',
        'sendState mail.send.state',
        'sendResults mail.send.results',
        'inbound mail.inbound',
        'commands mail.commands',
        'checkpoints mail.checkpoints',
        'commandResults mail.command.results',
        'deadLetters mail.dead-letters',
        'oauthTokens mail.oauth.tokens',
      ],
    )
  })

  it('keeps checkpoints and tokens for ever', () => {
    assert.equal(planOf('mail.checkpoints').cleanup, 'compact')
    assert.equal(planOf('mail.oauth.tokens').cleanup, 'compact')
  })

  it('keeps tokens in one partition, and in no topic where nobody logs in', () => {
    assert.equal(planOf('mail.oauth.tokens').partitions, 1)
    assert.ok(planWith('client_credentials').every(({ role }) => role !== 'oauthTokens'))
  })

  it('lets a retry and a dead letter be larger than the record that they carry', () => {
    const request = planOf('mail.send.requests').maxMessageBytes
    const retry = planOf('mail.send.retries.1m').maxMessageBytes
    assert.ok(retry > request)
    assert.ok(planOf('mail.dead-letters').maxMessageBytes > retry)
  })

  it('names the topics that only Posthorn uses after the requests, so that two installations in one cluster do not share it', () => {
    assert.equal(sendStateTopic({ sendRequests: 'mail.send.requests' }), 'mail.send.state')
    assert.equal(sendStateTopic({ sendRequests: 'shop-mail' }), 'shop-mail.state')
    assert.equal(sendStepsTopic({ sendRequests: 'mail.send.requests' }), 'mail.send.steps')
  })
})

describe('findTopicProblems', () => {
  it('finds none with topics of its own making, nor where none exist', () => {
    assert.deepEqual(problemsWith(...plans.map(({ name }) => existing(name))), [])
    assert.deepEqual(problemsWith(), [])
  })

  it('refuses a checkpoint topic that is not compacted, or that forgets by age', () => {
    for (const cleanup of ['delete', 'compact,delete', 'delete,compact']) {
      const [problem, ...others] = problemsWith(existing('mail.checkpoints', { cleanup }))
      assert.deepEqual(others, [])
      assert.equal(problem?.topic, 'mail.checkpoints')
      assert.match(problem?.problem ?? '', new RegExp(`cleanup.policy=${cleanup}`))
      assert.match(problem?.action ?? '', /cleanup\.policy=compact /)
    }
  })

  it('refuses compaction where it would drop records', () => {
    for (const name of ['mail.send.requests', 'mail.send.retries.1h', 'mail.commands', 'mail.dead-letters']) {
      assert.equal(problemsWith(existing(name, { cleanup: 'compact' })).length, 1, name)
    }
    assert.deepEqual(problemsWith(existing('mail.send.results', { cleanup: 'compact' })), [])
  })

  it('takes the parts of a policy in either order', () => {
    assert.deepEqual(problemsWith(existing('mail.send.state', { cleanup: 'delete, compact' })), [])
  })

  it('refuses partition counts that differ within a group and names both topics', () => {
    const [problem] = problemsWith(existing('mail.commands', { partitions: 6 }), existing('mail.checkpoints'))
    assert.equal(problem?.topic, 'mail.checkpoints')
    assert.match(problem?.problem ?? '', /12 partitions and mail\.commands has 6/)
    assert.equal(problemsWith(existing('mail.send.requests', { partitions: 6 }), existing('mail.send.state')).length, 1)
  })

  it('lets counts differ between groups and from the configuration', () => {
    assert.deepEqual(problemsWith(existing('mail.send.requests', { partitions: 6 }), existing('mail.commands')), [])
    assert.deepEqual(problemsWith(existing('mail.inbound', { partitions: 1 })), [])
  })
})

describe('what existing topics keep, and take', () => {
  const day = 86_400_000

  it('is refused where requests or their ids would be gone while they are needed', () => {
    const [tier] = problemsWith(existing('mail.send.retries.1h', { retentionMs: 59_999 }))
    assert.match(tier?.problem ?? '', /retention\.ms=59999.*would be deleted before/)
    assert.match(tier?.action ?? '', /retention\.ms=604800000/)
    assert.match(
      problemsWith(existing('mail.send.state', { retentionMs: 29 * day }))[0]?.problem ?? '',
      /forgotten while they still count/,
    )
    const compacted = existing('mail.send.state', { retentionMs: day, cleanup: 'compact' })
    assert.deepEqual(problemsWith(compacted, existing('mail.send.retries.1m', { retentionMs: 60_000 })), [])
  })

  it('is a risk where it is less than what a request may take', () => {
    const risks = (retentionMs: number | null) =>
      findTopicRisks(plans, new Map([existing('mail.send.requests', { retentionMs })]))
    assert.deepEqual([risks(null), risks(day)], [[], []])
    assert.match(risks(day - 1)[0]?.problem ?? '', /less than send\.retry\.maxAge/)
  })

  it('is refused where a request that was taken would not fit into its retry topic', () => {
    const requests = existing('mail.send.requests', { maxMessageBytes: 5_000_000 })
    const [problem, ...others] = problemsWith(requests, existing('mail.send.steps'))
    assert.match(problem?.problem ?? '', /max\.message\.bytes=1048588 and mail\.send\.requests has 5000000/)
    assert.deepEqual(others, [])
    assert.deepEqual(problemsWith(requests, existing('mail.send.steps', { maxMessageBytes: 5_000_000 })), [])
  })
})

describe('missingTopics', () => {
  it('gives a new topic as many partitions as its existing group has, whichever of them is there', () => {
    const missing = missingTopics(plans, new Map([existing('mail.checkpoints', { partitions: 6 })]))
    const counts = Object.fromEntries(missing.map(({ name, partitions }) => [name, partitions]))
    assert.equal(counts['mail.commands'], 6)
    assert.equal(counts['mail.send.requests'], 12)
    assert.equal('mail.checkpoints' in counts, false)
  })

  it('makes room for what an existing topic takes, so that a topic of its own making is not refused', () => {
    const requests = existing('mail.send.requests', { maxMessageBytes: 50_000_000 })
    const found = new Map([requests])
    const made = missingTopics(plans, found).map(({ name, maxMessageBytes }) => existing(name, { maxMessageBytes }))
    assert.deepEqual(problemsWith(requests, ...made), [])
    const unchanged = missingTopics(plans, new Map([existing('mail.send.requests')]))
    assert.ok(unchanged.every(({ name, maxMessageBytes }) => maxMessageBytes === planOf(name).maxMessageBytes))
  })
})
