import type { Kafka } from 'kafkajs'
import { TopicReader } from '../../src/kafka/topic-reader.ts'

/**
 * The values of a topic at read_committed, all of them. Waits for `awaited` records first, since the broker answers a
 * commit before it has written its end (KIP-98).
 */
export const readValues = async (kafka: Kafka, topic: string, awaited: number): Promise<string[]> => {
  const options = { kafka, topic, groupPrefix: 'test', from: 'beginning' } as const
  let seen = 0
  for await (const _ of await TopicReader.open({ ...options, untilEnd: false })) {
    seen += 1
    if (seen === awaited) break
  }
  const values: string[] = []
  for await (const { value } of await TopicReader.open({ ...options, untilEnd: true })) values.push(String(value))
  return values
}
