import { setTimeout as delay } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { describeTopics } from '../../src/kafka/topics.ts'

/** Resolves when it can be used: kafkajs's own wait for leaders fails where the topic is not known yet. */
export const createTopic = async (
  admin: Admin,
  topic: string,
  settings: Readonly<Record<string, string>> = {},
  numPartitions = 1,
): Promise<void> => {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
  while ((await describeTopics(admin, [topic]).catch(() => null))?.get(topic)?.isLed !== true) await delay(50)
}
