import type { Config } from '../config/config.ts'
import { connectAdmin, countMembers } from '../kafka/connect-admin.ts'
import { createKafka } from '../kafka/connect.ts'
import { createHandledOffsets, type HandledOffsets } from '../kafka/handled-offsets.ts'
import type { BearerTokens } from '../kafka/oauth-bearer.ts'
import type { KafkaLog } from '../kafka/kafka-log.ts'
import type { ConsumedRecord } from '../kafka/records.ts'
import { createRecordProducer, type RecordProducer } from '../kafka/record-producer.ts'
import { TopicReader, type TopicReaderOptions } from '../kafka/topic-reader.ts'
import type { TopicAdmin } from '../kafka/topics.ts'
import { Releasers } from '../lifecycle.ts'

export type ReadOptions = Pick<TopicReaderOptions, 'topic' | 'from' | 'untilEnd'>

export interface RecordReader extends AsyncIterable<ConsumedRecord> {
  close(): Promise<void>
}

/** What the commands need of Kafka. Nothing is connected before it is used. */
export interface KafkaClients {
  /** Resolves when nothing that is written from now on can be missed. */
  read(options: ReadOptions): Promise<RecordReader>
  producer(): RecordProducer
  admin(): Promise<TopicAdmin>
  /** What has been done about the dead letters. */
  handledDeadLetters(): HandledOffsets
  /** How many workers are in a consumer group. */
  countMembers(groupId: string): Promise<number>
  close(): Promise<void>
}

export type ConnectKafka = (config: Config['kafka'], log: KafkaLog, signal: AbortSignal) => KafkaClients

/** What gets tokens is loaded where one is asked for: most commands start faster without. */
const tokensOf = ({ sasl }: Config['kafka']): BearerTokens | undefined => {
  if (sasl?.mechanism !== 'oauthbearer') return undefined
  let opened: Promise<BearerTokens> | null = null
  const open = async (): Promise<BearerTokens> => {
    const { createKafkaTokens } = await import('../oauth/kafka-tokens.ts')
    return createKafkaTokens(sasl.oauth2, { now: Date.now, random: Math.random })
  }
  return {
    get: async () => (await (opened ??= open())).get(),
    invalidate: (token) => void opened?.then((tokens) => tokens.invalidate(token)),
  }
}

export const connectKafka: ConnectKafka = (config, log, signal) => {
  const kafka = createKafka(config, { clientId: config.clientId, patience: 'command', log, tokens: tokensOf(config) })
  const releasers = new Releasers()
  const openAdmin = async () => {
    const admin = await connectAdmin(kafka)
    releasers.add(() => admin.disconnect())
    return admin
  }
  return {
    read: async (options) => {
      const reader = await TopicReader.open({ ...options, kafka, groupPrefix: config.group, signal })
      releasers.add(() => reader.close())
      return reader
    },
    producer: () => {
      const producer = createRecordProducer(kafka)
      releasers.add(() => producer.close())
      return producer
    },
    admin: openAdmin,
    handledDeadLetters: () => {
      const handled = createHandledOffsets(kafka, config.topics.deadLetters, `${config.group}.dead-letters`)
      releasers.add(() => handled.close())
      return handled
    },
    countMembers: async (groupId) => countMembers(await openAdmin(), groupId),
    close: () => releasers.releaseAll(),
  }
}
