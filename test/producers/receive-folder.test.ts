import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosthornError } from '../../src/errors.ts'
import { everyMessage } from '../../src/mail/match-message.ts'
import { mail, openFolder } from '../support/folder.ts'
import type { ImapReaction } from '../support/imap-fault-server.ts'
import { fromUidSet } from '../../src/mail/uid-set.ts'

const day = 86_400_000
const minute = 60_000

test('a folder is published from the first to the newest message, each once', async (t) => {
  const folder = await openFolder(t)
  for (const name of ['a', 'b', 'c']) folder.server.deliver(mail(name, 'content'))
  assert.equal(await folder.sync(), 3)
  assert.equal(await folder.sync(), 0)
  folder.server.deliver(mail('d'))
  folder.restart()
  assert.equal(await folder.sync(), 1)
  assert.deepEqual(await folder.subjects(), ['a', 'b', 'c', 'd'])
  assert.equal((await folder.checkpoint())?.lastUid, 4)
  assert.equal(folder.s3.objects.size, 3)
})

test('a commit that fails is repeated from the same message, with the same objects', async (t) => {
  const folder = await openFolder(t)
  for (const name of ['a', 'b']) folder.server.deliver(mail(name, 'content'))
  let failures = 1
  folder.beforeCommit = (records) => {
    if (records.length === 1 || failures === 0) return
    failures -= 1
    throw new PosthornError('REGISTRY_UNREACHABLE', 'no', { stage: 'publish', retryable: true })
  }
  await assert.rejects(folder.sync(), { code: 'REGISTRY_UNREACHABLE' })
  assert.deepEqual(await folder.subjects(), [])
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
  assert.equal(folder.s3.objects.size, 2)
})

test('unread at first sight means then: what is read or marked later is taken and left as it was seen', async (t) => {
  const folder = await openFolder(t, { start: { at: 'unread' } })
  folder.server.deliver(mail('seen'), ['\\Seen'])
  folder.server.deliver(mail('unread'))
  folder.server.deliver(mail('also unread'))
  folder.s3.fault = () => ({ status: 503, code: 'SlowDown' })
  folder.rule = { ...folder.rule, keepRaw: true }
  await assert.rejects(folder.sync(), { code: 'STORAGE_FAILED' })
  // Meanwhile somebody reads the mail.
  folder.server.inbox.messages[0]?.flags.delete('\\Seen')
  folder.server.inbox.messages[2]?.flags.add('\\Seen')
  folder.s3.fault = () => null
  folder.server.deliver(mail('new and read'), ['\\Seen'])
  folder.restart()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['unread', 'also unread', 'new and read'])
})

for (const [at, expected] of [
  ['latest', ['new']],
  ['unread', ['unread', 'new']],
  ['earliest', ['old', 'unread', 'new']],
] as const) {
  test(`start ${at} takes ${expected.join(', ')}`, async (t) => {
    const folder = await openFolder(t, { start: { at } })
    folder.server.deliver(mail('old'), ['\\Seen'])
    folder.server.deliver(mail('unread'))
    await folder.sync()
    folder.server.deliver(mail('new'))
    await folder.sync()
    assert.deepEqual(await folder.subjects(), expected)
  })
}

test('a start date is exact to the second and inclusive, and does not govern what comes later', async (t) => {
  const sinceMs = Date.UTC(2026, 0, 31, 12)
  const folder = await openFolder(t, { start: { at: 'date', sinceMs } })
  folder.server.deliver(mail('before'), [], new Date(sinceMs - 1_000))
  folder.server.deliver(mail('then'), [], new Date(sinceMs))
  await folder.sync()
  folder.server.deliver(mail('old but new here'), [], new Date(sinceMs - 10 * day))
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['then', 'old but new here'])
})

test('what a filter leaves out is neither fetched nor touched, and passed over', async (t) => {
  const select = { ...everyMessage, subject: 'ÜBER', hasAttachment: true }
  const folder = await openFolder(t, { select, after: { action: 'delete' } })
  folder.server.deliver(mail('other', 'content'))
  folder.server.deliver(mail('=?utf-8?q?=C3=BCber?= all', 'content'))
  folder.server.deliver(mail('=?utf-8?q?=C3=BCber?= nothing'))
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['über all'])
  const left = folder.server.inbox.messages
  assert.deepEqual(
    left.map(({ uid, flags }) => [uid, [...flags]]),
    [
      [1, []],
      [3, []],
    ],
  )
  assert.equal(
    folder.server.commands.some((line) => /UID FETCH.* BODY(?!\.PEEK)\[/.test(line)),
    false,
  )
  assert.equal((await folder.checkpoint())?.lastUid, 3)
})

test('a server that can narrow a big folder is not asked to describe all of it', async (t) => {
  const select = { ...everyMessage, keyword: 'Invoice', sinceMs: Date.UTC(2026, 0, 1) }
  const folder = await openFolder(t, { select })
  for (let n = 0; n < 50; n += 1) folder.server.deliver(mail(`old ${n}`), ['Invoice'], new Date(Date.UTC(2020, 0, 1)))
  folder.server.deliver(mail('meant'), ['Invoice'], new Date(Date.UTC(2026, 0, 2)))
  folder.server.deliver(mail('no keyword'), [], new Date(Date.UTC(2026, 0, 2)))
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['meant'])
  const described = folder.server.commands.filter((line) => line.includes('HEADER.FIELDS'))
  assert.deepEqual(
    described.map((line) => line.split(' ')[3]),
    ['51'],
  )
})

test('after-read actions that were missed are repeated after a restart, for what is still there', async (t) => {
  let isDown = true
  const folder = await openFolder(
    t,
    { after: { action: 'move', folder: 'Done' } },
    { script: ({ verb }) => (verb === 'UID MOVE' && isDown ? { drop: true } : undefined) },
  )
  for (const name of ['a', 'b']) folder.server.deliver(mail(name))
  await assert.rejects(folder.sync(), { retryable: true })
  assert.deepEqual((await folder.checkpoint())?.afterReadPending, [{ first: 1, last: 2 }])
  folder.server.inbox.remove(new Set([1]))
  isDown = false
  folder.restart()
  await folder.sync()
  assert.equal(folder.server.inbox.messages.length, 0)
  assert.equal(folder.server.folder('Done').messages.length, 1)
  assert.deepEqual((await folder.checkpoint())?.afterReadPending, [])
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
})

test('a folder goes on where its after-read action is refused, and the action is tried again', async (t) => {
  let isFull = true
  const folder = await openFolder(
    t,
    { after: { action: 'move', folder: 'Done' } },
    { script: ({ verb }) => (verb === 'UID MOVE' && isFull ? { answer: 'NO [NOPERM] no' } : undefined) },
  )
  folder.server.deliver(mail('a'))
  await folder.sync()
  folder.server.deliver(mail('b'))
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
  assert.equal(folder.told('AfterReadFailed'), 2)
  isFull = false
  await folder.sync()
  assert.equal(folder.server.folder('Done').messages.length, 2)
})

test('nothing is done to a mailbox on a stale lease', async (t) => {
  const folder = await openFolder(t, { after: { action: 'delete' } })
  folder.isLeaseFresh = false
  folder.server.deliver(mail('a'))
  await folder.sync()
  assert.equal(folder.server.inbox.messages.length, 1)
  folder.isLeaseFresh = true
  await folder.sync()
  assert.equal(folder.server.inbox.messages.length, 0)
})

const poisons: Record<string, { at: (args: string) => boolean; reaction: ImapReaction; code: string }> = {
  'is refused': {
    at: (args) => args.includes('BODY.PEEK[]'),
    reaction: { answer: 'NO [SERVERBUG] Internal error occurred' },
    code: 'IMAP_COMMAND_FAILED',
  },
  'kills the connection': {
    at: (args) => args.includes('BODY.PEEK[]'),
    reaction: { drop: true },
    code: 'IMAP_CONNECTION_LOST',
  },
  'never comes': {
    at: (args) => args.includes('BODY.PEEK[]'),
    reaction: { change: (line) => (line.includes('UID 3 ') ? null : line) },
    code: 'IMAP_COMMAND_FAILED',
  },
  'can not be described': {
    at: (args) => args.includes('HEADER.FIELDS'),
    reaction: { answer: 'NO that one is broken' },
    code: 'IMAP_COMMAND_FAILED',
  },
  'kills the connection when it is described': {
    at: (args) => args.includes('HEADER.FIELDS'),
    reaction: { drop: true },
    code: 'IMAP_CONNECTION_LOST',
  },
  'is not described': {
    at: (args) => args.includes('HEADER.FIELDS'),
    reaction: { change: (line) => (line.includes('UID 3 ') ? null : line) },
    code: 'IMAP_COMMAND_FAILED',
  },
}

for (const [title, { at, reaction, code }] of Object.entries(poisons)) {
  test(`one message that ${title} is a dead letter after five tries, and the others are published`, async (t) => {
    const folder = await openFolder(
      t,
      {},
      {
        script: ({ verb, args }) =>
          verb === 'UID FETCH' && at(args) && fromUidSet(args.split(' ')[0] ?? '').includes(3) ? reaction : undefined,
      },
    )
    for (const name of ['a', 'b', 'poison', 'd', 'e']) folder.server.deliver(mail(name))
    await folder.syncUntilSettled()
    assert.deepEqual((await folder.subjects()).sort(), ['a', 'b', 'd', 'e'])
    const [letter, ...more] = folder.deadLetters
    assert.equal(more.length, 0)
    assert.deepEqual(
      [letter?.key, letter?.source, letter?.code, letter?.attempts],
      ['main/INBOX/1/3', 'main/INBOX/1/3', code, 5],
    )
    assert.equal(folder.told('MessageFailed'), 5)
    assert.deepEqual((await folder.checkpoint())?.pending, [])
  })
}

test('a message that kills the connection is the only one charged, though the batch before it is under way', async (t) => {
  const poison = 120
  const folder = await openFolder(
    t,
    {},
    {
      script: ({ verb, args }) =>
        verb === 'UID FETCH' && args.includes('BODY.PEEK[]') && fromUidSet(args.split(' ')[0] ?? '').includes(poison)
          ? { drop: true }
          : undefined,
    },
  )
  const names = Array.from({ length: 150 }, (_, index) => `m${index + 1}`)
  for (const name of names) folder.server.deliver(mail(name))
  await folder.syncUntilSettled()
  const others = names.filter((_, index) => index + 1 !== poison)
  assert.deepEqual((await folder.subjects()).sort(), others.toSorted())
  assert.deepEqual(
    folder.deadLetters.map(({ key }) => key),
    [`main/INBOX/1/${poison}`],
  )
  assert.equal(folder.told('MessageFailed'), 5)
})

test('an object that the store refuses makes a dead letter with the raw message, and the others are published', async (t) => {
  const folder = await openFolder(t)
  folder.s3.fault = (request) => (request.includes('poison.txt') ? { status: 400, code: 'InvalidArgument' } : null)
  for (const name of ['a', 'poison', 'c']) folder.server.deliver(mail(name, 'content'))
  await folder.syncUntilSettled()
  assert.deepEqual(await folder.subjects(), ['a', 'c'])
  const [letter] = folder.deadLetters
  assert.deepEqual([letter?.code, letter?.attempts, letter?.raw], ['STORAGE_FAILED', 5, mail('poison', 'content')])
})

test('a message that fails for a while is published when it no longer does, though the folder went on', async (t) => {
  let isBroken = true
  const folder = await openFolder(t)
  folder.s3.fault = (request) =>
    isBroken && request.includes('b.txt') ? { status: 400, code: 'InvalidArgument' } : null
  for (const name of ['a', 'b', 'c']) folder.server.deliver(mail(name, 'content'))
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'c'])
  const [pending] = (await folder.checkpoint())?.pending ?? []
  assert.deepEqual([pending?.uid, pending?.attempts, pending?.reason], [2, 1, 'STORAGE_FAILED'])
  isBroken = false
  folder.now += minute
  folder.restart()
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'c', 'b'])
  assert.deepEqual((await folder.checkpoint())?.pending, [])
})

test('an object store that is down loses nothing and charges no message', async (t) => {
  const folder = await openFolder(t)
  folder.s3.fault = () => 'reset'
  for (const name of ['a', 'b']) folder.server.deliver(mail(name, 'content'))
  for (let n = 0; n < 8; n += 1) await assert.rejects(folder.sync(), { code: 'STORAGE_UNREACHABLE' })
  folder.s3.fault = () => null
  await folder.sync()
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
  assert.equal(folder.told('MessageFailed'), 0)
})
