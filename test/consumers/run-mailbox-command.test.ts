import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MailboxCommand } from '../../src/avro/records.ts'
import { openAccount } from '../support/command-account.ts'
import { mail } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'

const some = (...uids: number[]) => ({ uids, uidValidity: 1 })

test('a move reports the new UIDs, and what is missing makes it partial', async (t) => {
  const account = await openAccount(t, 3)
  const whole = await account.run({ toFolder: 'Done', target: some(1, 2) })
  assert.deepEqual([whole.status, whole.matched, whole.changed, whole.toFolder], ['DONE', 2, 2, 'Done'])
  assert.deepEqual(whole.moved, [
    { fromUid: 1, toUid: 1 },
    { fromUid: 2, toUid: 2 },
  ])
  account.plan = null
  const part = await account.run({ toFolder: 'Done', target: some(2, 3) })
  assert.deepEqual([part.status, part.matched, part.changed], ['PARTIAL', 1, 1])
  account.plan = null
  assert.equal((await account.run({ toFolder: 'Done', target: some(1) })).status, 'NOT_FOUND')
})

test('a command that means another UIDVALIDITY touches nothing', async (t) => {
  const account = await openAccount(t, 2)
  const outcome = await account.run({ action: 'DELETE', target: { uids: [1], uidValidity: 9 } })
  assert.deepEqual([outcome.status, outcome.error?.code], ['REJECTED', 'IMAP_UIDVALIDITY_CHANGED'])
  assert.equal(account.server.inbox.messages.length, 2)
})

test('every action does what it is called', async (t) => {
  const account = await openAccount(t, 1)
  const flags = () => [...(account.server.inbox.messages[0]?.flags ?? [])].sort()
  const run = async (changes: Partial<MailboxCommand>) => {
    account.plan = null
    assert.equal((await account.run({ target: some(1), ...changes })).status, 'DONE')
  }
  await run({ action: 'MARK_SEEN' })
  await run({ action: 'ADD_FLAGS', flags: ['\\Flagged', 'Invoice'] })
  assert.deepEqual(flags(), ['Invoice', '\\Flagged', '\\Seen'])
  await run({ action: 'MARK_UNSEEN' })
  await run({ action: 'REMOVE_FLAGS', flags: ['Invoice'] })
  assert.deepEqual(flags(), ['\\Flagged'])
  await run({ action: 'COPY', toFolder: 'Copies' })
  assert.deepEqual(account.subjects('Copies'), ['s1'])
  await run({ action: 'REDELIVER' })
  account.server.folders.set('Old', new ScriptFolder())
  account.server.specialUse.set('Old', '\\Archive')
  await run({ action: 'ARCHIVE' })
  assert.deepEqual(account.subjects('Old'), ['s1'])
  await run({ action: 'DELETE', fromFolder: 'Old', target: { all: true } })
  assert.deepEqual(account.subjects('Old'), [])
})

test('archiving prefers the configured folder, and says what is wrong where there is none', async (t) => {
  const account = await openAccount(t, 1)
  await assert.rejects(account.run({ action: 'ARCHIVE' }), { code: 'IMAP_FOLDER_MISSING', retryable: false })
  account.archiveFolder = 'Mine'
  assert.equal((await account.run({ action: 'ARCHIVE' })).toFolder, 'Mine')
})

test('messages are found by Message-ID with or without brackets, never by a part of another', async (t) => {
  const account = await openAccount(t, 12)
  for (const [id, subject] of [
    ['<am1@x>', 'longer'],
    ['<M1@x>', 'other case'],
    ['bare@x', 'bare'],
  ])
    account.server.deliver(`Message-ID: ${id}\r\n${mail(subject ?? '')}`)
  const messageIds = ['m1@x', '<m2@x>', '<m99@x>', '<bare@x>']
  const outcome = await account.run({ toFolder: 'Done', target: { messageIds } })
  assert.deepEqual([outcome.status, outcome.changed], ['PARTIAL', 3])
  assert.deepEqual(account.subjects('Done'), ['s1', 's2', 'bare'])
})

test('a filter decides exactly, whatever the server finds', async (t) => {
  const account = await openAccount(t, 12)
  const nothing = {
    subject: null,
    from: null,
    to: null,
    seen: null,
    since: null,
    before: null,
    larger: null,
    smaller: null,
  }
  const outcome = await account.run({ toFolder: 'Done', target: { filter: { ...nothing, subject: 'S1' } } })
  assert.equal(outcome.status, 'DONE')
  assert.deepEqual(account.subjects('Done'), ['s1', 's10', 's11', 's12'])
})

test('batches have at most folderSizeLimit messages', async (t) => {
  const account = await openAccount(t, 7)
  await account.run({ toFolder: 'Done', folderSizeLimit: 3 })
  const moves = account.server.commands.filter((line) => line.includes('UID MOVE'))
  assert.deepEqual(
    moves.map((line) => line.split(' ')[3]),
    ['1:3', '4:6', '7'],
  )
})

test('a folder that must not be created is missed before anything is done', async (t) => {
  const account = await openAccount(t, 1)
  const run = account.run({ toFolder: 'Nowhere', createFolder: false })
  await assert.rejects(run, { code: 'IMAP_FOLDER_MISSING', retryable: false })
  assert.equal(account.server.count('UID MOVE'), 0)
})

test('a refusal in the middle is told with what was done before it', async (t) => {
  const account = await openAccount(t, 4, {
    script: ({ verb, nth }) => (verb === 'UID MOVE' && nth === 2 ? { answer: 'NO [NOPERM] no' } : undefined),
  })
  const outcome = await account.run({ toFolder: 'Done', folderSizeLimit: 2 })
  assert.deepEqual([outcome.status, outcome.changed, outcome.error?.code], ['PARTIAL', 2, 'IMAP_COMMAND_FAILED'])
})

test('nothing is moved on a stale lease', async (t) => {
  const account = await openAccount(t, 1)
  account.isLeaseFresh = false
  await assert.rejects(account.run({ toFolder: 'Done' }), { retryable: true })
  assert.equal(account.server.inbox.messages.length, 1)
})
