/** Results of send requests (pure). */
import type { RecipientResult, SendError, SendRequest, SendResult, SendStatus } from '../avro/records.ts'
import type { PosthornError } from '../errors.ts'
import type { SendHistory } from './send-history.ts'

export interface ResultFacts {
  status: SendStatus
  messageId: string
  recipients: readonly RecipientResult[]
  attempt: number
  completedAt: number
  serverMessageId?: string | null
  nextAttemptAt?: number
  error?: SendError | null
}

export const toSendError = ({ code, message, stage }: PosthornError): SendError => ({ code, message, stage })

export const buildSendResult = (request: SendRequest, history: SendHistory, facts: ResultFacts): SendResult => ({
  id: request.id,
  account: request.account,
  messageId: facts.messageId,
  status: facts.status,
  recipients: shorten(facts.recipients),
  serverMessageId: facts.serverMessageId ?? null,
  attempt: facts.attempt,
  nextAttemptAt: facts.nextAttemptAt ?? null,
  error: facts.error ?? null,
  requestedAt: history.publishedAt,
  completedAt: facts.completedAt,
  tags: request.tags,
  ...history.source,
})

/** A result is one Kafka record: of very many answers each is told in short. */
const shorten = (recipients: readonly RecipientResult[]): RecipientResult[] =>
  recipients.length <= manyRecipients
    ? [...recipients]
    : recipients.map((recipient) => ({ ...recipient, response: recipient.response?.slice(0, 80) ?? null }))

const manyRecipients = 1_000

/**
 * One entry for each recipient over all attempts: a status of this attempt replaces the one before, what was settled
 * earlier stays.
 */
export const mergeRecipients = (
  settled: readonly RecipientResult[],
  attempted: readonly RecipientResult[],
): RecipientResult[] => {
  const merged = new Map(settled.map((recipient) => [recipient.address, recipient]))
  for (const recipient of attempted) merged.set(recipient.address, recipient)
  return [...merged.values()]
}

/** Who must not get the mail again. */
export const settledAddresses = (recipients: readonly RecipientResult[]): ReadonlySet<string> =>
  new Set(recipients.filter(({ status }) => status !== 'DEFERRED').map(({ address }) => address))

/** The mail turned out to be sent: it went to all whom the server did not put off or refuse. */
export const acceptUnknown = (recipients: readonly RecipientResult[]): RecipientResult[] =>
  recipients.map((recipient) =>
    recipient.status === 'DEFERRED' && (recipient.responseCode ?? 0) < 400
      ? { ...recipient, status: 'ACCEPTED' }
      : recipient,
  )

/** The final status of a mail whose recipients are all settled: PARTIAL when some were accepted and some were not. */
export const finalStatus = (recipients: readonly RecipientResult[]): 'DELIVERED' | 'PARTIAL' | 'REJECTED' => {
  const accepted = recipients.filter(({ status }) => status === 'ACCEPTED').length
  if (accepted === recipients.length) return 'DELIVERED'
  return accepted > 0 ? 'PARTIAL' : 'REJECTED'
}

/** What no attempt delivered is rejected in the end, so that a final result has no open recipient. */
export const closeRecipients = (recipients: readonly RecipientResult[]): RecipientResult[] =>
  recipients.map((recipient) => (recipient.status === 'DEFERRED' ? { ...recipient, status: 'REJECTED' } : recipient))
