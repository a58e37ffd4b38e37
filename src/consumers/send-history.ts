/**
 * What a send request has been through, carried in the headers of a record that Posthorn writes to itself (pure): the
 * value stays the request's own bytes. Only records of the retry topics and of the steps topic are believed: on
 * `sendRequests` these headers mean nothing and are dropped.
 */
import type { RecipientResult, SendError } from '../avro/records.ts'
import { header, type ConsumedRecord, type RecordHeader } from '../kafka/records.ts'

/** What makes a composed mail the same again: its Date and the random parts of its structure. */
export interface MailSeed {
  at: number
  token: string
}

export interface SendHistory {
  /** Attempts that were made. */
  attempts: number
  /** When the next one is due, milliseconds since the epoch; 0: at once. */
  dueAt: number
  /** When the request was first published, milliseconds since the epoch. */
  publishedAt: number
  /** How long it has waited for a login of its account, milliseconds; that does not count as its age. */
  pausedMs?: number
  /** Where it was first published. */
  source: { topic: string; partition: number; offset: number }
  /** Null: not decided yet. Afterwards no other configuration of the account changes it. */
  messageId: string | null
  /** The request log has this request: it is not a duplicate. */
  isKnown: boolean
  /** What is known of each recipient; who is not DEFERRED is not tried again. */
  recipients: RecipientResult[]
  /** An earlier delivery has no known outcome. */
  isInDoubt: boolean
  /** The last failure. */
  error: SendError | null
  /** Delivered; what is left to do is to put this mail into `saveToFolder`. */
  toSave: MailSeed | null
}

const historyHeader = 'posthorn-send-history'

/**
 * Producers stamp records, and some leave the stamp out (-1), write 0 or seconds; Kafka itself is younger than all that. No
 * request can have been published after it was taken either. Then it counts from now.
 */
const firstPossible = Date.UTC(2011, 0)

export const firstHistory = ({ timestamp, topic, partition, offset }: ConsumedRecord, now: number): SendHistory => ({
  attempts: 0,
  dueAt: 0,
  publishedAt: timestamp >= firstPossible && timestamp <= now ? timestamp : now,
  source: { topic, partition, offset },
  messageId: null,
  isKnown: false,
  recipients: [],
  isInDoubt: false,
  error: null,
  toSave: null,
})

/** Null: a record that Posthorn did not write. */
export const readHistory = (record: ConsumedRecord): SendHistory | null => {
  const value = record.headers.find(({ name }) => name === historyHeader)?.value
  if (value === undefined) return null
  try {
    return JSON.parse(value.toString('utf8')) as SendHistory
  } catch {
    return null
  }
}

/** The headers of the next record: those of the request and its history. */
export const historyHeaders = (record: ConsumedRecord, history: SendHistory): RecordHeader[] => [
  ...withoutHistory(record.headers),
  header(historyHeader, JSON.stringify(history)),
]

export const withoutHistory = (headers: readonly RecordHeader[]): RecordHeader[] =>
  headers.filter(({ name }) => name !== historyHeader)
