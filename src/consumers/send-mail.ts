/**
 * What becomes of one send request, in the order of the guarantee:
 *
 * 1. decode; what can't be decoded is a dead letter
 * 2. answered before → DUPLICATE; past its end → EXPIRED; not due yet → it waits in a retry topic
 * 3. prepare (validate and compose); what is invalid is a dead letter and REJECTED
 * 4. under AT_MOST_ONCE and VERIFY: record that the delivery begins, before it does
 * 5. deliver; the outcome is one final result, or a DEFERRED one and a retry record
 * 6. after that, from a record of its own, put the mail into `saveToFolder`
 *
 * Everything that comes of a record is one settlement: result, retry record, dead letter, the entry of the request log
 * and the offset are committed together.
 */
import type { RecordCodec } from '../avro/codec.ts'
import type { RecipientResult } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import { partitionFor } from '../kafka/partition-for.ts'
import { sourceOf, type ConsumedRecord } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import type { DeliveryOutcome } from '../mail/smtp-outcome.ts'
import { acceptUnknown, finalStatus, mergeRecipients, settledAddresses, toSendError } from './build-send-result.ts'
import type { Outbox } from './outbox.ts'
import { beganBefore, expire, indeterminate, isOfRequest, refuse, unexplained, unknownAccount } from './refuse-send.ts'
import { endOf, scheduleRetry, scheduleStart, shortestWait } from './retry-schedule.ts'
import { firstHistory, readHistory, type MailSeed } from './send-history.ts'
import type { SendFlow, SendJob, SendTurn } from './send-partition.ts'
import type { SendVerdict, VerdictWriter } from './send-verdict.ts'

export interface SendMailDependencies {
  codec: RecordCodec
  verdicts: VerdictWriter
  /** Null: no such account, or it does not send. */
  outbox: (account: string) => Outbox | null
  sendRequestsTopic: string
  /** Of `sendRequestsTopic`. */
  partitionCount: number
  retry: Config['send']['retry']
  now: () => number
  randomToken: () => string
}

export class SendMail implements SendFlow {
  readonly #deps: SendMailDependencies

  constructor(deps: SendMailDependencies) {
    this.#deps = deps
  }

  async decode(record: ConsumedRecord): Promise<SendJob> {
    const history =
      record.topic === this.#deps.sendRequestsTopic ? firstHistory(record, this.#deps.now()) : readHistory(record)
    if (history === null) {
      const message = `this record of ${record.topic} is not Posthorn's own: its history header is missing or unreadable`
      throw new PosthornError('RECORD_UNRECOGNIZED', message, { stage: 'decode' })
    }
    return { record, request: await this.#deps.codec.decode('SendRequest', record.value), history }
  }

  dueAt(job: SendJob): number {
    const now = this.#deps.now()
    if (job.history.dueAt > now) return job.history.dueAt
    // Less than the shortest tier to wait: it waits here, without another trip through Kafka.
    return this.#start(job) === null ? (job.request.sendAt ?? 0) : 0
  }

  reject(record: ConsumedRecord, error: PosthornError): Settlement {
    return this.#deps.verdicts.reject(record, error)
  }

  /**
   * A request without a key may be in any partition. The one that its id hashes to knows whether the id was there before,
   * as a key does for the others.
   */
  handOn({ record, request, history }: SendJob): Settlement | null {
    if (record.key !== null || record.topic !== this.#deps.sendRequestsTopic) return null
    const partition = partitionFor(request.id, this.#deps.partitionCount)
    return partition === record.partition ? null : this.#deps.verdicts.handOn(record, partition, history)
  }

  postpone({ record, history }: SendJob): Settlement {
    const { retry, now, verdicts } = this.#deps
    return verdicts.postpone(record, shortestWait(now(), retry), history)
  }

  async settle(job: SendJob, turn: SendTurn): Promise<Settlement | null> {
    const verdict = await this.#decide(job, turn)
    return verdict === null ? null : this.#deps.verdicts.write(job, verdict, turn.log)
  }

  async #decide(taken: SendJob, turn: SendTurn): Promise<SendVerdict | null> {
    const { log } = turn
    const { record, request } = taken
    const outbox = this.#deps.outbox(request.account)
    const known = taken.history.messageId ?? log.begunAs(request.id, sourceOf(record))
    const messageId = known ?? outbox?.messageIdOf(request) ?? ''
    const history = { ...taken.history, messageId }
    const job = { ...taken, history }
    if (history.toSave !== null) return this.#save(job, outbox, messageId, history.toSave)
    if (outbox === null) return refuse(job, messageId, unknownAccount(request.account))
    const knownAs = history.isKnown ? null : log.knownAs(request.id, sourceOf(record))
    if (knownAs !== null) {
      return { kind: 'final', status: 'DUPLICATE', messageId: knownAs, recipients: [], attempt: 0, error: null }
    }
    if (this.#deps.now() > this.#endOf(job)) return expire(job, messageId)
    try {
      const next = this.#start(job) ?? this.#waitForRest(job)
      if (next !== null) {
        outbox.validate(request)
        return { kind: 'postponed', next, history: { ...history, isKnown: true }, messageId }
      }
      const pause = outbox.isPaused ? this.#waitForLogin(job, messageId) : null
      if (pause !== null) {
        outbox.validate(request)
        return pause
      }
      return await this.#attempt(job, outbox, messageId, turn)
    } catch (cause) {
      const error = toPosthornError(cause, 'compose')
      if (isOfRequest(error)) return refuse(job, messageId, error)
      return this.#retry(job, messageId, history.recipients, error)
    }
  }

  async #attempt(
    job: SendJob,
    outbox: Outbox,
    messageId: string,
    { log, writeAhead, signal }: SendTurn,
  ): Promise<SendVerdict | null> {
    const { record, request, history } = job
    const seed: MailSeed = { at: this.#deps.now(), token: this.#deps.randomToken() }
    const mail = await outbox.prepare(request, messageId, settledAddresses(history.recipients), seed)
    if (request.delivery === 'AT_LEAST_ONCE')
      return this.#conclude(job, outbox, messageId, await mail.deliver(signal), seed)
    const source = sourceOf(record)
    const wasBegun = log.begunAs(request.id, source) !== null
    const unknown = mergeRecipients(history.recipients, mail.recipients)
    if (wasBegun && request.delivery === 'AT_MOST_ONCE') return indeterminate(job, messageId, unknown, beganBefore())
    if (wasBegun || history.isInDoubt) {
      const found = await this.#findSent(job, outbox, messageId, unknown, seed)
      if (found !== 'absent') return found
    }
    await writeAhead({ records: [log.begin(request.id, source, messageId)], source: null })
    const outcome = await mail.deliver(signal)
    const verdict = await this.#conclude(withDoubt(job, false), outbox, messageId, outcome, seed)
    if (verdict === null && outcome.kind === 'retry') {
      // The process stops and no server has the mail: the next owner must not take it for begun.
      const before = history.isKnown ? log.answer(request.id, messageId) : log.forget(request.id)
      await writeAhead({ records: [before], source: null })
    }
    return verdict
  }

  async #conclude(
    job: SendJob,
    outbox: Outbox,
    messageId: string,
    outcome: DeliveryOutcome,
    seed: MailSeed,
  ): Promise<SendVerdict | null> {
    const recipients = mergeRecipients(job.history.recipients, outcome.recipients)
    switch (outcome.kind) {
      case 'delivered':
      case 'reject':
        return this.#delivered(job, messageId, recipients, seed, outcome)
      case 'retry': {
        const error = outcome.error ?? unexplained()
        // Found out while the mail was being written, and broken off. That it was begun must not make its id a known one.
        const tried = { ...job.history, recipients, isKnown: true }
        if (isOfRequest(error)) return refuse({ ...job, history: tried }, messageId, error)
        // The login went while the mail waited for a connection: no server has seen it.
        const pause = error.code === 'OAUTH_LOGIN_REQUIRED' ? this.#waitForLogin(job, messageId) : null
        return pause ?? this.#retry(job, messageId, recipients, error, outcome.accountFailure)
      }
      case 'indeterminate': {
        const error = outcome.error ?? unexplained()
        const { delivery } = job.request
        if (delivery === 'AT_MOST_ONCE') return indeterminate(job, messageId, recipients, error)
        if (delivery === 'AT_LEAST_ONCE') return this.#retry(job, messageId, recipients, error)
        const found = await this.#findSent(job, outbox, messageId, recipients, seed)
        return found === 'absent' ? this.#retry(withDoubt(job, true), messageId, recipients, error) : found
      }
      default:
        return outcome.kind satisfies never
    }
  }

  /** Decides under VERIFY about a delivery without a known outcome. */
  async #findSent(
    job: SendJob,
    outbox: Outbox,
    messageId: string,
    recipients: readonly RecipientResult[],
    seed: MailSeed,
  ): Promise<SendVerdict | null | 'absent'> {
    // Somebody has it from before, so that it was sent says nothing about the others.
    if (recipients.some(({ status }) => status === 'ACCEPTED')) return 'absent'
    try {
      if (!(await outbox.wasSent(messageId))) return 'absent'
      return this.#delivered(job, messageId, acceptUnknown(recipients), seed)
    } catch (cause) {
      return this.#retry(withDoubt(job, true), messageId, recipients, toPosthornError(cause, 'reply'))
    }
  }

  /** Every recipient is settled, but those whom an outcome in doubt has left open. */
  #delivered(
    job: SendJob,
    messageId: string,
    recipients: readonly RecipientResult[],
    seed: MailSeed,
    { error, serverMessageId }: Pick<DeliveryOutcome, 'error' | 'serverMessageId'> = {
      error: null,
      serverMessageId: null,
    },
  ): SendVerdict | null {
    if (recipients.some(({ status }) => status === 'DEFERRED')) {
      return this.#retry(job, messageId, recipients, error ?? unexplained())
    }
    const status = finalStatus(recipients)
    return {
      kind: 'final',
      status,
      messageId,
      recipients,
      attempt: job.history.attempts + 1,
      serverMessageId,
      error: status === 'DELIVERED' ? null : toSendError(error ?? unexplained()),
      toSave: status !== 'REJECTED' && job.request.saveToFolder !== null ? seed : null,
    }
  }

  /** Null where nothing is to be written: the process stops or has lost the partition, and nothing was attempted. */
  #retry(
    job: SendJob,
    messageId: string,
    recipients: readonly RecipientResult[],
    error: PosthornError,
    isAccountRefused = false,
  ): SendVerdict | null {
    if (error.code === 'STOPPED' || error.code === 'KAFKA_FENCED') return null
    const attempts = job.history.attempts + 1
    // A request does not age while its account is refused: whoever mends that finds everything still there.
    const end = isAccountRefused ? (job.request.expiresAt ?? Number.POSITIVE_INFINITY) : this.#endOf(job)
    const now = this.#deps.now()
    const next = scheduleRetry(attempts, now, end, this.#deps.retry)
    const pausedMs = (job.history.pausedMs ?? 0) + (isAccountRefused && next !== null ? next.dueAt - now : 0)
    const tried = { attempts, isKnown: true, recipients: [...recipients], error: toSendError(error) }
    const history = { ...job.history, ...tried, ...(pausedMs === 0 ? {} : { pausedMs }) }
    if (next === null) return expire({ ...job, history }, messageId)
    return { kind: 'deferred', next, history, messageId, error }
  }

  /** No attempt is made and the request does not age; null: its own `expiresAt` comes first. */
  #waitForLogin({ request: { expiresAt }, history }: SendJob, messageId: string): SendVerdict | null {
    const { now, retry } = this.#deps
    const next = shortestWait(now(), retry)
    if (expiresAt !== null && next.dueAt > expiresAt) return null
    const pausedMs = (history.pausedMs ?? 0) + next.tier.delayMs
    return { kind: 'postponed', next, history: { ...history, isKnown: true, pausedMs }, messageId }
  }

  /** The mail is delivered and has its result: whatever happens here, it is not sent again. */
  async #save(job: SendJob, outbox: Outbox | null, messageId: string, seed: MailSeed): Promise<SendVerdict | null> {
    const { now, retry } = this.#deps
    try {
      if (outbox === null) throw unknownAccount(job.request.account)
      await outbox.save(job.request, messageId, seed)
      return { kind: 'saved', error: null, next: null, history: job.history }
    } catch (cause) {
      const error = toPosthornError(cause, 'command')
      if (error.code === 'STOPPED') return null
      const history = { ...job.history, attempts: job.history.attempts + 1, error: toSendError(error) }
      const end = seed.at + retry.maxAgeMs
      return { kind: 'saved', error, next: scheduleRetry(history.attempts, now(), end, retry), history }
    }
  }

  #start({ request: { sendAt } }: SendJob) {
    return sendAt === null ? null : scheduleStart(sendAt, this.#deps.now(), this.#deps.retry)
  }

  /** Never too early: it became nearly due while it was in its lane. */
  #waitForRest({ request: { sendAt } }: SendJob) {
    const { now, retry } = this.#deps
    return sendAt !== null && sendAt > now() ? shortestWait(now(), retry) : null
  }

  #endOf({ request, history }: SendJob): number {
    // A request that asks for a later time has its whole age from then on.
    const from = Math.max(history.publishedAt, request.sendAt ?? 0) + (history.pausedMs ?? 0)
    return endOf(from, request.expiresAt, this.#deps.retry)
  }
}

const withDoubt = (job: SendJob, isInDoubt: boolean): SendJob => ({ ...job, history: { ...job.history, isInDoubt } })
