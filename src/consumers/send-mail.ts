/**
 * What becomes of one send request, in the order of the guarantee:
 *
 * 1. decode; what can't be decoded is a dead letter
 * 2. answered before → DUPLICATE; past its end → EXPIRED; not due yet → it waits in a retry topic
 * 3. prepare (validate and compose); what is invalid is a dead letter and REJECTED
 * 4. under AT_MOST_ONCE: record that the delivery begins, before it does
 * 5. deliver; the outcome is one final result, or a DEFERRED one and a retry record
 *
 * Everything that comes of a record is one settlement: result, retry record, dead letter, the entry of the request log
 * and the offset are committed together.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { RecipientResult, SendRequest } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import { sourceOf, type ConsumedRecord } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import type { DeliveryOutcome } from '../mail/smtp-outcome.ts'
import { closeRecipients, finalStatus, mergeRecipients, toSendError } from './build-send-result.ts'
import type { RequestLog } from './request-log.ts'
import { endOf, scheduleRetry, scheduleStart, type NextAttempt } from './retry-schedule.ts'
import { firstHistory, readHistory } from './send-history.ts'
import type { SendFlow, SendJob, WriteAhead } from './send-partition.ts'
import type { SendVerdict, VerdictWriter } from './send-verdict.ts'

/** A request that is ready to go. */
export interface PreparedMail {
  deliver(): Promise<DeliveryOutcome>
}

/** The sending side of an account. */
export interface Outbox {
  /** The Message-ID that every attempt at this request has. */
  messageIdOf(request: SendRequest): string
  /**
   * @param except bare addresses that are settled already and must not get the mail again
   * @throws PosthornError `REQUEST_*`, or a retryable one when something that the mail needs can't be reached now
   */
  prepare(request: SendRequest, except: ReadonlySet<string>): Promise<PreparedMail>
}

export interface SendMailDependencies {
  codec: RecordCodec
  verdicts: VerdictWriter
  /** Null: no such account, or it does not send. */
  outbox: (account: string) => Outbox | null
  sendRequestsTopic: string
  retry: Config['send']['retry']
  now: () => number
}

export class SendMail implements SendFlow {
  readonly #deps: SendMailDependencies

  constructor(deps: SendMailDependencies) {
    this.#deps = deps
  }

  async decode(record: ConsumedRecord): Promise<SendJob> {
    const history = record.topic === this.#deps.sendRequestsTopic ? firstHistory(record) : readHistory(record)
    if (history === null) {
      const message = `this record of ${record.topic} is not Posthorn's own: its history header is missing or unreadable`
      throw new PosthornError('RECORD_UNRECOGNIZED', message, { stage: 'decode' })
    }
    const request = await this.#deps.codec.decode('SendRequest', record.value)
    const sendAt = request.sendAt ?? 0
    // Less than the shortest tier to wait: it waits here, without another trip through Kafka.
    const waitsHere = sendAt > history.dueAt && this.#start(request) === null
    return { record, request, history: waitsHere ? { ...history, dueAt: sendAt } : history }
  }

  reject(record: ConsumedRecord, error: PosthornError): Settlement {
    const { topic, offset } = record
    return { records: [this.#deps.verdicts.deadLetter(record, error, 1)], source: { topic, offset } }
  }

  async settle(job: SendJob, log: RequestLog, writeAhead: WriteAhead): Promise<Settlement> {
    return this.#deps.verdicts.write(job, await this.#decide(job, log, writeAhead), log)
  }

  async #decide(job: SendJob, log: RequestLog, writeAhead: WriteAhead): Promise<SendVerdict> {
    const { record, request, history } = job
    const outbox = this.#deps.outbox(request.account)
    if (outbox === null) return refuse(job, '', unknownAccount(request.account))
    const messageId = outbox.messageIdOf(request)
    const answeredAs = record.topic === this.#deps.sendRequestsTopic ? log.answeredAs(request.id) : null
    if (answeredAs !== null) {
      return { kind: 'final', status: 'DUPLICATE', messageId: answeredAs, recipients: [], attempt: 0, error: null }
    }
    if (this.#deps.now() > this.#endOf(job)) return expire(job, messageId, history.settled)
    const next = this.#start(request)
    if (next !== null) return { kind: 'postponed', next, history }
    try {
      const mail = await outbox.prepare(request, new Set(history.settled.map(({ address }) => address)))
      if (request.delivery === 'AT_MOST_ONCE') {
        if (log.wasBegun(request.id, sourceOf(record))) return indeterminate(job, messageId, [], beganBefore())
        await writeAhead({ records: [log.begin(request.id, sourceOf(record))], source: null })
      }
      return this.#conclude(job, messageId, await mail.deliver())
    } catch (cause) {
      const error = toPosthornError(cause, 'compose')
      if (isOfRequest(error)) return refuse(job, messageId, error)
      return this.#retry(job, messageId, history.settled, error)
    }
  }

  #conclude(job: SendJob, messageId: string, outcome: DeliveryOutcome): SendVerdict {
    const { request, history } = job
    const { serverMessageId } = outcome
    const recipients = mergeRecipients(history.settled, outcome.recipients)
    const attempt = history.attempts + 1
    switch (outcome.kind) {
      case 'delivered':
      case 'reject': {
        const status = finalStatus(recipients)
        const reason = status === 'DELIVERED' ? null : toSendError(outcome.error ?? unexplained())
        return { kind: 'final', status, messageId, recipients, attempt, serverMessageId, error: reason }
      }
      case 'retry':
        return this.#retry(job, messageId, recipients, outcome.error ?? unexplained())
      case 'indeterminate': {
        const error = outcome.error ?? unexplained()
        if (request.delivery === 'AT_MOST_ONCE') return indeterminate(job, messageId, recipients, error)
        return this.#retry(job, messageId, recipients, error)
      }
      default:
        return outcome.kind satisfies never
    }
  }

  #retry(job: SendJob, messageId: string, recipients: readonly RecipientResult[], error: PosthornError): SendVerdict {
    const attempts = job.history.attempts + 1
    const next = scheduleRetry(attempts, this.#deps.now(), this.#endOf(job), this.#deps.retry)
    const settled = recipients.filter(({ status }) => status !== 'DEFERRED')
    const history = { ...job.history, attempts, settled, error: toSendError(error) }
    if (next === null) return expire({ ...job, history }, messageId, recipients)
    return { kind: 'deferred', next, history, messageId, recipients, error }
  }

  #start({ sendAt }: SendRequest): NextAttempt | null {
    return sendAt === null ? null : scheduleStart(sendAt, this.#deps.now(), this.#deps.retry)
  }

  #endOf({ request, history }: SendJob): number {
    // A request that asks for a later time has its whole age from then on.
    const from = Math.max(history.publishedAt, request.sendAt ?? 0)
    return endOf(from, request.expiresAt, this.#deps.retry)
  }
}

/** A failure that another try would meet again. What is wrong with the object store is not the request's fault. */
const isOfRequest = ({ code }: PosthornError): boolean =>
  code.startsWith('REQUEST_') || code === 'STORAGE_OBJECT_MISSING' || code === 'STORAGE_BUCKET_NOT_ALLOWED'

const refuse = (job: SendJob, messageId: string, error: PosthornError): SendVerdict => ({
  kind: 'final',
  status: 'REJECTED',
  messageId,
  recipients: job.history.settled,
  attempt: job.history.attempts,
  error: toSendError(error),
  invalid: error,
})

const indeterminate = (
  { history }: SendJob,
  messageId: string,
  recipients: readonly RecipientResult[],
  error: PosthornError,
): SendVerdict => ({
  kind: 'final',
  status: 'INDETERMINATE',
  messageId,
  recipients,
  attempt: history.attempts + 1,
  error: toSendError(error),
})

/** With the last error. Where some were accepted before the time was over, PARTIAL tells more than EXPIRED. */
const expire = ({ history }: SendJob, messageId: string, recipients: readonly RecipientResult[]): SendVerdict => {
  const closed = closeRecipients(recipients)
  const status = closed.some((recipient) => recipient.status === 'ACCEPTED') ? 'PARTIAL' : 'EXPIRED'
  const error = history.error ?? toSendError(expiredUntried())
  return { kind: 'final', status, messageId, recipients: closed, attempt: history.attempts, error }
}

const expiredUntried = (): PosthornError =>
  new PosthornError('REQUEST_EXPIRED', 'the request was past its end before it could be tried', { stage: 'validate' })

const unknownAccount = (account: string): PosthornError =>
  new PosthornError('REQUEST_ACCOUNT_UNKNOWN', `no account ${JSON.stringify(account)} that sends is configured`, {
    stage: 'validate',
    action: 'Add it under accounts with an smtp block, or correct the request.',
  })

const beganBefore = (): PosthornError =>
  new PosthornError('SMTP_OUTCOME_UNKNOWN', 'an earlier worker began this delivery and left no outcome', {
    stage: 'reply',
  })

const unexplained = (): PosthornError =>
  new PosthornError('INTERNAL', 'the delivery failed without a reason', { stage: 'reply', retryable: true })
