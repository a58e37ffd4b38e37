import { PosthornError } from '../errors.ts'
import { planTopics } from '../kafka/topic-plan.ts'

const fold = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '')

/**
 * What a person calls a topic → its name: a key of `kafka.topics` (`inbound`, `deadLetters` or `dead-letters`), a retry
 * tier (`sendRetries.10m`), or any topic's full name (pure).
 *
 * @throws PosthornError `USAGE_INVALID` for `sendRetries` alone when it has several tiers
 */
export const resolveTopic = (name: string, config: Parameters<typeof planTopics>[0]): string => {
  const plans = planTopics(config)
  if (plans.some((plan) => plan.name === name)) return name
  const tier = config.send.retry.tiers.find(({ label }) => fold(`sendRetries.${label}`) === fold(name))
  if (tier !== undefined) return tier.topic
  const [topic, ...others] = plans.filter(({ role }) => fold(role) === fold(name))
  if (topic === undefined) return name
  if (others.length > 0) {
    const tiers = config.send.retry.tiers.map(({ label }) => `${topic.role}.${label}`)
    throw new PosthornError('USAGE_INVALID', `${name} is ${tiers.length} topics`, {
      stage: 'configure',
      action: `Name one of them: ${tiers.join(', ')}.`,
    })
  }
  return topic.name
}
