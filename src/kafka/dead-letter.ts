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
