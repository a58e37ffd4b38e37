/** What was decided about a send request, and the records that say so. */
import type { RecordCodec } from '../avro/codec.ts'
import type { RecipientResult, SendError, SendStatus } from '../avro/records.ts'
import type { Config } from '../config/config.ts'
import type { PosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { buildDeadLetter } from '../kafka/dead-letter.ts'
import { sourceOf, type ConsumedRecord, type OutgoingRecord } from '../kafka/records.ts'
import type { Settlement } from '../kafka/settlement-batcher.ts'
import { buildSendResult, toSendError, type ResultFacts } from './build-send-result.ts'
import type { RequestLog } from './request-log.ts'
import type { NextAttempt } from './retry-schedule.ts'
import { historyHeaders, withoutHistory, type SendHistory } from './send-history.ts'
import type { SendJob } from './send-partition.ts'

export type SendVerdict =
  /** The one final result. `invalid`: why the request is a dead letter as well; its id stays free. */
  | {
      kind: 'final'
      status: Exclude<SendStatus, 'DEFERRED'>
      messageId: string
      recipients: readonly RecipientResult[]
      attempt: number
      serverMessageId?: string | null
      error: SendError | null
      invalid?: PosthornError
    }
  /** Another attempt: a DEFERRED result and a retry record. */
  | {
      kind: 'deferred'
      next: NextAttempt
      history: SendHistory
      messageId: string
      recipients: readonly RecipientResult[]
      error: PosthornError
    }
  /** Not due yet: a retry record without a result. */
  | { kind: 'postponed'; next: NextAttempt; history: SendHistory }

export interface VerdictDependencies {
  codec: RecordCodec
  topics: Config['kafka']['topics']
  emit: Emit
  now: () => number
}

export class VerdictWriter {
  readonly #deps: VerdictDependencies

  constructor(deps: VerdictDependencies) {
    this.#deps = deps
  }

  async write(job: SendJob, verdict: SendVerdict, log: RequestLog): Promise<Settlement> {
    const { topic, offset } = job.record
    return { records: await this.#records(job, verdict, log), source: { topic, offset } }
  }

  deadLetter(record: ConsumedRecord, error: PosthornError, attempts: number): OutgoingRecord {
    const { topics, emit, now } = this.#deps
    emit({ type: 'RecordDeadLettered', source: sourceOf(record), code: error.code, message: error.message })
    const source = { ...record, headers: withoutHistory(record.headers) }
    return buildDeadLetter(source, error, { topic: topics.deadLetters, attempts, at: now() })
  }

  async #records(job: SendJob, verdict: SendVerdict, log: RequestLog): Promise<OutgoingRecord[]> {
    const { record, request } = job
    switch (verdict.kind) {
      case 'final': {
        const { status, messageId, attempt, invalid } = verdict
        const result = await this.#result(job, verdict)
        if (invalid !== undefined) return [result, this.deadLetter(record, invalid, attempt)]
        return status === 'DUPLICATE' ? [result] : [result, log.answer(request.id, messageId)]
      }
      case 'deferred': {
        const { messageId, recipients, error, next, history } = verdict
        const facts = { status: 'DEFERRED', messageId, recipients, attempt: history.attempts } as const
        const result = await this.#result(job, { ...facts, nextAttemptAt: next.dueAt, error: toSendError(error) })
        return [result, this.#retryRecord(job, next, history), log.answer(request.id, messageId)]
      }
      case 'postponed':
        return [this.#retryRecord(job, verdict.next, verdict.history)]
      default:
        return verdict satisfies never
    }
  }

  async #result({ request, history }: SendJob, facts: Omit<ResultFacts, 'completedAt'>): Promise<OutgoingRecord> {
    const { codec, topics, emit, now } = this.#deps
    const result = buildSendResult(request, history, { ...facts, completedAt: now() })
    const { account, id, status, attempt, error } = result
    emit({ type: 'MailSettled', account, id, status, attempt, code: error?.code ?? null })
    return {
      topic: topics.sendResults,
      key: request.id,
      value: await codec.encode('SendResult', result, topics.sendResults),
    }
  }

  #retryRecord({ record }: SendJob, { tier, dueAt }: NextAttempt, history: SendHistory): OutgoingRecord {
    const headers = historyHeaders(record, { ...history, dueAt })
    return { topic: tier.topic, partition: record.partition, key: record.key, value: record.value, headers }
  }
}
