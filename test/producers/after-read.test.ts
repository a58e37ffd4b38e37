/** Moves after reading on servers without MOVE (RFC 6851): by a copy and a deletion, between which anything may break. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mail, openFolder } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'
import type { ImapOccasion, ImapReaction } from '../support/imap-fault-server.ts'

const open = (
  t: Parameters<typeof openFolder>[0],
  script: (occasion: ImapOccasion) => ImapReaction | undefined,
  capabilities = ['UIDPLUS'],
) => openFolder(t, { after: { action: 'move', folder: 'Done' } }, { capabilities, script })

type Folder = Awaited<ReturnType<typeof open>>

const subjectsIn = (folder: Folder, name: string) =>
  folder.server.folder(name).messages.map(({ raw }) => /Subject: (.*)/.exec(raw)?.[1])

test('mail is moved by copying and deleting exactly, between two syncs', async (t) => {
  const folder = await open(t, () => undefined)
  for (const name of ['a', 'b', 'c']) folder.server.deliver(mail(name))
  folder.server.inbox.messages[1]?.flags.add('\\Deleted')
  folder.server.inbox.add(mail('of another client'), ['\\Deleted'])
  folder.rule = { ...folder.rule, select: { ...folder.rule.select, smallerThanBytes: mail('a').length + 1 } }
  await folder.sync()
  assert.equal(folder.retryInMs, 0, 'the next sync follows at once')
  await folder.syncUntilSettled()
  assert.deepEqual(subjectsIn(folder, 'Done'), ['a', 'b', 'c'])
  assert.deepEqual(subjectsIn(folder, 'INBOX'), ['of another client'])
  assert.deepEqual(await folder.subjects(), ['a', 'b', 'c'])
  assert.equal((await folder.checkpoint())?.afterReadToUidNext, null)
})

const breaks: Record<string, Parameters<typeof open>[1]> = {
  'the answer to the copy is lost': ({ verb, connection }) =>
    verb === 'UID COPY' && connection === 2 ? { change: (line) => (line.startsWith('OK') ? 'BYE' : null) } : undefined,
  'the connection breaks before the deletion': ({ verb, connection }) =>
    (verb === 'UID STORE' || verb === 'UID EXPUNGE') && connection === 2 ? { drop: true } : undefined,
  'the server refuses the deletion once': ({ verb, connection }) =>
    (verb === 'UID STORE' || verb === 'UID EXPUNGE') && connection === 2 ? { answer: 'NO not now' } : undefined,
}

for (const [title, script] of Object.entries(breaks)) {
  for (const isKilled of [false, true]) {
    test(`nothing is copied twice when ${title}${isKilled ? ' and the worker dies' : ''}`, async (t) => {
      const folder = await open(t, script)
      for (const name of ['a', 'a', 'b']) folder.server.deliver(mail(name), [], new Date(0))
      await folder.sync()
      await folder.sync().catch(() => undefined)
      assert.equal(folder.server.folder('Done').messages.length, 3)
      if (isKilled) folder.restart()
      folder.server.deliver(mail('new'))
      await folder.syncUntilSettled()
      assert.deepEqual(subjectsIn(folder, 'Done'), ['a', 'a', 'b', 'new'])
      assert.deepEqual(subjectsIn(folder, 'INBOX'), [])
      assert.deepEqual(await folder.subjects(), ['a', 'a', 'b', 'new'])
    })
  }
}

test('a server that does not tell what it has copied is looked at, and copies once', async (t) => {
  const folder = await open(t, ({ verb }) =>
    verb === 'UID COPY' ? { change: (line) => line.replace(/\[COPYUID [^\]]*\] /, '') } : undefined,
  )
  folder.server.deliver(mail('a'))
  await folder.syncUntilSettled()
  assert.deepEqual(subjectsIn(folder, 'Done'), ['a'])
  assert.deepEqual(subjectsIn(folder, 'INBOX'), [])
})

test('without UIDPLUS nothing is copied, and the folder goes on', async (t) => {
  const folder = await open(t, () => undefined, [])
  for (const name of ['a', 'b']) {
    folder.server.deliver(mail(name))
    await folder.sync()
    await folder.sync()
  }
  assert.equal(folder.told('AfterReadFailed') > 0, true)
  assert.equal(folder.server.count('UID COPY'), 0)
  assert.deepEqual(await folder.subjects(), ['a', 'b'])
})

test('an identical message that was in the destination before proves nothing', async (t) => {
  const folder = await open(t, breaks['the connection breaks before the deletion'] ?? (() => undefined))
  folder.server.deliver(mail('a'), [], new Date(0))
  await folder.sync()
  // Somebody files a copy of it meanwhile, before the move begins.
  folder.server.folders.set('Done', new ScriptFolder())
  folder.server.folder('Done').add(mail('a'), [], new Date(0))
  await folder.syncUntilSettled()
  assert.deepEqual(subjectsIn(folder, 'Done'), ['a', 'a'])
  assert.deepEqual(subjectsIn(folder, 'INBOX'), [])
})
