import type { TopicPlan } from '../kafka/topic-plan.ts'
import { findTopicProblems } from '../kafka/topic-plan.ts'
import { describeTopics, refuseTopics, type TopicAdmin } from '../kafka/topics.ts'
import type { Check } from './check-result.ts'

export interface KafkaCheckPorts {
  /** Resolves when the cluster has answered. @throws PosthornError */
  connectAdmin: () => Promise<TopicAdmin>
}

const list = (names: readonly string[]): string => names.join(', ')

export const checkKafka = (brokers: readonly string[], plans: readonly TopicPlan[], ports: KafkaCheckPorts): Check => ({
  component: 'kafka',
  account: null,
  run: async (takeStep) => {
    const admin = await takeStep('connect', ports.connectAdmin, () => `connected by ${list(brokers)}`)
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
