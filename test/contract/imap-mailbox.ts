/** What every IMAP server must do behind the `Mailbox` port. Run on GreenMail and on Dovecot. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ImapConfig } from '../../src/config/config.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { moveMessages } from '../../src/producers/move-messages.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'

export interface MailboxFixture {
  imap: ImapConfig
  /** Puts messages into INBOX, in order. */
  deliver: (raws: readonly string[]) => Promise<void>
}

const raw = (n: number, body = `body ${n}`): string =>
  `From: Sender <s@example.com>\r\nTo: r@example.com\r\nSubject: number ${n}\r\nMessage-ID: <${n}@contract>\r\n\r\n${body}\r\n`

const gather = async (mailbox: Mailbox, uids: readonly number[]): Promise<Map<number, string>> => {
  const found = new Map<number, string>()
  for await (const { uid, raw: bytes } of mailbox.fetchRaw(uids)) found.set(uid, bytes.toString())
  return found
}

const openWith = async (mailbox: Mailbox, { deliver }: MailboxFixture, count: number): Promise<number[]> => {
  await deliver(Array.from({ length: count }, (_, index) => raw(index + 1)))
  await mailbox.open('INBOX', { readOnly: false })
  const uids = await mailbox.searchUids({}, 1)
  assert.equal(uids.length, count)
  return uids
}

export const mailboxSuite = (server: string, create: (t: TestContext) => Promise<MailboxFixture>): void => {
  const check = (title: string, run: (mailbox: Mailbox, fixture: MailboxFixture) => Promise<void>): void => {
    test(`${server}: ${title}`, async (t) => {
      const fixture = await create(t)
      const mailbox = await connectMailbox(fixture.imap)
      t.after(() => mailbox.close())
      await run(mailbox, fixture)
    })
  }
  check('a folder has a UIDVALIDITY and a UIDNEXT above its messages', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 2)
    const { uidValidity, uidNext } = await mailbox.open('INBOX', { readOnly: true })
    assert.ok(uidValidity > 0)
    assert.ok(uidNext === null || uidNext > (uids.at(-1) ?? 0))
  })

  check('a folder that is not there is said to be missing', async (mailbox) => {
    await assert.rejects(mailbox.open('Nowhere', { readOnly: true }), { name: 'PosthornError', retryable: false })
  })

  check('a search from above the last UID finds nothing', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 3)
    assert.deepEqual(await mailbox.searchUids({}, (uids.at(-1) ?? 0) + 1), [])
    assert.deepEqual(await mailbox.searchUids({}, uids[1] ?? 0), uids.slice(1))
  })

  check('a message is found by its Message-ID', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 3)
    assert.deepEqual(await mailbox.searchUids({ messageId: '<2@contract>' }, 1), [uids[1]])
    assert.deepEqual(await mailbox.searchUids({ messageId: '<9@contract>' }, 1), [])
  })

  check('messages come whole, and those that are gone are left out', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 2)
    const found = await gather(mailbox, [...uids, 4_000])
    assert.deepEqual(
      [...found.keys()].sort((a, b) => a - b),
      uids,
    )
    for (const [index, uid] of uids.entries()) assert.match(found.get(uid) ?? '', new RegExp(`body ${index + 1}`))
  })

  check('a summary tells size, flags, arrival and the header that selectors need', async (mailbox, fixture) => {
    const [uid = 0] = await openWith(mailbox, fixture, 1)
    const [told] = await mailbox.fetchSummaries([uid], (summary, header) => ({ summary, header: header.toString() }))
    assert.ok(told)
    const { summary, header } = told
    assert.ok(summary.size > 100)
    assert.ok(Math.abs(summary.receivedAtMs - Date.now()) < 120_000)
    assert.match(header, /Subject: number 1/i)
    assert.deepEqual(await mailbox.fetchSummaries([uid]), [summary], 'the header is not kept')
    assert.equal(summary.flags.includes('\\Seen'), false, 'looking at a message does not mark it')
  })

  check('a big message comes in slices that make up the whole', async (mailbox, { deliver }) => {
    const body = 'x'.repeat(76).concat('\r\n').repeat(60_000)
    await deliver([raw(1, body)])
    await mailbox.open('INBOX', { readOnly: true })
    const [uid = 0] = await mailbox.searchUids({}, 1)
    const [{ size } = { size: 0 }] = await mailbox.fetchSummaries([uid])
    const slices: Buffer[] = []
    for await (const slice of mailbox.streamRaw(uid, size)) slices.push(slice)
    assert.ok(slices.length > 1)
    assert.ok(Buffer.concat(slices).toString().includes(body.trimEnd()))
  })

  check('flags are added and removed', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 2)
    await mailbox.addFlags(uids, ['\\Seen', '\\Flagged'])
    await mailbox.removeFlags(uids.slice(0, 1), ['\\Seen'])
    const summaries = await mailbox.fetchSummaries(uids)
    const seen = summaries.filter(({ flags }) => flags.includes('\\Seen')).map(({ uid }) => uid)
    assert.deepEqual(seen, uids.slice(1))
  })

  check('moved messages are in the other folder, under the UIDs that are reported', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 3)
    await mailbox.createFolder('Überblick')
    await mailbox.createFolder('Überblick')
    const moved = await moveMessages(mailbox, 'INBOX', uids.slice(0, 2), 'Überblick')
    assert.deepEqual(
      [...moved.keys()].sort((a, b) => a - b),
      uids.slice(0, 2),
    )
    assert.deepEqual(await mailbox.searchUids({}, 1), uids.slice(2))
    await mailbox.open('Überblick', { readOnly: true })
    assert.deepEqual(
      await mailbox.searchUids({}, 1),
      [...moved.values()].sort((a, b) => (a ?? 0) - (b ?? 0)),
    )
  })

  check('a copy leaves the original where it is', async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 1)
    await mailbox.createFolder('Copies')
    assert.equal((await mailbox.copy(uids, 'Copies')).size, 1)
    assert.deepEqual(await mailbox.searchUids({}, 1), uids)
  })

  check("a deletion leaves somebody else's deleted messages alone", async (mailbox, fixture) => {
    const uids = await openWith(mailbox, fixture, 3)
    await mailbox.addFlags(uids.slice(0, 1), ['\\Deleted'])
    await mailbox.deleteExactly(uids.slice(1, 2))
    assert.deepEqual(await mailbox.searchUids({}, 1), [uids[0], uids[2]])
  })

  check('waiting ends when a message arrives, and when it is broken off', async (mailbox, fixture) => {
    await openWith(mailbox, fixture, 1)
    const waiting = mailbox.wait(new AbortController().signal, { idle: true, timeoutMs: 60_000 })
    await fixture.deliver([raw(2)])
    await waiting
    assert.equal((await mailbox.searchUids({}, 1)).length, 2)
    const abort = new AbortController()
    const broken = mailbox.wait(abort.signal, { idle: true, timeoutMs: 60_000 })
    abort.abort()
    await broken
  })
}
