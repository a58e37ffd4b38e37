import type { PosthornError } from '../errors.ts'
import { header, sourceOf, type ConsumedRecord, type OutgoingRecord } from './records.ts'

const reasonMaxLength = 1_000

export interface DeadLetterFacts {
  topic: string
  /** How often it was tried. */
  attempts: number
  /** Milliseconds since the epoch. */
  at: number
}

/** The headers of contract section 3. */
export const deadLetterHeaders = (source: string, error: PosthornError, facts: DeadLetterFacts) => [
  header('dead-letter-code', error.code),
  header('dead-letter-reason', error.message.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, reasonMaxLength)),
  header('dead-letter-stage', error.stage),
  header('dead-letter-attempts', facts.attempts),
  header('dead-letter-source', source),
  header('dead-letter-at', new Date(facts.at).toISOString()),
]

/** The source record unchanged (key, value, headers) with the reason in headers of its own. */
export const buildDeadLetter = (
  record: ConsumedRecord,
  error: PosthornError,
  facts: DeadLetterFacts,
): OutgoingRecord => ({
  topic: facts.topic,
  key: record.key,
  value: record.value,
  headers: [
    ...record.headers.filter(({ name }) => !name.startsWith('dead-letter-')),
    ...deadLetterHeaders(sourceOf(record), error, facts),
  ],
})

/**
 * Stands for a record of ours that is larger than the broker takes: its key and headers without the value; when even a
 * dead letter is too large, without the headers of its source.
 */
export const buildOversizeDeadLetter = (
  record: OutgoingRecord,
  error: PosthornError,
  facts: DeadLetterFacts,
): OutgoingRecord => {
  const headers = record.headers ?? []
  const isOwn = record.topic === facts.topic
  const own = headers.filter(({ name }) => name.startsWith('dead-letter-'))
  if (isOwn) return { ...record, value: null, headers: record.value === null ? own : headers }
  const source = headers.find(({ name }) => name === 'mail-dedupe-id')?.value.toString('utf8') ?? record.topic
  return {
    topic: facts.topic,
    key: record.key,
    value: null,
    headers: [...headers, ...deadLetterHeaders(source, error, facts)],
  }
}
