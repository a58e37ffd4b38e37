/** Each status of a send result, from a worker on a real broker and an SMTP server that says exactly what is wanted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Script } from '../support/smtp-script-server.ts'
import { ofRequest, startSending } from '../support/sending.ts'

/** The recipient says what happens: `<word>@…`. */
const script: Script = ({ step, line }) => {
  if (step === 'RCPT' && line.includes('reject')) return { reply: '550 5.1.1 no such user' }
  if (step === 'RCPT' && line.includes('later')) return { reply: '450 4.2.0 greylisted' }
  return undefined
}

test('DELIVERED, REJECTED, PARTIAL, DUPLICATE and EXPIRED each come once, with what the server said', async (t) => {
  const sending = await startSending(t, {
    script,
    settings: { send: { retry: { tiers: ['1s', '1m'], maxAge: '30s' } } },
  })
  const worker = await sending.startWorker()
  const expiresAt = Date.now() - 1_000
  await sending.send(
    { id: 'delivered', tags: { order: '7' } },
    { id: 'rejected', to: ['reject@example.com'] },
    { id: 'partial', to: ['ann@example.com', 'reject@example.com'] },
    { id: 'expired', to: ['later@example.com'] },
    { id: 'late', expiresAt },
    { id: 'mixed', to: ['ann@example.com'], cc: ['later@example.com'] },
  )
  const before = await sending.results(8)
  await sending.send({ id: 'delivered' })
  const results = await sending.results(9)
  assert.equal(before.length, 8)

  const [delivered, duplicate] = ofRequest(results, 'delivered')
  assert.ok(delivered && duplicate)
  assert.equal(delivered.status, 'DELIVERED')
  assert.equal(delivered.attempt, 1)
  assert.equal(delivered.error, null)
  assert.equal(delivered.serverMessageId, 'Q1')
  assert.deepEqual(delivered.tags, { order: '7' })
  assert.deepEqual(delivered.recipients, [
    {
      address: 'ann@example.com',
      status: 'ACCEPTED',
      responseCode: 250,
      enhancedCode: '2.0.0',
      response: 'Ok: queued as Q1',
    },
  ])
  assert.equal(duplicate.status, 'DUPLICATE')
  assert.equal(duplicate.messageId, delivered.messageId)

  const [rejected] = ofRequest(results, 'rejected')
  assert.equal(rejected?.status, 'REJECTED')
  assert.equal(rejected?.error?.code, 'SMTP_REJECTED')
  assert.equal(rejected?.recipients[0]?.responseCode, 550)

  const [partial] = ofRequest(results, 'partial')
  assert.equal(partial?.status, 'PARTIAL')
  assert.deepEqual(
    partial?.recipients.map(({ status }) => status),
    ['ACCEPTED', 'REJECTED'],
  )

  const [first, expired, ...none] = ofRequest(results, 'expired')
  assert.ok(first && expired)
  assert.deepEqual(none, [])
  assert.deepEqual([first.status, first.attempt, first.error?.code], ['DEFERRED', 1, 'SMTP_DEFERRED'])
  assert.ok((first.nextAttemptAt ?? 0) > first.completedAt)
  assert.deepEqual([expired.status, expired.attempt, expired.error?.code], ['EXPIRED', 2, 'SMTP_DEFERRED'])
  assert.equal(expired.nextAttemptAt, null)

  const [late] = ofRequest(results, 'late')
  assert.deepEqual([late?.status, late?.attempt, late?.error?.code], ['EXPIRED', 0, 'REQUEST_EXPIRED'])

  const [open, closed] = ofRequest(results, 'mixed')
  assert.equal(open?.status, 'DEFERRED')
  assert.equal(closed?.status, 'PARTIAL', 'somebody has it, and somebody never will')
  const toAnn = sending.server.mails.filter(({ rcpt }) => rcpt.some((line) => line.includes('ann@')))
  assert.equal(toAnn.length, 3, 'who has the mail is not sent it again')

  assert.equal(await worker.stop(), 0)
  assert.equal((await sending.allResults()).length, 9)
})
