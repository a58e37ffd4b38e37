import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RequestLog } from '../../src/consumers/request-log.ts'
import { codec } from '../support/kafka.ts'
import { sendRequest } from '../support/send-request.ts'
import { topics, startedAt, to, failure, outcome, settle, historyOf } from '../support/settle-send.ts'

/** An earlier owner has begun the attempt and left no outcome. */
const begunEarlier = (log: RequestLog): void => {
  const { key, value } = log.begin('r-1', `${topics.sendRequests}/0/5`, '<m@x>')
  const record = { topic: 'state', partition: 0, offset: 0, timestamp: 0, headers: [] }
  log.replay({ ...record, key: Buffer.from(String(key)), value })
}

describe('SendMail', () => {
  it('settles a delivered mail with one result, its entry in the log, and its offset', async () => {
    const { result, topics: written, settlement } = await settle({})
    assert.deepEqual([result?.status, result?.attempt], ['DELIVERED', 1])
    assert.deepEqual(written, [topics.sendResults, 'state'])
    assert.deepEqual(settlement?.source, { topic: topics.sendRequests, offset: 5 })
  })

  it('keeps the Message-ID over all attempts, however its account is configured meanwhile', async () => {
    const first = await settle({ outcome: outcome('retry', [to('ann@example.com', 'DEFERRED', 450)]) })
    const history = historyOf(first.next) ?? assert.fail()
    const messageIdOf = () => '<other@y>'
    const second = await settle({ history, outbox: { messageIdOf }, request: { saveToFolder: 'Sent' } })
    const saved = await settle({ history: historyOf(second.next) ?? assert.fail(), outbox: { messageIdOf } })
    assert.deepEqual([second.result?.messageId, saved.calls], ['<m@x>', ['save']])
    assert.deepEqual([...second.messageIds, ...saved.messageIds], ['<m@x>', '<m@x>'])
    const gone = await settle({ history, outbox: null })
    assert.deepEqual([gone.result?.error?.code, gone.result?.messageId], ['REQUEST_ACCOUNT_UNKNOWN', '<m@x>'])
    const begun = await settle({ log: begunEarlier, request: { delivery: 'VERIFY' }, outbox: { messageIdOf } })
    assert.deepEqual([begun.result?.messageId, begun.messageIds], ['<m@x>', ['<m@x>']])
  })

  it('counts the age of a request from now where its producer gave it no time that can be', async () => {
    for (const timestamp of [-1, 0, startedAt / 1_000, startedAt * 1_000, startedAt + 1]) {
      const { result } = await settle({ record: { timestamp } })
      assert.deepEqual([result?.status, result?.requestedAt], ['DELIVERED', startedAt])
    }
    assert.equal((await settle({ record: { timestamp: startedAt - 86_400_001 } })).result?.status, 'EXPIRED')
  })

  it('tells what became of a request only once that is committed', async () => {
    const { events, eventsBefore } = await settle({ request: { id: 'r-1' } })
    assert.deepEqual([eventsBefore, events.map(({ type }) => type)], [0, ['MailSettled']])
    const prepare = () => Promise.reject(failure('REQUEST_INVALID', false))
    const refused = await settle({ outbox: { prepare } })
    assert.deepEqual(
      [refused.eventsBefore, refused.events.map(({ type }) => type)],
      [0, ['MailSettled', 'RecordDeadLettered']],
    )
    const { flow, job } = refused
    const before = refused.events.length
    const unreadable = flow.reject(job.record, failure('RECORD_UNDECODABLE', false))
    assert.equal(refused.events.length, before)
    unreadable.onCommitted?.()
    assert.equal(refused.events.at(-1)?.type, 'RecordDeadLettered')
  })

  it('ends a request whose retry record the broker may refuse as too large, should it', async () => {
    const deferred = outcome('retry', [to('a@x', 'ACCEPTED', 250), to('b@x', 'DEFERRED', 450)])
    const { next } = await settle({ outcome: deferred, request: { text: 'x'.repeat(70_000) } })
    const instead = next?.insteadWhenTooLarge ?? assert.fail()
    assert.equal(instead.topic, topics.sendResults)
    const result = await codec.decode('SendResult', instead.value)
    assert.deepEqual([result.status, result.attempt, result.error?.code], ['PARTIAL', 1, 'RECORD_TOO_LARGE'])
    assert.deepEqual(
      result.recipients.map(({ status }) => status),
      ['ACCEPTED', 'REJECTED'],
    )
    assert.equal((await settle({ outcome: deferred })).next?.insteadWhenTooLarge, undefined)
  })

  it('tells the answer without its recipients where the broker may refuse it with them', async () => {
    const many = Array.from({ length: 2_000 }, (_, index) =>
      to(`someone-with-a-long-name-${index}@example.com`, 'ACCEPTED', 250),
    )
    const { records } = await settle({ outcome: outcome('delivered', many) })
    const result = await codec.decode('SendResult', records[0]?.insteadWhenTooLarge?.value ?? null)
    assert.deepEqual([result.status, result.recipients], ['DELIVERED', []])
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

  it('takes no mail in the sent folder as a proof for one recipient where another has it from before', async () => {
    const unknown = outcome('indeterminate', [to('ann@example.com', 'DEFERRED', 250)], failure('SMTP_OUTCOME_UNKNOWN'))
    const { result, calls } = await settle({
      outcome: unknown,
      request: { delivery: 'VERIFY' },
      history: { isKnown: true, recipients: [to('bob@example.com', 'ACCEPTED', 250)] },
      outbox: { wasSent: async () => true },
    })
    assert.deepEqual([result?.status, calls], ['DEFERRED', ['begin', 'deliver']])
  })

  it('never repeats what an earlier worker began under AT_MOST_ONCE, and looks first under VERIFY', async () => {
    const most = await settle({ log: begunEarlier, request: { delivery: 'AT_MOST_ONCE' } })
    assert.deepEqual([most.result?.status, most.calls], ['INDETERMINATE', []])
    assert.deepEqual(
      most.result?.recipients.map(({ address, status }) => [address, status]),
      [['ann@example.com', 'DEFERRED']],
    )
    const verify = await settle({ log: begunEarlier, request: { delivery: 'VERIFY' } })
    assert.deepEqual([verify.result?.status, verify.calls], ['DELIVERED', ['look', 'begin', 'deliver']])
    const again = await settle({ request: { delivery: 'VERIFY' }, history: { isKnown: true, isInDoubt: true } })
    assert.deepEqual(again.calls, ['look', 'begin', 'deliver'])
  })

  it('writes nothing for what the stop of the process cut off', async () => {
    const cut = outcome('retry', [to('ann@example.com', 'DEFERRED')], failure('STOPPED'))
    assert.equal((await settle({ outcome: cut })).settlement, null)
  })

  it('takes back that a delivery began when the stop cut it off before anything was sent', async () => {
    const cut = outcome('retry', [to('ann@example.com', 'DEFERRED')], failure('STOPPED'))
    for (const delivery of ['AT_MOST_ONCE', 'VERIFY'] as const) {
      const { settlement, ahead } = await settle({ outcome: cut, request: { delivery } })
      assert.equal(settlement, null)
      assert.deepEqual(
        ahead.map(({ records: [record], source }) => [record?.key, record?.value === null, source]),
        [
          ['request:r-1', false, null],
          ['request:r-1', true, null],
        ],
      )
    }
    const known = await settle({ outcome: cut, request: { delivery: 'AT_MOST_ONCE' }, history: { isKnown: true } })
    assert.match(String(known.ahead[1]?.records[0]?.value), /"kind":"answered"/, 'its copies stay duplicates')
    const doubt = outcome('indeterminate', [to('ann@example.com', 'DEFERRED', 250)], failure('SMTP_OUTCOME_UNKNOWN'))
    const wasSent = () => Promise.reject(failure('STOPPED'))
    const unseen = await settle({ outcome: doubt, request: { delivery: 'VERIFY' }, outbox: { wasSent } })
    assert.deepEqual([unseen.settlement, unseen.ahead.length], [null, 1], 'what may have been sent stays begun')
  })

  it('saves a delivered mail in a step of its own, which never sends and leaves no result', async () => {
    const { next, result } = await settle({ request: { saveToFolder: 'Sent' } })
    assert.equal(result?.status, 'DELIVERED')
    assert.equal(next?.topic, 'mail.send.steps')
    const history = historyOf(next) ?? assert.fail()
    assert.deepEqual([history.toSave, history.messageId], [{ at: startedAt, token: 'token' }, '<m@x>'])
    const saved = await settle({ history, request: { saveToFolder: 'Sent' } })
    assert.deepEqual([saved.calls, saved.topics], [['save'], []])
    const save = () => Promise.reject(failure('IMAP_UNREACHABLE'))
    const unsaved = await settle({ history, request: { saveToFolder: 'Sent' }, outbox: { save } })
    assert.deepEqual([unsaved.result, unsaved.next?.topic], [null, 'retries.1m'])
    assert.deepEqual(
      unsaved.events.map((event) => [event.type, 'code' in event ? event.code : null]),
      [['MailNotSaved', 'IMAP_UNREACHABLE']],
    )
    const gone = await settle({ history, request: { saveToFolder: 'Sent' }, outbox: null })
    assert.deepEqual([gone.result, gone.topics], [null, ['retries.1m']], 'its account has gone; it has its result')
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
