/** What was decided about a send request, and the records that say so. */
import type { RecordCodec } from '../avro/codec.ts'
import type { RecipientResult, SendError, SendStatus } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { Emit, PosthornEvent } from '../events.ts'
import { buildDeadLetter } from '../kafka/dead-letter.ts'
import { sizeOf, sourceOf, type ConsumedRecord, type OutgoingRecord } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import { sendStepsTopic } from '../config/derived-topics.ts'
import { buildSendResult, closeRecipients, finalStatus, toSendError, type ResultFacts } from './build-send-result.ts'
import type { RequestLog } from './request-log.ts'
import type { NextAttempt } from './retry-schedule.ts'
import { historyHeaders, withoutHistory, type MailSeed, type SendHistory } from './send-history.ts'
import type { SendJob } from './send-partition.ts'

/** The one final result. */
export interface FinalVerdict {
  kind: 'final'
  status: Exclude<SendStatus, 'DEFERRED'>
  messageId: string
  recipients: readonly RecipientResult[]
  attempt: number
  serverMessageId?: string | null
  error: SendError | null
  /** Why the request is a dead letter as well; its id stays free. */
  invalid?: PosthornError
  /** The mail is to be saved in a folder. */
  toSave?: MailSeed | null
}

export type SendVerdict =
  | FinalVerdict
  /** Another attempt: a DEFERRED result and a retry record. */
  | { kind: 'deferred'; next: NextAttempt; history: SendHistory; messageId: string; error: PosthornError }
  /** Not due yet: a retry record without a result. */
  | { kind: 'postponed'; next: NextAttempt; history: SendHistory; messageId: string }
  /** Was delivered before, and the try to save it is over. `next`: when it is tried again. */
  | { kind: 'saved'; error: PosthornError | null; next: NextAttempt | null; history: SendHistory }

/** Those after which the request is met again. */
type WaitingVerdict = Extract<SendVerdict, { kind: 'deferred' | 'postponed' }>

export interface VerdictDependencies {
  codec: RecordCodec
  topics: Pick<Config['kafka']['topics'], 'sendRequests' | 'sendResults' | 'deadLetters'>
  emit: Emit
  now: () => number
}

/** Bytes that fit into any topic: the smallest `max.message.bytes` that is of use is larger by far. */
const surelyFits = 64 * 1024

/** W3C Trace Context: what a result carries on from its request. */
const traceHeaders = new Set(['traceparent', 'tracestate'])

export class VerdictWriter {
  readonly #deps: VerdictDependencies

  constructor(deps: VerdictDependencies) {
    this.#deps = deps
  }

  async write(job: SendJob, verdict: SendVerdict, log: RequestLog): Promise<Settlement> {
    const events: PosthornEvent[] = []
    const records = await this.#records(job, verdict, log, (event) => events.push(event))
    return { ...settling(job.record, records), onCommitted: () => events.map(this.#deps.emit) }
  }

  /** A record of which no request can be made. */
  reject(record: ConsumedRecord, error: PosthornError): Settlement {
    const events: PosthornEvent[] = []
    const letter = this.#deadLetter(record, error, 1, (event) => events.push(event))
    return { ...settling(record, [letter]), onCommitted: () => events.map(this.#deps.emit) }
  }

  /** The request goes on in another partition, as if it had come there. */
  handOn(record: ConsumedRecord, partition: number, history: SendHistory): Settlement {
    return settling(record, [this.#stepRecord(record, partition, history)])
  }

  /** The request waits without an attempt and without a word. */
  postpone(record: ConsumedRecord, next: NextAttempt, history: SendHistory): Settlement {
    return settling(record, [this.#retryRecord(record, next, history)])
  }

  #deadLetter(record: ConsumedRecord, error: PosthornError, attempts: number, tell: Emit): OutgoingRecord {
    const { topics, now } = this.#deps
    tell({ type: 'RecordDeadLettered', source: sourceOf(record), code: error.code, message: error.message })
    const source = { ...record, headers: withoutHistory(record.headers) }
    return buildDeadLetter(source, error, { topic: topics.deadLetters, attempts, at: now() })
  }

  async #records(job: SendJob, verdict: SendVerdict, log: RequestLog, tell: Emit): Promise<OutgoingRecord[]> {
    const { record, request } = job
    switch (verdict.kind) {
      case 'final':
        return this.#finalRecords(job, verdict, log, tell)
      case 'deferred': {
        const { messageId, error, next, history } = verdict
        const { recipients, attempts: attempt } = history
        const facts = { status: 'DEFERRED', messageId, recipients, attempt } as const
        const deferred = { ...facts, nextAttemptAt: next.dueAt, error: toSendError(error) }
        const result = await this.#result(job, deferred, tell)
        return [result, await this.#fittingRetry(job, verdict), log.answer(request.id, messageId)]
      }
      case 'postponed': {
        return [await this.#fittingRetry(job, verdict), log.answer(request.id, verdict.messageId)]
      }
      case 'saved': {
        const { error, next, history } = verdict
        if (error !== null) this.#reportUnsaved(job, error, next, tell)
        return next === null ? [] : [this.#retryRecord(record, next, history)]
      }
      default:
        return verdict satisfies never
    }
  }

  async #finalRecords(job: SendJob, verdict: FinalVerdict, log: RequestLog, tell: Emit): Promise<OutgoingRecord[]> {
    const { record, request, history } = job
    const { status, messageId, invalid, toSave = null } = verdict
    const result = await this.#result(job, verdict, tell)
    if (invalid !== undefined) {
      const refused = [result, this.#deadLetter(record, invalid, history.attempts + 1, tell)]
      return history.isKnown && status === 'REJECTED' ? [...refused, log.forget(request.id)] : refused
    }
    if (status === 'DUPLICATE') return [result]
    const answered = [result, log.answer(request.id, messageId)]
    if (toSave === null) return answered
    return [
      ...answered,
      this.#stepRecord(record, record.partition, { ...history, messageId, attempts: 0, isKnown: true, toSave }),
    ]
  }

  async #result(
    { record, request, history }: SendJob,
    facts: Omit<ResultFacts, 'completedAt'>,
    tell: Emit,
  ): Promise<OutgoingRecord> {
    const { codec, topics, now } = this.#deps
    const result = buildSendResult(request, history, { ...facts, completedAt: now() })
    const { account, id, status, attempt, error } = result
    tell({ type: 'MailSettled', account, id, status, attempt, code: error?.code ?? null })
    const value = await codec.encode('SendResult', result, topics.sendResults)
    const headers = record.headers.filter(({ name }) => traceHeaders.has(name))
    const written = { topic: topics.sendResults, key: request.id, value, headers }
    if (value.length <= surelyFits || result.recipients.length === 0) return written
    const short = await codec.encode('SendResult', { ...result, recipients: [] }, topics.sendResults)
    return { ...written, insteadWhenTooLarge: { ...written, value: short } }
  }

  /** Where the broker refuses the retry record as too large, the request ends here: it must not go without a final result. */
  async #fittingRetry(job: SendJob, verdict: WaitingVerdict): Promise<OutgoingRecord> {
    const { next, history, messageId } = verdict
    const retry = this.#retryRecord(job.record, next, history)
    if (sizeOf(retry) <= surelyFits) return retry
    const tooLarge = new PosthornError('RECORD_TOO_LARGE', `the request does not fit into ${next.tier.topic}`, {
      stage: 'publish',
    })
    const facts = { messageId, attempt: history.attempts, error: toSendError(tooLarge) }
    const recipients = closeRecipients(history.recipients)
    const status = finalStatus(recipients) === 'PARTIAL' ? 'PARTIAL' : 'REJECTED'
    return { ...retry, insteadWhenTooLarge: await this.#result(job, { ...facts, status, recipients }, () => undefined) }
  }

  #reportUnsaved({ request }: SendJob, { code, message }: PosthornError, next: NextAttempt | null, tell: Emit): void {
    const { now } = this.#deps
    const { account, id, saveToFolder } = request
    const retryInMs = next === null ? null : next.dueAt - now()
    tell({ type: 'MailNotSaved', account, id, folder: saveToFolder ?? '', code, message, retryInMs })
  }

  #stepRecord(record: ConsumedRecord, partition: number, history: SendHistory): OutgoingRecord {
    const { key, value } = record
    const headers = historyHeaders(record, { ...history, dueAt: 0 })
    return { topic: sendStepsTopic(this.#deps.topics), partition, key, value, headers }
  }

  #retryRecord(record: ConsumedRecord, { tier, dueAt }: NextAttempt, history: SendHistory): OutgoingRecord {
    const { partition, key, value } = record
    return { topic: tier.topic, partition, key, value, headers: historyHeaders(record, { ...history, dueAt }) }
  }
}

const settling = ({ topic, offset }: ConsumedRecord, records: OutgoingRecord[]): Settlement => ({
  records,
  source: { topic, offset },
})
