/** What becomes of a delivery whose outcome nobody knows, by `delivery`; and the copy that is kept of a sent mail. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'
import { ofRequest, startSending, type SendingOptions } from '../support/sending.ts'
import { testServers, uniqueName } from '../support/servers.ts'
import type { Script } from '../support/smtp-script-server.ts'

const setUp = async (t: TestContext, options: SendingOptions = {}) => {
  const { mail } = await testServers()
  const user = `${uniqueName('sent')}@example.com`
  const imap = { host: mail.host, port: mail.imapPort, security: 'none', allowPlaintextAuth: true }
  const sending = await startSending(t, {
    imap: { ...imap, auth: { user, password: 'any' } },
    account: { sentFolder: 'Sent' },
    ...options,
  })
  const { imap: account } = sending.config.accounts['main'] ?? assert.fail()
  assert.ok(account)
  // A connection for each use: one that idles would be given up.
  const use = async <T>(work: (mailbox: Mailbox) => Promise<T>): Promise<T> => {
    const mailbox = await connectMailbox(account)
    try {
      return await work(mailbox)
    } finally {
      await mailbox.close()
    }
  }
  return { sending, use }
}

const appendTo = (folder: string, messageId: string) => async (mailbox: Mailbox) => {
  await mailbox.createFolder(folder)
  await mailbox.append(folder, Buffer.from(`Message-ID: ${messageId}\r\nSubject: kept\r\n\r\nx\r\n`), [])
}

const summariesOf = (folder: string) => async (mailbox: Mailbox) => {
  await mailbox.createFolder(folder)
  await mailbox.open(folder, { readOnly: true })
  const uids = await mailbox.searchUids({}, 1)
  return mailbox.fetchSummaries(uids, ({ flags }, header) => ({ header: header.toString(), flags: [...flags] }))
}

/** The first mail that came is not answered; the connection goes after it. */
const dropFirstDot = (): Script => {
  let dots = 0
  return ({ step }) => (step === 'END' && (dots += 1) === 1 ? { drop: true } : undefined)
}

void describe('sending', { concurrency: 3 }, () => {
  void test('a lost answer to the final dot is INDETERMINATE under AT_MOST_ONCE and tried again under AT_LEAST_ONCE', async (t) => {
    const dropped = new Set<string>()
    let recipient = ''
    const sending = await startSending(t, {
      smtp: { connections: 1 },
      script: ({ step, line }) => {
        if (step === 'RCPT') recipient = line
        if (step !== 'END' || dropped.has(recipient)) return undefined
        dropped.add(recipient)
        return { drop: true }
      },
    })
    const worker = await sending.startWorker()
    await sending.send({ id: 'at-most', to: ['most@example.com'], delivery: 'AT_MOST_ONCE' })
    const [most] = await sending.results(1)
    assert.deepEqual([most?.status, most?.attempt, most?.error?.code], ['INDETERMINATE', 1, 'SMTP_OUTCOME_UNKNOWN'])
    await sending.send({ id: 'at-least', to: ['least@example.com'] })
    const results = await sending.results(3)
    assert.deepEqual(
      ofRequest(results, 'at-least').map(({ status, error }) => [status, error?.code ?? null]),
      [
        ['DEFERRED', 'SMTP_OUTCOME_UNKNOWN'],
        ['DELIVERED', null],
      ],
    )
    assert.equal(await worker.stop(), 0)
  })

  void test('a cut before the final dot is no doubt: AT_MOST_ONCE tries again', async (t) => {
    let cuts = 0
    const sending = await startSending(t, {
      script: ({ step }) =>
        step === 'DATA' && (cuts += 1) === 1 ? { afterBytes: 10, react: { drop: true } } : undefined,
    })
    const worker = await sending.startWorker()
    const text = 'a line of the mail\r\n'.repeat(200_000)
    await sending.send({ id: 'big', delivery: 'AT_MOST_ONCE', text })
    const results = await sending.results(2)
    assert.deepEqual(
      ofRequest(results, 'big').map(({ status }) => status),
      ['DEFERRED', 'DELIVERED'],
    )
    assert.equal(await worker.stop(), 0)
  })

  void test('VERIFY finds in the sent folder what a lost answer left open, and sends again what is not there', async (t) => {
    const { sending, use } = await setUp(t, { script: dropFirstDot() })
    const worker = await sending.startWorker()
    // The server took it, as its Sent folder shows.
    const messageId = '<kept@example.com>'
    await use(appendTo('Sent', messageId))
    await sending.send({ id: 'kept', delivery: 'VERIFY', messageId })
    const [kept] = await sending.results(1)
    assert.deepEqual([kept?.status, kept?.attempt, kept?.error], ['DELIVERED', 1, null])
    assert.deepEqual(
      kept?.recipients.map(({ status }) => status),
      ['ACCEPTED'],
    )
    assert.equal(sending.server.count('DATA'), 1)
    assert.equal(await worker.stop(), 0)
  })

  void test('VERIFY sends again when ten seconds did not show the mail in the sent folder', async (t) => {
    const { sending } = await setUp(t, { script: dropFirstDot() })
    const worker = await sending.startWorker()
    await sending.send({ id: 'gone', delivery: 'VERIFY' })
    const results = await sending.results(2)
    const [deferred, delivered] = ofRequest(results, 'gone')
    assert.deepEqual([deferred?.status, deferred?.error?.code], ['DEFERRED', 'SMTP_OUTCOME_UNKNOWN'])
    assert.deepEqual([delivered?.status, delivered?.attempt], ['DELIVERED', 2])
    assert.equal(sending.server.mails.length, 1)
    assert.equal(await worker.stop(), 0)
  })

  void test('a worker that dies behind the final dot leaves AT_MOST_ONCE INDETERMINATE and VERIFY to be looked up', async (t) => {
    let stalls = true
    const { sending, use } = await setUp(t, {
      script: ({ step }) => (step === 'END' && stalls ? { stall: true } : undefined),
      smtp: { connections: 3 },
    })
    const first = await sending.startWorker()
    await sending.send(
      { id: 'most', delivery: 'AT_MOST_ONCE' },
      { id: 'verify', delivery: 'VERIFY', messageId: '<verify@example.com>' },
      { id: 'least' },
    )
    await sending.server.reached('END', 3)
    await first.kill()
    stalls = false
    await use(appendTo('Sent', '<verify@example.com>'))
    const second = await sending.startWorker()
    const results = await sending.results(3)
    assert.deepEqual(Object.fromEntries(results.map(({ id, status }) => [id, status])), {
      most: 'INDETERMINATE',
      verify: 'DELIVERED',
      least: 'DELIVERED',
    })
    assert.equal(sending.server.mails.length, 1, 'only AT_LEAST_ONCE was sent again')
    assert.equal(await second.stop(), 0)
  })

  void test('saveToFolder keeps the mail as it was sent, seen, in a folder that is made for it', async (t) => {
    const { sending, use } = await setUp(t)
    const worker = await sending.startWorker()
    const attachments = [{ fileName: null, content: Buffer.from('a'), contentType: null, contentId: null }]
    await sending.send({ id: 'saved', subject: 'keep me', saveToFolder: 'Out/2026', attachments })
    const [result] = await sending.results(1)
    assert.deepEqual([result?.status, result?.error], ['DELIVERED', null])
    let found = await use(summariesOf('Out/2026'))
    // Saving leaves no result to wait for.
    while (found.length === 0) found = await delay(100).then(() => use(summariesOf('Out/2026')))
    assert.equal(found.length, 1)
    assert.match(found[0]?.header ?? '', /keep me/)
    assert.deepEqual(found[0]?.flags, ['\\Seen'])
    await use(async (mailbox) => {
      await mailbox.open('Out/2026', { readOnly: true })
      for await (const { raw } of mailbox.fetchRaw([1])) {
        assert.equal(raw.toString('utf8').trimEnd(), sending.server.mails[0]?.content.trimEnd())
      }
    })
    assert.equal(await worker.stop(), 0)
    assert.equal((await sending.allResults()).length, 1)
  })

  void test('a mail that can not be saved is delivered all the same, once, and saved later', async (t) => {
    const auth = { user: 'u', password: 'p' }
    const sending = await startSending(t, {
      imap: { host: '127.0.0.1', port: 1, security: 'none', allowPlaintextAuth: true, auth },
    })
    const worker = await sending.startWorker()
    await sending.send({ id: 'unsaved', saveToFolder: 'Sent' })
    const [result] = await sending.results(1)
    assert.equal(result?.status, 'DELIVERED')
    const trouble = await worker.seen(({ event }) => event === 'MailNotSaved')
    assert.equal(trouble['code'], 'IMAP_UNREACHABLE')
    await worker.seen((entry) => entry.event === 'MailNotSaved' && entry !== trouble)
    assert.equal(await worker.stop(), 0)
    assert.equal(sending.server.mails.length, 1)
    assert.equal((await sending.allResults()).length, 1)
  })
})
