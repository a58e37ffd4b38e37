/** Which record is in which topic; with a registry, which schema is under which subject (pure). */
import type { TopicsConfig } from '../config/config.ts'
import type { RecordName } from './records.ts'

export interface TopicRecord {
  readonly record: RecordName
  readonly topic: string
}

type Names = Pick<
  TopicsConfig,
  'sendRequests' | 'sendResults' | 'inbound' | 'commands' | 'commandResults' | 'checkpoints'
>

/** What a worker writes. */
export const writtenRecords = (topics: Names): TopicRecord[] => [
  { record: 'InboundMessage', topic: topics.inbound },
  { record: 'SendResult', topic: topics.sendResults },
  { record: 'MailboxCommandResult', topic: topics.commandResults },
  { record: 'Checkpoint', topic: topics.checkpoints },
]

/** What programs write for a worker besides. */
export const topicRecords = (topics: Names): TopicRecord[] => [
  { record: 'SendRequest', topic: topics.sendRequests },
  { record: 'MailboxCommand', topic: topics.commands },
  ...writtenRecords(topics),
]

/** Confluent's TopicNameStrategy. */
export const subjectOf = (topic: string): string => `${topic}-value`
