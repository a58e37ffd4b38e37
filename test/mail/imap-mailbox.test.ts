/** What servers do that real ones can't be made to do on demand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { moveMessages } from '../../src/producers/move-messages.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'
import { mailboxSuite } from '../contract/imap-mailbox.ts'
import { startImapScriptServer, type ImapServerOptions } from '../support/imap-fault-server.ts'

mailboxSuite('a scripted server', async (t) => {
  const server = await startImapScriptServer(t)
  return {
    imap: server.config(),
    deliver: async (raws) => {
      for (const raw of raws) server.deliver(raw)
    },
  }
})

const open = async (t: Parameters<typeof startImapScriptServer>[0], options: ImapServerOptions, count = 3) => {
  const server = await startImapScriptServer(t, options)
  for (let n = 1; n <= count; n += 1)
    server.deliver(`Subject: ${n}\r\nDate: Sat, 31 Jan 2026 12:00:00 +0100\r\n\r\nbody ${n}\r\n`)
  const mailbox = await connectMailbox(server.config({ probeIntervalMs: 200, commandTimeoutMs: 500 }))
  t.after(() => mailbox.close())
  return { server, mailbox }
}

const textOf = async (mailbox: Mailbox, uids: readonly number[]): Promise<Map<number, string>> => {
  const found = new Map<number, string>()
  for await (const { uid, raw } of mailbox.fetchRaw(uids)) found.set(uid, raw.toString())
  return found
}

test('a server that omits UIDNEXT, FLAGS and INTERNALDATE is read all the same', async (t) => {
  const omit = (line: string) =>
    line.includes('UIDNEXT') || line.startsWith('FLAGS')
      ? null
      : line.replace(/FLAGS \([^)]*\) /, '').replace(/INTERNALDATE "[^"]*" /, '')
  const { mailbox } = await open(t, { script: () => ({ change: omit }) })
  assert.equal((await mailbox.open('INBOX', { readOnly: true })).uidNext, null)
  const [summary] = await mailbox.fetchSummaries([1])
  assert.deepEqual(summary?.flags, [])
  assert.equal(new Date(summary?.receivedAtMs ?? 0).toISOString(), '2026-01-31T11:00:00.000Z', 'the Date field')
})

test('a folder without UIDVALIDITY is refused: its UIDs would mean nothing', async (t) => {
  const { mailbox } = await open(t, {
    script: () => ({ change: (line) => (line.includes('UIDVALIDITY') ? null : line) }),
  })
  await assert.rejects(mailbox.open('INBOX', { readOnly: true }), { code: 'IMAP_COMMAND_FAILED' })
})

test('news in the middle of an answer are no answer, and what came incomplete is asked for again', async (t) => {
  const incomplete = /(?<=UID 2 ).*BODY\[[\s\S]*(?=\))/
  const { mailbox } = await open(t, {
    script: ({ verb, nth }) => {
      if (verb !== 'UID FETCH') return undefined
      return nth === 1 || nth === 3
        ? { change: (line) => line.replace(incomplete, 'FLAGS (\\Seen)') }
        : { tell: ['1 FETCH (UID 1 FLAGS (\\Seen))', '3 EXISTS', '1 FETCH (FLAGS (\\Flagged))'] }
    },
  })
  await mailbox.open('INBOX', { readOnly: true })
  const summaries = await mailbox.fetchSummaries([1, 2, 3])
  assert.deepEqual(summaries.map(({ uid }) => uid).sort(), [1, 2, 3])
  assert.deepEqual([...(await textOf(mailbox, [1, 2, 3])).keys()].sort(), [1, 2, 3])
})

test('a server without MOVE copies and deletes exactly what it says it has copied', async (t) => {
  const { server, mailbox } = await open(t, { capabilities: ['UIDPLUS'] })
  await mailbox.open('INBOX', { readOnly: false })
  await mailbox.createFolder('Done')
  server.inbox.messages[0]?.flags.add('\\Deleted')
  assert.deepEqual(
    await moveMessages(mailbox, 'INBOX', [2, 3], 'Done'),
    new Map([
      [2, 1],
      [3, 2],
    ]),
  )
  assert.deepEqual(
    server.inbox.messages.map(({ uid }) => uid),
    [1],
    'the message that somebody else deleted',
  )
  assert.equal(server.count('EXPUNGE'), 0)
})

test('a copy that is not told in full deletes nothing', async (t) => {
  const { server, mailbox } = await open(t, {
    capabilities: ['UIDPLUS'],
    script: ({ verb }) => (verb === 'UID COPY' ? { answer: 'OK copied' } : undefined),
  })
  await mailbox.open('INBOX', { readOnly: false })
  await mailbox.createFolder('Done')
  await assert.rejects(moveMessages(mailbox, 'INBOX', [2], 'Done'), { code: 'IMAP_UNSAFE_MOVE' })
  assert.equal(server.inbox.messages.length, 3)
})

test('a server with neither MOVE nor UIDPLUS is refused before anything is copied', async (t) => {
  const { server, mailbox } = await open(t, { capabilities: [] })
  await mailbox.open('INBOX', { readOnly: false })
  await assert.rejects(moveMessages(mailbox, 'INBOX', [2], 'Done'), { code: 'IMAP_UNSAFE_MOVE' })
  await assert.rejects(mailbox.deleteExactly([2]), { code: 'IMAP_UNSAFE_MOVE' })
  assert.equal(server.count('UID COPY') + server.count('UID STORE'), 0)
})

test('a move that does not tell the new UIDs reports what is gone', async (t) => {
  const { mailbox } = await open(t, {
    script: ({ verb }) => (verb === 'UID MOVE' ? { change: (line) => line.replace(/\[COPYUID.*\] /, '') } : undefined),
  })
  await mailbox.open('INBOX', { readOnly: false })
  await mailbox.createFolder('Done')
  assert.deepEqual(
    await mailbox.move([2, 77], 'Done'),
    new Map([
      [2, null],
      [77, null],
    ]),
  )
})

const refusals = {
  'NO [TRYCREATE] no': { code: 'IMAP_FOLDER_MISSING', retryable: false },
  'NO [NOPERM] no': { code: 'IMAP_COMMAND_FAILED', retryable: false },
  'NO [LIMIT] slow down': { code: 'IMAP_COMMAND_FAILED', retryable: true },
  'NO [UNAVAILABLE] later': { code: 'IMAP_COMMAND_FAILED', retryable: true },
  'BAD Request is throttled. Suggested Backoff Time: 400 milliseconds': { retryable: true, retryAfterMs: 400 },
}

for (const [answer, expected] of Object.entries(refusals)) {
  test(`a command that is answered with ${answer} fails with the server's reason`, async (t) => {
    const { mailbox } = await open(t, { script: ({ verb }) => (verb === 'UID MOVE' ? { answer } : undefined) })
    await mailbox.open('INBOX', { readOnly: false })
    await assert.rejects(mailbox.move([1], 'Done'), expected)
  })
}

test('a quota of reading is waited for, a full mailbox is not', async (t) => {
  const answer = 'NO [OVERQUOTA] Account exceeded command or bandwidth limits'
  const { mailbox } = await open(t, {
    script: ({ verb }) => (['UID SEARCH', 'UID FETCH', 'UID COPY'].includes(verb) ? { answer } : undefined),
  })
  await mailbox.open('INBOX', { readOnly: false })
  await assert.rejects(mailbox.searchUids({}, 1), { retryable: true, retryAfterMs: 600_000 })
  await assert.rejects(mailbox.fetchSummaries([1]), { retryable: true, retryAfterMs: 600_000 })
  await assert.rejects(mailbox.copy([1], 'INBOX'), { retryable: false, retryAfterMs: null })
})

for (const reaction of [{ drop: true }, { bye: 'going down' }] as const) {
  for (const verb of ['SELECT', 'UID SEARCH', 'UID FETCH', 'UID STORE', 'UID MOVE', 'NOOP']) {
    test(`${Object.keys(reaction)[0]} at ${verb} is an error, never an answer`, async (t) => {
      const { mailbox } = await open(t, { script: (occasion) => (occasion.verb === verb ? reaction : undefined) })
      const signal = new AbortController().signal
      await assert.rejects(
        async () => {
          await mailbox.open('INBOX', { readOnly: false })
          await mailbox.searchUids({}, 1)
          await mailbox.fetchSummaries([1])
          await mailbox.addFlags([1], ['\\Seen'])
          await mailbox.move([1], 'INBOX')
          await mailbox.wait(signal, { idle: false, timeoutMs: 50 })
        },
        { name: 'PosthornError', retryable: true },
      )
    })
  }
}

test('a server that falls silent is found, while it is asked and while it idles', async (t) => {
  for (const silent of ['UID FETCH', 'NOOP', 'IDLE']) {
    const { mailbox } = await open(t, { script: ({ verb }) => (verb === silent ? { stall: true } : undefined) })
    await mailbox.open('INBOX', { readOnly: true })
    const ask = () => mailbox.fetchSummaries([1])
    const wait = () => mailbox.wait(new AbortController().signal, { idle: true, timeoutMs: 3_600_000 })
    await assert.rejects(silent === 'UID FETCH' ? ask() : wait(), { retryable: true }, silent)
  }
})

test('a server that ends IDLE by itself is listened to again', async (t) => {
  const { server, mailbox } = await open(t, {})
  await mailbox.open('INBOX', { readOnly: true })
  const waiting = mailbox.wait(new AbortController().signal, { idle: true, timeoutMs: 3_600_000 })
  await server.reached('IDLE', 3)
  server.deliver('Subject: new\r\n\r\n')
  await waiting
})

test('a server that refuses IDLE, or never really idles, is not asked in a loop', async (t) => {
  const { server, mailbox } = await open(t, {
    script: ({ verb }) => (verb === 'IDLE' ? { answer: 'NO not today' } : undefined),
  })
  await mailbox.open('INBOX', { readOnly: true })
  await mailbox.wait(new AbortController().signal, { idle: true, timeoutMs: 1_000 })
  assert.ok(server.count('IDLE') <= 2)
  assert.ok(server.count('NOOP') < 12, `${server.count('NOOP')} exchanges in a second`)
})

test('what arrives while a folder is being read is not waited for', async (t) => {
  const { mailbox } = await open(t, {
    script: ({ verb }) => (verb === 'UID FETCH' ? { tell: ['4 EXISTS'] } : undefined),
  })
  await mailbox.open('INBOX', { readOnly: true })
  await mailbox.searchUids({}, 1)
  await mailbox.fetchSummaries([1])
  await mailbox.searchUids({}, 1)
  await mailbox.wait(new AbortController().signal, { idle: true, timeoutMs: 3_600_000 })
})

test('days are searched with a margin, keywords and sizes as they are', async (t) => {
  const { server, mailbox } = await open(t, {}, 0)
  const day = Date.UTC(2026, 0, 31)
  server.deliver('Subject: old\r\n\r\n', ['Invoice'], new Date(day - 86_400_000))
  server.deliver('Subject: now\r\n\r\n', ['Invoice'], new Date(day))
  server.deliver('Subject: other\r\n\r\n', [], new Date(day))
  await mailbox.open('INBOX', { readOnly: true })
  assert.deepEqual(await mailbox.searchUids({ sinceMs: day, keyword: 'Invoice' }, 1), [1, 2], 'a superset')
  assert.deepEqual(await mailbox.searchUids({ sinceMs: day + 4 * 86_400_000 }, 1), [])
  assert.deepEqual(await mailbox.searchUids({ beforeMs: day - 4 * 86_400_000 }, 1), [])
  assert.deepEqual(await mailbox.searchUids({ unread: false }, 1), [])
  assert.deepEqual(await mailbox.searchUids({ largerThanBytes: 16 }, 1), [3])
  assert.deepEqual(await mailbox.searchUids({ keyword: '\\Seen' }, 1), [1, 2, 3], 'a system flag is no keyword')
})
