import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import nodemailer from 'nodemailer'
import type { ImapConfig, TlsConfig } from '../../src/config/config.ts'
import { Secret } from '../../src/config/secret.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { mailboxSuite } from '../contract/imap-mailbox.ts'
import { Cluster } from '../support/kafka.ts'
import { testDovecot, type Dovecot } from '../support/dovecot.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import { deploy, Worker } from '../support/worker.ts'

const tlsWith = (ca: string | null): TlsConfig => {
  return { ca, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' }
}

const imapWith = (changes: Partial<ImapConfig>, user: string, password: string): ImapConfig => ({
  host: '127.0.0.1',
  port: 0,
  security: 'none',
  tls: tlsWith(null),
  auth: { method: 'password', user, password: new Secret(password) },
  allowPlaintextAuth: true,
  connectTimeoutMs: 10_000,
  connections: 5,
  probeIntervalMs: 60_000,
  commandTimeoutMs: 20_000,
  ...changes,
})

const ownDovecot = async (t: TestContext): Promise<Dovecot> => {
  const dovecot = await testDovecot({ alone: true })
  t.after(() => dovecot.release())
  return dovecot
}

mailboxSuite('GreenMail', async () => {
  const { mail } = await testServers()
  const address = `${uniqueName('contract')}@example.com`
  const transport = nodemailer.createTransport({ host: mail.host, port: mail.smtpPort })
  return {
    imap: imapWith({ port: mail.imapPort }, address, 'any'),
    deliver: async (raws) => {
      for (const raw of raws) await transport.sendMail({ envelope: { from: 's@example.com', to: address }, raw })
    },
  }
})

mailboxSuite('Dovecot', async (t) => {
  const dovecot = await ownDovecot(t)
  const user = dovecot.newUser()
  const { imapsPort: port, certificates } = dovecot
  return {
    imap: imapWith({ port, security: 'tls', tls: tlsWith(certificates.ca) }, user.user, user.password),
    deliver: (raws) => dovecot.deliver(user, raws),
  }
})

test('the certificate is verified, STARTTLS is required where it is configured, and a wrong password is told', async (t) => {
  const dovecot = await ownDovecot(t)
  const { user, password } = dovecot.newUser()
  const { imapPort, imapsPort, certificates } = dovecot
  const trusted = tlsWith(certificates.ca)
  const starttls = imapWith({ port: imapPort, security: 'starttls', tls: trusted }, user, password)
  const mailbox = await connectMailbox(starttls)
  await mailbox.close()
  await assert.rejects(connectMailbox({ ...starttls, tls: tlsWith(null) }), { code: 'TLS_UNTRUSTED' })
  const tls = imapWith({ port: imapsPort, security: 'tls' }, user, password)
  await assert.rejects(connectMailbox(tls), { code: 'TLS_UNTRUSTED' })
  const wrong = imapWith({ port: imapsPort, security: 'tls', tls: trusted }, user, 'wrong')
  await assert.rejects(connectMailbox(wrong), { code: 'IMAP_AUTHENTICATION_FAILED' })
  const { mail } = await testServers()
  const unoffered = imapWith({ port: mail.imapPort, security: 'starttls' }, 'a@example.com', 'any')
  await assert.rejects(connectMailbox(unoffered), { name: 'PosthornError' })
})

test('folders of any name are made, filled and found', async (t) => {
  const dovecot = await testDovecot()
  const user = dovecot.newUser()
  await dovecot.deliver(user, ['Subject: a\r\n\r\n', 'Subject: b\r\n\r\n'])
  const { imapsPort: port, certificates } = dovecot
  const mailbox = await connectMailbox(
    imapWith({ port, security: 'tls', tls: tlsWith(certificates.ca) }, user.user, user.password),
  )
  t.after(() => mailbox.close())
  for (const folder of ['Rechnungen/für "Ümit" & Co', '請求書', '100% *{new}* (x)', "it's \\ here"]) {
    await mailbox.createFolder(folder)
    assert.ok((await mailbox.uidNextOf(folder)) === 1, folder)
    const { uidValidity } = await mailbox.open('INBOX', { readOnly: false })
    assert.ok(uidValidity > 0)
    const uids = await mailbox.searchUids({}, 1)
    assert.equal((await mailbox.copy(uids, folder)).size, 2, folder)
    await mailbox.open(folder, { readOnly: true })
    assert.equal((await mailbox.searchUids({}, 1)).length, 2, folder)
  }
})

test('a worker receives from Dovecot over TLS and deletes what it has published', async (t) => {
  const dovecot = await ownDovecot(t)
  const { user, password } = dovecot.newUser()
  const raws = Array.from(
    { length: 25 },
    (_, n) => `Subject: n ${n}\r\nMessage-ID: <${n}@dovecot>\r\n\r\ntext ${n}\r\n`,
  )
  await dovecot.deliver({ user }, raws)
  const ca = { caFile: 'ca.pem' }
  const imap = { host: '127.0.0.1', port: dovecot.imapPort, security: 'starttls', ...ca, auth: { user, password } }
  const receive = [{ folder: 'INBOX', start: 'earliest', after: 'delete' }]
  const files = { 'ca.pem': dovecot.certificates.ca }
  const { config, configFile } = await deploy(t, { main: { imap, receive } }, {}, files)
  const worker = new Worker(t, configFile)
  await worker.seen(({ event }) => event === 'Started')
  const messages = await new Cluster(t, config).takeDecoded('InboundMessage', config.kafka.topics.inbound, raws.length)
  assert.deepEqual(messages.map(({ text }) => text).sort(), raws.map((_, n) => `text ${n}\n`).sort())
  await worker.seen(({ event, published }) => event === 'FolderSynced' && published === raws.length)
  assert.equal(await worker.stop(), 0)
  assert.deepEqual(await dovecot.files({ user }), [])
})
