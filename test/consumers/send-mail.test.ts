import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RecipientResult, SendRequest } from '../../src/avro/records.ts'
import type { Outbox } from '../../src/consumers/outbox.ts'
import { RequestLog } from '../../src/consumers/request-log.ts'
import { firstHistory, readHistory, type SendHistory } from '../../src/consumers/send-history.ts'
import { SendMail } from '../../src/consumers/send-mail.ts'
import { VerdictWriter } from '../../src/consumers/send-verdict.ts'
import { PosthornError } from '../../src/errors.ts'
import type { PosthornEvent } from '../../src/events.ts'
import type { ConsumedRecord } from '../../src/kafka/records.ts'
import type { Settlement } from '../../src/kafka/settlement-batcher.ts'
import type { DeliveryOutcome } from '../../src/mail/smtp-outcome.ts'
import { codec } from '../support/kafka.ts'
import { sendRequest } from '../support/send-request.ts'

const topics = {
  sendRequests: 'mail.send.requests',
  sendResults: 'mail.send.results',
  deadLetters: 'mail.dead-letters',
}
const tiers = [
  { label: '1m', delayMs: 60_000, topic: 'retries.1m' },
  { label: '1h', delayMs: 3_600_000, topic: 'retries.1h' },
]
const startedAt = 1_000_000_000

const to = (address: string, status: RecipientResult['status'], responseCode: number | null = null) => ({
  address,
  status,
  responseCode,
  enhancedCode: null,
  response: null,
})
const failure = (code: PosthornError['code'], retryable = true) =>
  new PosthornError(code, 'it failed', { stage: 'reply', retryable })
const outcome = (kind: DeliveryOutcome['kind'], recipients: RecipientResult[], error = failure('SMTP_DEFERRED')) => ({
  kind,
  recipients,
  serverMessageId: null,
  error: kind === 'delivered' ? null : error,
  accountFailure: false,
})

interface Given {
  request?: Partial<SendRequest>
  history?: Partial<SendHistory>
  outbox?: Partial<Outbox> | null
  outcome?: DeliveryOutcome
  log?: (log: RequestLog) => void
  record?: Partial<ConsumedRecord>
}

const accepted = outcome('delivered', [to('ann@example.com', 'ACCEPTED', 250)])

const settle = async ({ request, history, outbox = {}, outcome: answer = accepted, log, record: place }: Given) => {
  const events: PosthornEvent[] = []
  const calls: string[] = []
  const except: string[][] = []
  const fake: Outbox = {
    isPaused: false,
    messageIdOf: () => '<m@x>',
    validate: () => undefined,
    prepare: async (_, settled) => {
      except.push([...settled])
      return {
        recipients: [to('ann@example.com', 'DEFERRED')],
        deliver: async () => {
          calls.push('deliver')
          return answer
        },
      }
    },
    wasSent: async () => {
      calls.push('look')
      return false
    },
    save: async () => void calls.push('save'),
    ...outbox,
  }
  const now = () => startedAt
  const flow = new SendMail({
    codec,
    verdicts: new VerdictWriter({ codec, topics, emit: (event) => events.push(event), now }),
    outbox: () => (outbox === null ? null : fake),
    sendRequestsTopic: topics.sendRequests,
    partitionCount: 4,
    retry: { tiers, maxAgeMs: 86_400_000 },
    now,
    randomToken: () => 'token',
  })
  const requestLog = new RequestLog({ stateTopic: 'state', partition: 0, windowMs: 1_000, maxIds: 10, now })
  log?.(requestLog)
  const record: ConsumedRecord = {
    topic: topics.sendRequests,
    partition: 0,
    offset: 5,
    timestamp: startedAt - 10,
    key: Buffer.from('k'),
    value: await codec.encode('SendRequest', sendRequest(request), topics.sendRequests),
    headers: [],
    ...place,
  }
  const job = { record, request: sendRequest(request), history: { ...firstHistory(record), ...history } }
  const ahead: Settlement[] = []
  const settlement = await flow.settle(job, requestLog, async (one) => {
    calls.push('begin')
    ahead.push(one)
  })
  const records = settlement?.records ?? []
  const [result] = records.filter(({ topic }) => topic === topics.sendResults)
  return {
    flow,
    job,
    settlement,
    calls,
    except,
    ahead,
    events,
    records,
    topics: records.map(({ topic }) => topic),
    result: result === undefined ? null : await codec.decode('SendResult', result.value),
    next: records.find(({ topic }) => topic.startsWith('retries') || topic.endsWith('.steps')) ?? null,
  }
}

const historyOf = (record: { headers?: ConsumedRecord['headers'] } | null) =>
  readHistory({ headers: record?.headers ?? [] } as unknown as ConsumedRecord)

describe('SendMail', () => {
  it('settles a delivered mail with one result, its entry in the log, and its offset', async () => {
    const { result, topics: written, settlement } = await settle({})
    assert.deepEqual([result?.status, result?.attempt], ['DELIVERED', 1])
    assert.deepEqual(written, [topics.sendResults, 'state'])
    assert.deepEqual(settlement?.source, { topic: topics.sendRequests, offset: 5 })
  })

  it('defers what may work later, with who is settled, and does not send to them again', async () => {
    const recipients = [to('a@x', 'ACCEPTED', 250), to('b@x', 'DEFERRED', 450), to('c@x', 'REJECTED', 550)]
    const first = await settle({ outcome: outcome('retry', recipients) })
    assert.deepEqual([first.result?.status, first.result?.nextAttemptAt], ['DEFERRED', startedAt + 60_000])
    assert.equal(first.next?.topic, 'retries.1m')
    const history = historyOf(first.next) ?? assert.fail()
    assert.deepEqual([history.attempts, history.isKnown, history.dueAt], [1, true, startedAt + 60_000])
    const second = await settle({ history, outcome: outcome('delivered', [to('b@x', 'ACCEPTED', 250)]) })
    assert.deepEqual(second.except, [['a@x', 'c@x']])
    assert.deepEqual([second.result?.status, second.result?.attempt], ['PARTIAL', 2])
    assert.equal(second.result?.recipients.length, 3)
  })

  it('expires with the last error; PARTIAL where somebody has it; attempt 0 where none was made', async () => {
    const history = {
      attempts: 3,
      publishedAt: startedAt - 86_400_001,
      error: { code: 'X', message: 'm', stage: null },
    }
    const expired = await settle({ history })
    assert.deepEqual(
      [expired.result?.status, expired.result?.attempt, expired.result?.error?.code],
      ['EXPIRED', 3, 'X'],
    )
    assert.deepEqual(expired.calls, [])
    const recipients = [to('a@x', 'ACCEPTED', 250), to('b@x', 'DEFERRED', 450)]
    const partial = await settle({ history: { ...history, recipients } })
    assert.equal(partial.result?.status, 'PARTIAL')
    assert.equal(partial.result?.recipients[1]?.status, 'REJECTED')
    const untried = await settle({ request: { expiresAt: startedAt - 1 } })
    assert.deepEqual([untried.result?.status, untried.result?.attempt], ['EXPIRED', 0])
  })

  it('lets no request age while its account is refused, unless it says itself when it expires', async () => {
    const refused = { ...outcome('retry', [to('ann@example.com', 'DEFERRED')]), accountFailure: true }
    const history = { publishedAt: startedAt - 86_400_000, attempts: 5, isKnown: true }
    const waiting = await settle({ history, outcome: refused })
    assert.deepEqual([waiting.result?.status, waiting.result?.attempt], ['DEFERRED', 6])
    assert.equal(historyOf(waiting.next)?.pausedMs, 3_600_000)
    const ending = await settle({ history, outcome: refused, request: { expiresAt: startedAt + 1 } })
    assert.equal(ending.result?.status, 'EXPIRED')
    assert.equal((await settle({ history, outcome: { ...refused, accountFailure: false } })).result?.status, 'EXPIRED')
  })

  it('answers a known id as DUPLICATE with its Message-ID, and not a retry of its own', async () => {
    const log = (known: RequestLog) => void known.answer('r-1', '<first@x>')
    const duplicate = await settle({ log })
    assert.deepEqual([duplicate.result?.status, duplicate.result?.messageId], ['DUPLICATE', '<first@x>'])
    assert.deepEqual([duplicate.calls, duplicate.topics], [[], [topics.sendResults]])
    assert.equal((await settle({ log, history: { isKnown: true } })).result?.status, 'DELIVERED')
  })

  it('rejects an invalid request into the dead letters as well, and leaves its id free', async () => {
    const prepare = () => Promise.reject(failure('REQUEST_INVALID', false))
    const { result, topics: written, records } = await settle({ outbox: { prepare } })
    assert.deepEqual([result?.status, written], ['REJECTED', [topics.sendResults, topics.deadLetters]])
    const attempts = records[1]?.headers?.find(({ name }) => name === 'dead-letter-attempts')
    assert.equal(attempts?.value.toString(), '1')
    const later = await settle({ outbox: { prepare }, history: { isKnown: true } })
    assert.deepEqual(later.topics, [topics.sendResults, topics.deadLetters, 'state'])
    assert.equal((await settle({ outbox: null })).result?.error?.code, 'REQUEST_ACCOUNT_UNKNOWN')
  })

  it('writes that a delivery begins before it does, where the mode has to know', async () => {
    for (const delivery of ['AT_MOST_ONCE', 'VERIFY'] as const) {
      const { calls, ahead } = await settle({ request: { delivery } })
      assert.deepEqual(calls, ['begin', 'deliver'])
      assert.equal(ahead[0]?.source, null)
    }
    assert.deepEqual((await settle({})).calls, ['deliver'])
  })

  it('decides about an unknown outcome as the mode says', async () => {
    const unknown = outcome('indeterminate', [to('ann@example.com', 'DEFERRED', 250)], failure('SMTP_OUTCOME_UNKNOWN'))
    const least = await settle({ outcome: unknown })
    assert.deepEqual([least.result?.status, historyOf(least.next)?.isInDoubt], ['DEFERRED', false])
    const most = await settle({ outcome: unknown, request: { delivery: 'AT_MOST_ONCE' } })
    assert.deepEqual([most.result?.status, most.next], ['INDETERMINATE', null])
    const found = await settle({
      outcome: unknown,
      request: { delivery: 'VERIFY' },
      outbox: { wasSent: async () => true },
    })
    assert.deepEqual([found.result?.status, found.result?.recipients[0]?.status], ['DELIVERED', 'ACCEPTED'])
    const absent = await settle({ outcome: unknown, request: { delivery: 'VERIFY' } })
    assert.deepEqual([absent.result?.status, historyOf(absent.next)?.isInDoubt], ['DEFERRED', true])
    const wasSent = () => Promise.reject(failure('IMAP_UNREACHABLE'))
    const unseen = await settle({ outcome: unknown, request: { delivery: 'VERIFY' }, outbox: { wasSent } })
    assert.deepEqual([unseen.result?.error?.code, historyOf(unseen.next)?.isInDoubt], ['IMAP_UNREACHABLE', true])
  })

  it('never repeats what an earlier worker began under AT_MOST_ONCE, and looks first under VERIFY', async () => {
    const replayed = (log: RequestLog) => {
      const { key, value } = log.begin('r-1', `${topics.sendRequests}/0/5`, '<m@x>')
      const record = { topic: 'state', partition: 0, offset: 0, timestamp: 0, headers: [] }
      log.replay({ ...record, key: Buffer.from(String(key)), value })
    }
    const most = await settle({ log: replayed, request: { delivery: 'AT_MOST_ONCE' } })
    assert.deepEqual([most.result?.status, most.calls], ['INDETERMINATE', []])
    assert.deepEqual(
      most.result?.recipients.map(({ address, status }) => [address, status]),
      [['ann@example.com', 'DEFERRED']],
    )
    const verify = await settle({ log: replayed, request: { delivery: 'VERIFY' } })
    assert.deepEqual([verify.result?.status, verify.calls], ['DELIVERED', ['look', 'begin', 'deliver']])
    const again = await settle({ request: { delivery: 'VERIFY' }, history: { isKnown: true, isInDoubt: true } })
    assert.deepEqual(again.calls, ['look', 'begin', 'deliver'])
  })

  it('writes nothing for what the stop of the process cut off', async () => {
    const cut = outcome('retry', [to('ann@example.com', 'DEFERRED')], failure('STOPPED'))
    assert.equal((await settle({ outcome: cut })).settlement, null)
  })

  it('saves a delivered mail in a step of its own, which never sends and leaves no result', async () => {
    const { next, result } = await settle({ request: { saveToFolder: 'Sent' } })
    assert.equal(result?.status, 'DELIVERED')
    assert.equal(next?.topic, 'mail.send.steps')
    const history = historyOf(next) ?? assert.fail()
    assert.deepEqual(history.toSave, { at: startedAt, token: 'token' })
    const saved = await settle({ history, request: { saveToFolder: 'Sent' } })
    assert.deepEqual([saved.calls, saved.topics], [['save'], []])
    const save = () => Promise.reject(failure('IMAP_UNREACHABLE'))
    const unsaved = await settle({ history, request: { saveToFolder: 'Sent' }, outbox: { save } })
    assert.deepEqual([unsaved.result, unsaved.next?.topic], [null, 'retries.1m'])
    assert.deepEqual(
      unsaved.events.map((event) => [event.type, 'code' in event ? event.code : null]),
      [['MailNotSaved', 'IMAP_UNREACHABLE']],
    )
  })

  it('waits for sendAt in a retry topic without a result, validated and known, and never sends too early', async () => {
    const { result, next, topics: written } = await settle({ request: { sendAt: startedAt + 120_000 } })
    assert.deepEqual([result, next?.topic, written], [null, 'retries.1m', ['retries.1m', 'state']])
    const late = await settle({ request: { sendAt: startedAt + 500 } })
    assert.deepEqual([late.calls, late.next?.topic], [[], 'retries.1m'])
    const { flow, job } = late
    assert.equal(flow.dueAt(job), startedAt + 500)
    const validate = () => {
      throw failure('REQUEST_INVALID', false)
    }
    const invalid = await settle({ request: { sendAt: startedAt + 120_000 }, outbox: { validate } })
    assert.equal(invalid.result?.status, 'REJECTED')
  })

  it('hands a request without a key to the partition of its id, and no other', async () => {
    const { flow, job } = await settle({})
    assert.equal(flow.handOn(job), null)
    const places = ['r-1', 'r-2', 'r-3', 'r-4', 'r-5'].map((id) => {
      const keyless = { ...job, record: { ...job.record, key: null }, request: sendRequest({ id }) }
      const [moved] = flow.handOn(keyless)?.records ?? []
      assert.ok(moved === undefined || moved.topic === 'mail.send.steps')
      return moved?.partition ?? 0
    })
    assert.ok(new Set(places).size > 1)
    const step = { ...job, record: { ...job.record, key: null, topic: 'mail.send.steps' } }
    assert.equal(flow.handOn(step), null, 'once')
  })
})
