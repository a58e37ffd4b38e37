/** Creates the topics that are missing and refuses those that can't work. */
import { setTimeout as delay } from 'node:timers/promises'
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs'
import { isPosthornError, PosthornError } from '../errors.ts'
import { classifyKafkaError } from './classify-kafka-error.ts'
import {
  findTopicProblems,
  findTopicRisks,
  missingTopics,
  type ExistingTopic,
  type TopicPlan,
  type TopicProblem,
} from './topic-plan.ts'

/** What is needed of kafkajs's admin client. */
export type TopicAdmin = Pick<Admin, 'listTopics' | 'fetchTopicMetadata' | 'describeConfigs' | 'createTopics'>

export interface EnsureTopicsOptions {
  /** How long to wait until every partition of a new topic has a leader. */
  timeoutMs?: number
  /** An existing topic works, but may lose something one day. */
  onRisk?: (risk: TopicProblem) => void
}

const readConfigs = ['cleanup.policy', 'min.insync.replicas', 'max.message.bytes', 'retention.ms']
const pollMs = 100
const defaultTimeoutMs = 30_000
/** From this replication on, a write must be on two replicas before it counts; below, one broker less would stop all. */
const replicationForTwoInsync = 3

/**
 * @returns those of the named topics that exist, by name
 * @throws PosthornError `KAFKA_UNREACHABLE`, `KAFKA_AUTHENTICATION_FAILED`, `KAFKA_FAILED`
 */
export const describeTopics = async (
  admin: TopicAdmin,
  names: readonly string[],
): Promise<Map<string, ExistingTopic>> => {
  try {
    const present = new Set(await admin.listTopics())
    const topics = names.filter((name) => present.has(name))
    if (topics.length === 0) return new Map()
    const { topics: metadata } = await admin.fetchTopicMetadata({ topics })
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configNames: readConfigs,
      })),
    })
    return new Map(
      metadata.map(({ name, partitions }) => {
        const entries = resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? []
        const config = new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
        const readNumber = (key: string): number | null => (config.has(key) ? Number(config.get(key)) : null)
        const retentionMs = readNumber('retention.ms')
        const topic: ExistingTopic = {
          name,
          partitions: partitions.length,
          replication: partitions[0]?.replicas.length ?? 0,
          cleanup: config.get('cleanup.policy') ?? 'delete',
          minInsyncReplicas: readNumber('min.insync.replicas'),
          maxMessageBytes: readNumber('max.message.bytes'),
          retentionMs: retentionMs === null || retentionMs < 0 ? null : retentionMs,
          isLed: partitions.every(({ leader }) => leader >= 0),
        }
        return [name, topic]
      }),
    )
  } catch (error) {
    throw classifyKafkaError(error, 'start')
  }
}

/** @throws PosthornError `KAFKA_TOPIC_UNSUITABLE` when there is no such topic */
export const countPartitions = async (admin: TopicAdmin, topic: string): Promise<number> => {
  const found = (await describeTopics(admin, [topic])).get(topic)
  if (found !== undefined) return found.partitions
  throw new PosthornError('KAFKA_TOPIC_UNSUITABLE', `topic ${topic} has gone`, { stage: 'start', retryable: true })
}

const toTopicConfig = ({
  name,
  partitions,
  replication,
  cleanup,
  maxMessageBytes,
  ...plan
}: TopicPlan): ITopicConfig => ({
  topic: name,
  numPartitions: partitions,
  // -1: the broker's default (KIP-464).
  replicationFactor: replication ?? -1,
  configEntries: [
    { name: 'cleanup.policy', value: cleanup },
    { name: 'max.message.bytes', value: String(maxMessageBytes) },
    ...(plan.retentionMs === null ? [] : [{ name: 'retention.ms', value: String(plan.retentionMs) }]),
    ...(replication !== null && replication >= replicationForTwoInsync
      ? [{ name: 'min.insync.replicas', value: '2' }]
      : []),
  ],
})

/** @throws PosthornError `KAFKA_TOPIC_UNSUITABLE` naming each topic, what is wrong and what to do; nothing without problems */
export const refuseTopics = (problems: readonly TopicProblem[]): void => {
  const [first] = problems
  if (first === undefined) return
  const message = problems.map(({ topic, problem }) => `topic ${topic} ${problem}`).join('; ')
  const action = [...new Set(problems.map(({ action }) => action))].join(' ')
  throw new PosthornError('KAFKA_TOPIC_UNSUITABLE', message, { stage: 'start', action })
}

/** While topics are new to a broker, or their leaders are being elected, it has no answer. */
const isPassing = (error: unknown): boolean =>
  isPosthornError(error) &&
  error.retryable &&
  (error.code === 'KAFKA_TOPIC_UNSUITABLE' || error.code === 'KAFKA_FAILED')

const describePatiently = async (
  admin: TopicAdmin,
  names: readonly string[],
  deadline: number,
): Promise<Map<string, ExistingTopic>> => {
  for (;;) {
    try {
      return await describeTopics(admin, names)
    } catch (error) {
      if (!isPassing(error) || Date.now() >= deadline) throw error
      await delay(pollMs)
    }
  }
}

/**
 * Metadata reaches each broker some time after the topic was made; until then a client finds no topic, no partition or no
 * leader.
 */
const awaitTopics = async (
  admin: TopicAdmin,
  names: readonly string[],
  timeoutMs: number,
): Promise<Map<string, ExistingTopic>> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const existing = await describePatiently(admin, names, deadline)
    if (names.every((name) => existing.get(name)?.isLed === true)) return existing
    if (Date.now() >= deadline) {
      const message = `topics have no leader after ${timeoutMs / 1_000} s: ${names.join(', ')}`
      throw new PosthornError('KAFKA_FAILED', message, {
        stage: 'start',
        retryable: true,
        action: 'Look at the health of the Kafka cluster.',
      })
    }
    await delay(pollMs)
  }
}

/**
 * Creates nothing when an existing topic can't work. Several processes may call this at once.
 *
 * @returns the names of the topics that this call created
 * @throws PosthornError `KAFKA_TOPIC_UNSUITABLE` naming each topic, what is wrong and what to do
 */
export const ensureTopics = async (
  admin: TopicAdmin,
  plans: readonly TopicPlan[],
  { timeoutMs = defaultTimeoutMs, onRisk = () => undefined }: EnsureTopicsOptions = {},
): Promise<string[]> => {
  const names = plans.map(({ name }) => name)
  const existing = await describePatiently(admin, names, Date.now() + timeoutMs)
  refuseTopics(findTopicProblems(plans, existing))
  for (const risk of findTopicRisks(plans, existing)) onRisk(risk)
  const missing = missingTopics(plans, existing)
  if (missing.length === 0) return []
  let created: boolean
  try {
    created = await admin.createTopics({
      topics: missing.map(toTopicConfig),
      waitForLeaders: false,
      timeout: timeoutMs,
    })
  } catch (error) {
    throw classifyKafkaError(error, 'start')
  }
  // Another process, with another configuration, may have been faster.
  refuseTopics(findTopicProblems(plans, await awaitTopics(admin, names, timeoutMs)))
  return created ? missing.map(({ name }) => name) : []
}
