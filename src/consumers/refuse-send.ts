/** The endings of a send request that are not the server's answer, and their reasons (pure). */
import type { RecipientResult } from '../avro/records.ts'
import { PosthornError, type ErrorCode } from '../errors.ts'
import { closeRecipients, finalStatus, toSendError } from './build-send-result.ts'
import type { SendJob } from './send-partition.ts'
import type { FinalVerdict } from './send-verdict.ts'

/** Of the storage, what is wrong with a reference. What is wrong with the store is not the request's fault. */
const wrongReferences: readonly ErrorCode[] = [
  'STORAGE_OBJECT_MISSING',
  'STORAGE_OBJECT_CHANGED',
  'STORAGE_BUCKET_NOT_ALLOWED',
]

/** A failure that another try would meet again. */
export const isOfRequest = ({ code }: PosthornError): boolean =>
  code.startsWith('REQUEST_') || wrongReferences.includes(code)

/** PARTIAL where an earlier attempt was accepted for somebody. */
export const refuse = ({ history }: SendJob, messageId: string, error: PosthornError): FinalVerdict => {
  const recipients = closeRecipients(history.recipients)
  return {
    kind: 'final',
    status: finalStatus(recipients) === 'PARTIAL' ? 'PARTIAL' : 'REJECTED',
    messageId,
    recipients,
    attempt: history.attempts,
    error: toSendError(error),
    invalid: error,
  }
}

export const indeterminate = (
  { history }: SendJob,
  messageId: string,
  recipients: readonly RecipientResult[],
  error: PosthornError,
): FinalVerdict => ({
  kind: 'final',
  status: 'INDETERMINATE',
  messageId,
  recipients,
  attempt: history.attempts + 1,
  error: toSendError(error),
})

/** With the last error. Where some were accepted before the time was over, PARTIAL tells more than EXPIRED. */
export const expire = ({ history }: SendJob, messageId: string): FinalVerdict => {
  const recipients = closeRecipients(history.recipients)
  const status = recipients.some((recipient) => recipient.status === 'ACCEPTED') ? 'PARTIAL' : 'EXPIRED'
  const error = history.error ?? toSendError(expiredUntried())
  return { kind: 'final', status, messageId, recipients, attempt: history.attempts, error }
}

const expiredUntried = (): PosthornError =>
  new PosthornError('REQUEST_EXPIRED', 'the request was past its end before it could be tried', { stage: 'validate' })

export const unknownAccount = (account: string): PosthornError =>
  new PosthornError('REQUEST_ACCOUNT_UNKNOWN', `no account ${JSON.stringify(account)} that sends is configured`, {
    stage: 'validate',
    action: 'Add it under accounts with an smtp block, or correct the request.',
  })

export const beganBefore = (): PosthornError =>
  new PosthornError('SMTP_OUTCOME_UNKNOWN', 'an earlier worker began this delivery and left no outcome', {
    stage: 'reply',
  })

export const unexplained = (): PosthornError =>
  new PosthornError('INTERNAL', 'the delivery failed without a reason', { stage: 'reply', retryable: true })
