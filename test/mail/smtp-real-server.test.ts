/** The sender against a server that somebody else wrote, as it comes and with its extensions taken away. */
import assert from 'node:assert/strict'
import { before, describe, test, type TestContext } from 'node:test'

import { Secret } from '../../src/config/secret.ts'
import { SmtpSender, type SmtpSenderOptions } from '../../src/mail/smtp-sender.ts'
import { verifySmtp } from '../../src/mail/smtp/verify.ts'
import { createCertificates, type TestCertificates } from '../support/certificates.ts'
import { bytesOf, compose } from '../support/compose.ts'
import { mailTo, plainTls, senderDependencies, senderOptions } from '../support/smtp-mail.ts'
import { startRealServer, type RealServer } from '../support/smtp-real-server.ts'

let certificates: TestCertificates

before(() => {
  certificates = createCertificates()
})

const login = (password: string): SmtpSenderOptions['auth'] => ({
  method: 'password',
  user: 'u',
  password: new Secret(password),
})

interface Peer {
  name: string
  start: (t: TestContext) => Promise<RealServer>
  options: () => Partial<SmtpSenderOptions>
}

const encrypted = (): Partial<SmtpSenderOptions> => ({ tls: { ...plainTls, ca: certificates.ca } })

const peers: Peer[] = [
  { name: 'as it comes', start: (t) => startRealServer(t), options: () => ({}) },
  { name: 'without PIPELINING', start: (t) => startRealServer(t, { hidePIPELINING: true }), options: () => ({}) },
  {
    name: 'with STARTTLS and a login',
    start: (t) => startRealServer(t, { pair: certificates.server, authOptional: false }),
    options: () => ({ ...encrypted(), security: 'starttls', auth: login('right') }),
  },
  {
    name: 'with TLS and LOGIN',
    start: (t) => startRealServer(t, { pair: certificates.server, secure: true, authMethods: ['LOGIN'] }),
    options: () => ({ ...encrypted(), security: 'tls', auth: login('right') }),
  },
]

for (const { name, start, options } of peers) {
  void describe(`smtp-server ${name}`, { concurrency: 4 }, () => {
    const ready = async (
      t: TestContext,
      more: Partial<SmtpSenderOptions> = {},
    ): Promise<{ server: RealServer; sender: SmtpSender }> => {
      const server = await start(t)
      const sender = new SmtpSender(senderOptions(server.port, { ...options(), ...more }), senderDependencies())
      t.after(() => sender.close({ graceMs: 0 }))
      return { server, sender }
    }

    void test('300 mails over 4 connections arrive once each', async (t) => {
      const { server, sender } = await ready(t, { connections: 4 })
      const outcomes = await Promise.all(
        Array.from({ length: 300 }, (_, at) => sender.send(mailTo({ to: [`u${at}@example.com`] }))),
      )
      assert.ok(outcomes.every(({ kind, error }) => kind === 'delivered' && error === null))
      assert.equal(new Set(outcomes.map(({ serverMessageId }) => serverMessageId)).size, 300)
      assert.equal(new Set(server.mails.map(({ to }) => to.join())).size, 300)
      assert.equal(server.mails.length, 300)
      assert.equal(server.sessions, 4)
    })

    const contents: [what: string, content: string][] = [
      ['nothing', ''],
      ['no line break at its end', 'Subject: x\r\n\r\nhello'],
      ['dots at line starts', '.\r\n..\r\n...a\r\n.\r\n'],
      ['only a dot', '.'],
      ['two MB', `${'0123456789'.repeat(7)}\r\n`.repeat(28_000)],
    ]
    for (const [what, content] of contents) {
      void test(`content with ${what} arrives as it is, and the connection goes on`, async (t) => {
        const { server, sender } = await ready(t)
        const needs = { sizeBytes: content.length }
        const mail = mailTo({ content: () => Buffer.from(content), needs })
        assert.equal((await sender.send(mail)).kind, 'delivered')
        assert.equal((await sender.send(mail)).kind, 'delivered')
        const expected = content === '' || content.endsWith('\r\n') ? content : `${content}\r\n`
        assert.deepEqual(
          server.mails.map(({ raw }) => raw.toString() === expected),
          [true, true],
        )
      })
    }

    void test('a composed mail arrives byte for byte', async (t) => {
      const { server, sender } = await ready(t)
      const message = await compose({ subject: 'Grüße', text: 'a\n.b\n', html: '<p>ü</p>', bcc: ['eve@example.com'] })
      assert.equal((await sender.send(message)).kind, 'delivered')
      const [mail] = server.mails
      assert.deepEqual(mail?.raw, await bytesOf(message))
      assert.deepEqual([mail?.from, mail?.to], ['support@example.com', ['ann@example.com', 'eve@example.com']])
    })

    void test('recipients are settled one by one, and the rest of the queue is not disturbed', async (t) => {
      const { server, sender } = await ready(t)
      const recipients = ['a@example.com', '450.b@example.com', '550.c@example.com']
      const [mixed, none, fine] = await Promise.all([
        sender.send(mailTo({ to: recipients })),
        sender.send(mailTo({ to: ['550.x@example.com', '551.y@example.com'] })),
        sender.send(mailTo()),
      ])
      assert.deepEqual(
        mixed.recipients.map(({ status, responseCode }) => [status, responseCode]),
        [
          ['ACCEPTED', 250],
          ['DEFERRED', 450],
          ['REJECTED', 550],
        ],
      )
      assert.deepEqual([mixed.kind, none.kind, fine.kind], ['retry', 'reject', 'delivered'])
      assert.deepEqual(
        server.mails.map(({ to }) => to),
        [['a@example.com'], ['b@example.com']],
      )
    })

    void test('a refused sender and a mail that is too large are rejected, by the server or before it', async (t) => {
      const { sender } = await ready(t)
      const from = await sender.send(mailTo({ envelope: { from: '553.a@example.com' } }))
      assert.deepEqual([from.kind, from.error?.code], ['reject', 'SMTP_REJECTED'])
      const known = await sender.send(mailTo({ needs: { sizeBytes: 5_000_001 } }))
      const content = (): Buffer => Buffer.alloc(5_000_100, `${'x'.repeat(70)}\r\n`)
      const unknown = await sender.send(mailTo({ content, needs: { sizeBytes: null } }))
      for (const { kind, error } of [known, unknown]) {
        assert.deepEqual([kind, error?.code], ['reject', 'SMTP_MESSAGE_TOO_LARGE'])
      }
      assert.equal((await sender.send(mailTo())).kind, 'delivered')
    })

    void test('an internationalised address and a DSN request reach it', async (t) => {
      const { server, sender } = await ready(t)
      const dsn = { envelopeId: 'order 7', return: 'HDRS', notify: ['FAILURE'] } as const
      const needs = { smtpUtf8: true }
      assert.equal(
        (await sender.send(mailTo({ to: ['jörg@example.com'], envelope: { dsn }, needs }))).kind,
        'delivered',
      )
      assert.deepEqual(server.mails[0]?.to, ['jörg@example.com'])
    })
  })
}

void test('the extensions of a real server are seen, its login is checked', async (t) => {
  const server = await startRealServer(t, { pair: certificates.server })
  const options = senderOptions(server.port, { ...encrypted(), security: 'starttls', auth: login('right') })
  const facts = await verifySmtp(options)
  for (const extension of ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE'])
    assert.ok(facts.extensions.includes(extension))
  assert.equal(facts.maxMessageBytes, 5_000_000)
  assert.equal(facts.mechanism, 'PLAIN')
  await assert.rejects(verifySmtp({ ...options, auth: login('wrong') }), { code: 'SMTP_AUTHENTICATION_FAILED' })
})

void describe('passwords that are no plain words', { concurrency: 4 }, () => {
  const user = 'jörg+a=b,c@example.com'
  for (const method of ['PLAIN', 'LOGIN', 'CRAM-MD5']) {
    for (const secret of ['pässwörd € 😀', `"quo\\ted" {5} =?'`, 'p'.repeat(4_000)]) {
      void test(`${method} carries ${secret.length > 50 ? 'one of 4,000 characters' : secret} as it is`, async (t) => {
        const server = await startRealServer(t, {
          pair: certificates.server,
          secure: true,
          authMethods: [method],
          onAuth: ({ username, password, validatePassword }, _, done) => {
            const isRight = method === 'CRAM-MD5' ? validatePassword(secret) : password === secret
            if (username === user && isRight) done(null, { user })
            else done(Object.assign(new Error('wrong'), { responseCode: 535 }))
          },
        })
        const auth = { method: 'password', user, password: new Secret(secret) } as const
        const facts = await verifySmtp(senderOptions(server.port, { ...encrypted(), security: 'tls', auth }))
        assert.equal(facts.mechanism, method)
      })
    }
  }
})
