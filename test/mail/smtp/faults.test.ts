/** Each step of the dialogue × (4yz, 5yz, drop, stall), on an exact server, with and without PIPELINING. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, test, type TestContext } from 'node:test'

import type { DeliveryKind, DeliveryOutcome } from '../../../src/mail/smtp-outcome.ts'
import { SmtpSender } from '../../../src/mail/smtp-sender.ts'
import { defaultTimeouts } from '../../../src/mail/smtp/timeouts.ts'
import { mailTo, senderDependencies, senderOptions, type MailOptions } from '../../support/smtp-mail.ts'
import {
  startScriptServer,
  usualExtensions,
  type Reaction,
  type Script,
  type ScriptServer,
  type ServerStep,
} from '../../support/smtp-script-server.ts'

/** For a server that falls silent; no other test may depend on how fast the machine is. */
const quick = { mail: 150, rcpt: 150, data: 150, block: 150, end: 150 }

const modes = [
  { name: 'with PIPELINING', extensions: usualExtensions },
  { name: 'in lockstep', extensions: usualExtensions.filter((name) => name !== 'PIPELINING') },
]

interface SendCase {
  script: Script
  extensions: string[]
  mail?: MailOptions
  stalls?: boolean
}

const sendTo = async (
  t: TestContext,
  { script, extensions, mail, stalls = false }: SendCase,
): Promise<{ outcome: DeliveryOutcome; server: ScriptServer }> => {
  const server = await startScriptServer(t, { script, extensions })
  const options = senderOptions(server.port, stalls ? { connectTimeoutMs: 150 } : {})
  const sender = new SmtpSender(options, senderDependencies(stalls ? { timeouts: quick } : {}))
  t.after(() => sender.close({ graceMs: 0 }))
  return { outcome: await sender.send(mailTo(mail)), server }
}

const at =
  (step: ServerStep, reaction: Reaction): Script =>
  (occasion) =>
    occasion.step === step ? reaction : undefined

interface Expected {
  kind: DeliveryKind
  code: string | null
  stage: string | null
  status: string
  accountFailure?: boolean
}

const lost = (stage: string): Expected => ({ kind: 'retry', code: 'SMTP_CONNECTION_LOST', stage, status: 'DEFERRED' })
const late = (stage: string): Expected => ({ kind: 'retry', code: 'SMTP_TIMEOUT', stage, status: 'DEFERRED' })
const deferred = (stage: string): Expected => ({ kind: 'retry', code: 'SMTP_DEFERRED', stage, status: 'DEFERRED' })
const rejected = (stage: string): Expected => ({ kind: 'reject', code: 'SMTP_REJECTED', stage, status: 'REJECTED' })
const unknown: Expected = { kind: 'indeterminate', code: 'SMTP_OUTCOME_UNKNOWN', stage: 'reply', status: 'DEFERRED' }
const unreachable: Expected = { kind: 'retry', code: 'SMTP_UNREACHABLE', stage: 'connect', status: 'DEFERRED' }
const account = (stage: string, code = 'SMTP_DEFERRED'): Expected => ({
  ...deferred(stage),
  code,
  accountFailure: true,
})

const table: [step: ServerStep, what: string, Reaction, Expected][] = [
  ['CONNECT', '421', { reply: '421 4.3.2 too many connections', thenDrop: true }, deferred('connect')],
  ['CONNECT', '554', { reply: '554 no service', thenDrop: true }, unreachable],
  ['CONNECT', 'a drop', { drop: true }, unreachable],
  ['CONNECT', 'a stall', { stall: true }, late('connect')],
  ['EHLO', '421', { reply: '421 4.3.2 busy', thenDrop: true }, deferred('connect')],
  ['EHLO', 'a drop', { drop: true }, unreachable],
  ['EHLO', 'a stall', { stall: true }, late('connect')],
  ['MAIL', '450', { reply: '450 4.1.8 not now' }, deferred('envelope')],
  ['MAIL', '421', { reply: '421 4.7.0 go away', thenDrop: true }, deferred('envelope')],
  ['MAIL', '550', { reply: '550 5.1.8 no such sender' }, rejected('envelope')],
  ['MAIL', '552', { reply: '552 too big' }, { ...rejected('envelope'), code: 'SMTP_MESSAGE_TOO_LARGE' }],
  ['MAIL', '530', { reply: '530 5.7.0 login first' }, account('envelope', 'SMTP_AUTHENTICATION_FAILED')],
  ['MAIL', '550 5.7.1', { reply: '550 5.7.1 not your address' }, account('envelope')],
  ['MAIL', 'a drop', { drop: true }, lost('envelope')],
  ['MAIL', 'a stall', { stall: true }, late('envelope')],
  ['RCPT', '450 (greylisting)', { reply: '450 4.2.0 greylisted' }, deferred('envelope')],
  ['RCPT', '452', { reply: '452 4.5.3 too many recipients' }, deferred('envelope')],
  ['RCPT', '552 without an enhanced code', { reply: '552 too many recipients' }, deferred('envelope')],
  ['RCPT', '552 5.5.3', { reply: '552 5.5.3 too many recipients' }, deferred('envelope')],
  ['RCPT', '552 5.2.2', { reply: '552 5.2.2 mailbox full' }, rejected('envelope')],
  ['RCPT', '421', { reply: '421 4.7.0 go away', thenDrop: true }, deferred('envelope')],
  ['RCPT', '550', { reply: '550 5.1.1 no such user' }, rejected('envelope')],
  ['RCPT', '550 5.7.1', { reply: '550 5.7.1 relaying denied' }, rejected('envelope')],
  ['RCPT', 'a drop', { drop: true }, lost('envelope')],
  ['RCPT', 'a stall', { stall: true }, late('envelope')],
  ['DATA', '451', { reply: '451 4.3.0 try again' }, deferred('data')],
  ['DATA', '421', { reply: '421 4.3.2 shutting down', thenDrop: true }, deferred('data')],
  ['DATA', '554', { reply: '554 5.6.0 no' }, rejected('data')],
  ['DATA', 'a drop', { drop: true }, lost('envelope')],
  ['DATA', 'a stall', { stall: true }, late('envelope')],
  ['END', '451', { reply: '451 4.3.0 out of disk' }, deferred('reply')],
  ['END', '421', { reply: '421 4.3.2 shutting down', thenDrop: true }, deferred('reply')],
  ['END', '554', { reply: '554 5.7.1 spam' }, rejected('reply')],
  ['END', '552 5.3.4', { reply: '552 5.3.4 too big' }, { ...rejected('reply'), code: 'SMTP_MESSAGE_TOO_LARGE' }],
  ['END', '552 5.7.0', { reply: '552 5.7.0 no such attachment' }, rejected('reply')],
  ['END', 'a drop', { drop: true }, unknown],
  ['END', 'a stall', { stall: true }, unknown],
  ['END', 'a reply that is not SMTP', { reply: 'HTTP/1.1 400 Bad Request' }, unknown],
  ['END', 'an intermediate reply', { reply: '354 more' }, unknown],
  ['MAIL', 'a reply that is not SMTP', { reply: 'hello' }, { ...lost('reply'), code: 'SMTP_PROTOCOL_ERROR' }],
]

for (const { name, extensions } of modes) {
  void describe(`faults ${name}`, { concurrency: 4 }, () => {
    for (const [step, what, reaction, expected] of table) {
      void test(`${what} at ${step} is ${expected.kind} (${expected.code})`, async (t) => {
        const stalls = 'stall' in reaction
        const { outcome, server } = await sendTo(t, { script: at(step, reaction), extensions, stalls })
        const { kind, error, recipients, accountFailure } = outcome
        assert.deepEqual(
          { kind, code: error?.code, stage: error?.stage, statuses: recipients.map(({ status }) => status) },
          { kind: expected.kind, code: expected.code, stage: expected.stage, statuses: [expected.status] },
        )
        assert.equal(accountFailure, expected.accountFailure ?? false)
        assert.equal(error?.retryable, expected.kind !== 'reject')
        assert.equal(server.mails.length, 0)
      })
    }

    for (const bytes of [1, 1000, 100_000]) {
      const content = (): Buffer => Buffer.alloc(30_000_000, 'x\r\n')
      void test(`a drop after ${bytes} bytes of a big mail is retried: the dot was not written`, async (t) => {
        const script = at('DATA', { afterBytes: bytes, react: { drop: true } })
        const { outcome, server } = await sendTo(t, { script, extensions, mail: { content } })
        assert.equal(outcome.kind, 'retry')
        assert.equal(outcome.error?.code, 'SMTP_CONNECTION_LOST')
        assert.equal(outcome.error?.stage, 'data')
        assert.equal(server.mails.length, 0)
      })
    }

    void test('552 in the middle of a big mail rejects it without its dot', async (t) => {
      const script = at('DATA', { afterBytes: 1000, react: { reply: '552 5.3.4 too big' } })
      const content = (): Buffer => Buffer.alloc(30_000_000, 'x\r\n')
      const { outcome, server } = await sendTo(t, { script, extensions, mail: { content } })
      assert.equal(outcome.kind, 'reject')
      assert.equal(outcome.error?.code, 'SMTP_MESSAGE_TOO_LARGE')
      assert.equal(server.mails.length, 0)
    })

    void test('one accepted and one rejected recipient: the mail goes to the first', async (t) => {
      const script: Script = ({ step, line }) =>
        step === 'RCPT' && line.includes('bad') ? { reply: '550 5.1.1 no such user' } : undefined
      const mail = { to: ['bad@example.com', 'good@example.com'] }
      const { outcome, server } = await sendTo(t, { script, extensions, mail })
      assert.equal(outcome.kind, 'delivered')
      assert.equal(outcome.error?.code, 'SMTP_REJECTED')
      assert.equal(outcome.serverMessageId, 'Q1')
      assert.deepEqual(outcome.recipients, [
        {
          address: 'bad@example.com',
          status: 'REJECTED',
          responseCode: 550,
          enhancedCode: '5.1.1',
          response: 'no such user',
        },
        {
          address: 'good@example.com',
          status: 'ACCEPTED',
          responseCode: 250,
          enhancedCode: '2.0.0',
          response: 'Ok: queued as Q1',
        },
      ])
      assert.deepEqual(
        server.mails.map(({ rcpt }) => rcpt),
        [['RCPT TO:<good@example.com>']],
      )
    })

    void test('one accepted and one deferred recipient: retry, for the second alone', async (t) => {
      const script: Script = ({ step, line }) =>
        step === 'RCPT' && line.includes('later') ? { reply: '450 4.2.1 later' } : undefined
      const mail = { to: ['now@example.com', 'later@example.com'] }
      const { outcome } = await sendTo(t, { script, extensions, mail })
      assert.equal(outcome.kind, 'retry')
      assert.equal(outcome.error?.code, 'SMTP_DEFERRED')
      assert.deepEqual(
        outcome.recipients.map(({ status }) => status),
        ['ACCEPTED', 'DEFERRED'],
      )
    })

    void test('no recipient accepted: nothing of the mail is sent, also when the server says 354', async (t) => {
      const script: Script = ({ step }) => {
        if (step === 'RCPT') return { reply: '550 5.1.1 no such user' }
        if (step === 'DATA') return { reply: '354 all right' }
        return step === 'END' ? { reply: '554 5.5.1 no recipients' } : undefined
      }
      const { outcome, server } = await sendTo(t, { script, extensions })
      assert.equal(outcome.kind, 'reject')
      assert.equal(outcome.recipients[0]?.responseCode, 550)
      assert.ok(!server.chunks.flat().join('').includes('hello'))
    })

    void test('lost after the dot with one rejected recipient: unknown for the other alone', async (t) => {
      const script: Script = ({ step, line }) => {
        if (step === 'RCPT' && line.includes('bad')) return { reply: '550 5.1.1 no such user' }
        return step === 'END' ? { drop: true } : undefined
      }
      const mail = { to: ['bad@example.com', 'good@example.com'] }
      const { outcome } = await sendTo(t, { script, extensions, mail })
      assert.equal(outcome.kind, 'indeterminate')
      assert.deepEqual(
        outcome.recipients.map(({ status }) => status),
        ['REJECTED', 'DEFERRED'],
      )
    })
  })
}

void test('the wait for the reply to the final dot is 10 minutes by default, as RFC 5321 4.5.3.2 has it', () => {
  assert.deepEqual(defaultTimeouts, { mail: 300_000, rcpt: 300_000, data: 120_000, block: 180_000, end: 600_000 })
})

void describe('servers that break the rules', { concurrency: 4 }, () => {
  for (const { name, extensions } of modes) {
    void test(`an answer to a mail that was not sent yet is no answer (${name})`, async (t) => {
      const script = at('DATA', { reply: ['354 go ahead', '250 2.0.0 Ok: queued'] })
      const { outcome, server } = await sendTo(t, { script, extensions })
      assert.deepEqual([outcome.kind, outcome.error?.code], ['retry', 'SMTP_PROTOCOL_ERROR'])
      assert.equal(server.mails.length, 0)
    })
  }

  void test('a server that takes recipients of a sender whom it refused gets no empty mail for them', async (t) => {
    const heard: string[] = []
    const answers: Record<string, string> = { EHLO: '250-x\r\n250 PIPELINING', MAIL: '550 5.1.8 who?', DATA: '354 go' }
    const server = createServer((socket) => {
      socket.write('220 x\r\n')
      createInterface({ input: socket }).on('line', (line) => {
        heard.push(line)
        socket.write(`${answers[line.slice(0, 4)] ?? '250 ok'}\r\n`)
      })
      socket.on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const sender = new SmtpSender(senderOptions((server.address() as AddressInfo).port), senderDependencies())
    const outcome = await sender.send(mailTo())
    await sender.close({ graceMs: 0 })
    assert.deepEqual([outcome.kind, outcome.error?.code], ['reject', 'SMTP_REJECTED'])
    assert.deepEqual(
      heard.map((line) => line.slice(0, 4)),
      ['EHLO', 'MAIL', 'RCPT', 'DATA'],
    )
  })
})
