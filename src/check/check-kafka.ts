import type { KafkaConfig } from '../config/config.ts'
import type { TopicPlan } from '../kafka/topic-plan.ts'
import { findTopicProblems } from '../kafka/topic-plan.ts'
import { describeTopics, refuseTopics, type TopicAdmin } from '../kafka/topics.ts'
import { takeTlsStep } from './check-network.ts'
import type { Check } from './check-result.ts'

export type CheckedKafka = Pick<KafkaConfig, 'brokers' | 'tls' | 'sasl'>

export interface KafkaCheckPorts {
  /** Resolves when the cluster has answered and the login is accepted. @throws PosthornError */
  connectAdmin: () => Promise<TopicAdmin>
}

const list = (names: readonly string[]): string => names.join(', ')

/** `[::1]:9092` → host `::1`. */
const toServer = (broker: string): { host: string; port: number } => {
  const [, host = broker, port = '0'] = /^(.*):(\d+)$/.exec(broker) ?? []
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/** @param now milliseconds since the epoch */
export const checkKafka = (
  { brokers, tls, sasl }: CheckedKafka,
  plans: readonly TopicPlan[],
  ports: KafkaCheckPorts,
  now: () => number,
): Check => ({
  component: 'kafka',
  account: null,
  run: async (takeStep) => {
    if (tls !== null) await takeTlsStep('kafka', brokers.map(toServer), tls, takeStep, now)
    const admin = await takeStep(sasl === null ? 'connect' : 'login', ports.connectAdmin, () => {
      const how = sasl === null ? 'without a login' : `logged in by ${sasl.mechanism.toUpperCase()}`
      return `connected to ${list(brokers)}, ${how}`
    })
    await takeStep(
      'topics',
      async () => {
        const existing = await describeTopics(
          admin,
          plans.map(({ name }) => name),
        )
        refuseTopics(findTopicProblems(plans, existing))
        return plans.map(({ name }) => name).filter((name) => !existing.has(name))
      },
      (missing) => {
        if (missing.length === 0) return `all ${plans.length} are there and suit`
        return `${plans.length - missing.length} are there and suit; posthorn run will create ${list(missing)}`
      },
    )
  },
})
