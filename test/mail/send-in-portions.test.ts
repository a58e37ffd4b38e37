import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sendInPortions } from '../../src/mail/send-in-portions.ts'
import { SmtpSender } from '../../src/mail/smtp-sender.ts'
import { mailTo, senderDependencies, senderOptions } from '../support/smtp-mail.ts'
import { startScriptServer, type Script } from '../support/smtp-script-server.ts'

const addresses = Array.from({ length: 1_000 }, (_, index) => `n-${index}@example.com`)

/** Takes so many recipients in one transaction. */
const atMost = (most: number, reply: string): Script => {
  let taken = 0
  return ({ step }) => {
    if (step === 'MAIL') taken = 0
    return step === 'RCPT' && (taken += 1) > most ? { reply } : undefined
  }
}

describe('a mail to more recipients than a server takes at once', { concurrency: 3 }, () => {
  for (const reply of ['452 4.5.3 too many recipients', '452 too many recipients', '552 5.5.3 too many']) {
    void it(`goes to all 1,000 in portions after ${JSON.stringify(reply)}`, async (t) => {
      const server = await startScriptServer(t, { script: atMost(100, reply) })
      const sender = new SmtpSender(senderOptions(server.port), senderDependencies())
      t.after(() => sender.close({ graceMs: 0 }))
      const outcome = await sendInPortions(mailTo({ to: addresses }), (mail) => sender.send(mail))
      assert.deepEqual([outcome.kind, outcome.error], ['delivered', null])
      assert.deepEqual(
        outcome.recipients.map(({ address, status }) => [address, status]),
        addresses.map((address) => [address, 'ACCEPTED']),
      )
      assert.equal(server.mails.length, 10)
      const sentTo = server.mails.flatMap(({ rcpt }) => rcpt.map((line) => /<(.*)>/.exec(line)?.[1]))
      assert.deepEqual(sentTo, addresses, 'nobody twice')
    })
  }

  void it('is put off where the server takes nobody, and for those whom it greylists', async (t) => {
    const server = await startScriptServer(t, { script: atMost(0, '452 4.5.3 too many') })
    const sender = new SmtpSender(senderOptions(server.port), senderDependencies())
    t.after(() => sender.close({ graceMs: 0 }))
    assert.equal((await sendInPortions(mailTo(), (mail) => sender.send(mail))).kind, 'retry')
    assert.equal(server.count('MAIL'), 1)
    const grey = await startScriptServer(t, { script: atMost(1, '450 4.2.0 greylisted') })
    const other = new SmtpSender(senderOptions(grey.port), senderDependencies())
    t.after(() => other.close({ graceMs: 0 }))
    const outcome = await sendInPortions(mailTo({ to: ['a@x.example', 'b@x.example'] }), (mail) => other.send(mail))
    assert.deepEqual([outcome.kind, grey.count('MAIL')], ['retry', 1])
  })

  void it('does not hide who has it when the rest can not even be offered', async (t) => {
    const server = await startScriptServer(t, { script: atMost(1, '452 4.5.3 too many') })
    const sender = new SmtpSender(senderOptions(server.port), senderDependencies())
    const mail = mailTo({ to: ['a@x.example', 'b@x.example'] })
    const outcome = await sendInPortions(mail, async (portion) => {
      const answer = await sender.send(portion)
      await sender.close({ graceMs: 0 })
      return answer
    })
    assert.deepEqual([outcome.kind, outcome.error?.code], ['retry', 'SMTP_DEFERRED'])
    assert.deepEqual(
      outcome.recipients.map(({ status }) => status),
      ['ACCEPTED', 'DEFERRED'],
    )
  })

  void it('is in doubt for those only whose portion is', async (t) => {
    let dots = 0
    const limited = atMost(1, '452 4.5.3 too many')
    const server = await startScriptServer(t, {
      script: (occasion) => (occasion.step === 'END' && (dots += 1) === 2 ? { drop: true } : limited(occasion)),
    })
    const sender = new SmtpSender(senderOptions(server.port), senderDependencies())
    t.after(() => sender.close({ graceMs: 0 }))
    const outcome = await sendInPortions(mailTo({ to: ['a@x.example', 'b@x.example'] }), (mail) => sender.send(mail))
    assert.equal(outcome.kind, 'indeterminate')
    assert.deepEqual(
      outcome.recipients.map(({ status }) => status),
      ['ACCEPTED', 'DEFERRED'],
    )
  })
})
