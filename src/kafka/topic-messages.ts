import type { IHeaders, Message, TopicMessages } from 'kafkajs'
import type { ConsumedRecord, OutgoingRecord, RecordHeader } from './records.ts'

const toKafkaHeaders = (headers: readonly RecordHeader[]): IHeaders => {
  const grouped: Record<string, Buffer[]> = Object.create(null)
  for (const { name, value } of headers) (grouped[name] ??= []).push(value)
  return Object.fromEntries(
    Object.entries(grouped).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}

const toMessage = (record: OutgoingRecord): Message => ({
  key: record.key,
  value: record.value,
  headers: toKafkaHeaders(record.headers ?? []),
  ...(record.partition === undefined ? {} : { partition: record.partition }),
})

/** Groups records by topic, in order, as kafkajs's `sendBatch` takes them. */
export const toTopicMessages = (records: readonly OutgoingRecord[]): TopicMessages[] => {
  const byTopic = new Map<string, Message[]>()
  for (const record of records) {
    const messages = byTopic.get(record.topic)
    if (messages === undefined) byTopic.set(record.topic, [toMessage(record)])
    else messages.push(toMessage(record))
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }))
}

/** A null or absent header value reads as empty bytes: the client library cannot write it back otherwise. */
export const fromKafkaHeaders = (headers: IHeaders | undefined): RecordHeader[] =>
  Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => ({ name, value: Buffer.from(one ?? '') })),
  )

interface FetchedMessage {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers?: IHeaders | undefined
}

export const fromKafkaMessage = (topic: string, partition: number, message: FetchedMessage): ConsumedRecord => ({
  topic,
  partition,
  offset: Number(message.offset),
  timestamp: Number(message.timestamp),
  key: message.key,
  value: message.value,
  headers: fromKafkaHeaders(message.headers),
})
