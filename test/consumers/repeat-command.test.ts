/** Commands that were broken off and are carried out again, and servers that do not tell what they have done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAccount, type Account } from '../support/command-account.ts'
import { mail } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'
import type { ImapServerOptions } from '../support/imap-fault-server.ts'

/** The server does it, and the worker never hears of it. */
const doneButUnheard = (verb: string, capabilities?: string[]) => {
  let isFirst = true
  const options: ImapServerOptions = {
    ...(capabilities === undefined ? {} : { capabilities }),
    script: (occasion) => {
      if (occasion.verb !== verb || !isFirst) return undefined
      isFirst = false
      return { change: (line) => (line.startsWith('OK') ? 'BYE' : null) }
    },
  }
  return options
}

for (const [action, verb] of [
  ['MOVE', 'UID MOVE'],
  ['COPY', 'UID COPY'],
] as const) {
  test(`a ${action} whose answer was lost is not repeated, and its result tells the new UIDs`, async (t) => {
    const account = await openAccount(t, 4, doneButUnheard(verb))
    account.server.folders.set('Done', new ScriptFolder())
    account.server.folder('Done').add(mail('was there'))
    const changes = { action, toFolder: 'Done', folderSizeLimit: 2 } as const
    await assert.rejects(account.run(changes))
    const outcome = await account.run(changes)
    assert.deepEqual([outcome.status, outcome.matched, outcome.changed], ['DONE', 4, 4])
    assert.deepEqual(
      outcome.moved.map(({ fromUid, toUid }) => [fromUid, toUid]),
      [
        [1, 2],
        [2, 3],
        [3, 4],
        [4, 5],
      ],
    )
    assert.deepEqual(account.subjects('Done'), ['was there', 's1', 's2', 's3', 's4'])
    assert.equal(account.server.inbox.messages.length, action === 'MOVE' ? 0 : 4)
  })
}

test('a move by copying that was broken off before it deleted does not copy again', async (t) => {
  const account = await openAccount(t, 2, doneButUnheard('UID COPY', ['UIDPLUS']))
  await assert.rejects(account.run({ toFolder: 'Done' }))
  assert.equal(account.server.inbox.messages.length, 2)
  const outcome = await account.run({ toFolder: 'Done' })
  assert.deepEqual([outcome.status, outcome.changed], ['DONE', 2])
  assert.deepEqual(account.subjects('Done'), ['s1', 's2'])
  assert.equal(account.server.inbox.messages.length, 0)
})

test('a deletion whose answer was lost is done, not missing', async (t) => {
  const account = await openAccount(t, 2, doneButUnheard('UID EXPUNGE'))
  await assert.rejects(account.run({ action: 'DELETE' }))
  const outcome = await account.run({ action: 'DELETE' })
  assert.deepEqual([outcome.status, outcome.matched, outcome.changed], ['DONE', 2, 2])
})

test('mail that arrives between two runs of a command is not part of it', async (t) => {
  const account = await openAccount(t, 2, doneButUnheard('UID MOVE'))
  await assert.rejects(account.run({ toFolder: 'Done' }))
  account.server.deliver(mail('later'))
  const outcome = await account.run({ toFolder: 'Done' })
  assert.equal(outcome.changed, 2)
  assert.deepEqual(account.subjects('INBOX'), ['later'])
})

const withoutCopyUid = (line: string): string => line.replace(/\[COPYUID [^\]]*\] /, '')

test('a copy that is not told counts only where it has arrived, and its new UIDs are found', async (t) => {
  let isLying = false
  const account = await openAccount(t, 3, {
    script: ({ verb }) => {
      if (verb !== 'UID COPY') return undefined
      return isLying ? { answer: 'OK done' } : { change: withoutCopyUid }
    },
  })
  const honest = await account.run({ action: 'COPY', toFolder: 'Copies' })
  assert.deepEqual([honest.status, honest.changed], ['DONE', 3])
  assert.deepEqual(
    honest.moved.map(({ fromUid, toUid }) => [fromUid, toUid]),
    [
      [1, 1],
      [2, 2],
      [3, 3],
    ],
  )
  account.plan = null
  isLying = true
  const lie = await account.run({ action: 'COPY', toFolder: 'Copies' })
  assert.deepEqual([lie.status, lie.changed, lie.moved], ['FAILED', 0, []])
  assert.equal(lie.error?.code, 'IMAP_COMMAND_FAILED')
})

test('a copy to a server that gives copies another date is done though nobody can tell which is which', async (t) => {
  const account = await openAccount(t, 2, {
    script: ({ verb }) => (verb === 'UID COPY' ? { change: withoutCopyUid } : undefined),
  })
  const copies = new ScriptFolder()
  const add = copies.add.bind(copies)
  copies.add = (raw, flags) => add(raw, flags, new Date(0))
  account.server.folders.set('Copies', copies)
  const { status, changed, moved } = await account.run({ action: 'COPY', toFolder: 'Copies' })
  assert.deepEqual([status, changed], ['DONE', 2])
  assert.deepEqual(
    moved.map(({ toUid }) => toUid),
    [null, null],
  )
})

test('a move whose server tells no UIDs finds them', async (t) => {
  const account = await openAccount(t, 2, {
    script: ({ verb }) => (verb === 'UID MOVE' ? { change: withoutCopyUid } : undefined),
  })
  const { status, moved } = await account.run({ toFolder: 'Done' })
  assert.equal(status, 'DONE')
  assert.deepEqual(moved, [
    { fromUid: 1, toUid: 1 },
    { fromUid: 2, toUid: 2 },
  ])
})

test('a move by copying deletes what has arrived, also where the server does not tell what it has copied', async (t) => {
  const account = await openAccount(t, 3, {
    capabilities: ['UIDPLUS'],
    script: ({ verb }) => (verb === 'UID COPY' ? { change: withoutCopyUid } : undefined),
  })
  const outcome = await account.run({ toFolder: 'Done', folderSizeLimit: 2 })
  assert.deepEqual([outcome.status, outcome.changed], ['DONE', 3])
  assert.deepEqual(account.subjects('Done'), ['s1', 's2', 's3'])
  assert.equal(account.server.inbox.messages.length, 0)
})

for (const [title, forget] of [
  ['whose server does not tell UIDNEXT', () => undefined],
  [
    'of too many messages to keep their fingerprints',
    (account: Account) => {
      if (account.plan !== null) account.plan.fingerprints = []
    },
  ],
] as const) {
  for (const [action, capabilities] of [
    ['COPY', ['UIDPLUS', 'MOVE']],
    ['MOVE', ['UIDPLUS']],
  ] as const) {
    test(`a ${action} by copying ${title} is not repeated after its answer was lost`, async (t) => {
      const { script, ...options } = doneButUnheard('UID COPY', [...capabilities])
      const hidesUidNext = title.includes('UIDNEXT')
      const account = await openAccount(t, 3, {
        ...options,
        script: (occasion) =>
          occasion.verb === 'STATUS' && hidesUidNext
            ? { change: (line) => line.replace(/ UIDNEXT \d+/, '') }
            : script?.(occasion),
      })
      account.server.folders.set('Done', new ScriptFolder())
      account.server.folder('Done').add(mail('was there'))
      const changes = { action, toFolder: 'Done', folderSizeLimit: 2 } as const
      await assert.rejects(account.run(changes))
      forget(account)
      const outcome = await account.run(changes)
      assert.deepEqual([outcome.status, outcome.changed], ['DONE', 3])
      assert.deepEqual(account.subjects('Done'), ['was there', 's1', 's2', 's3'])
      assert.equal(account.server.inbox.messages.length, action === 'MOVE' ? 0 : 3)
    })
  }
}

test('a plan of 20,000 scattered messages fits into one record of any broker', async (t) => {
  const account = await openAccount(t, 0)
  const { inbox } = account.server
  for (let n = 1; n <= 20_000; n += 1) {
    inbox.uidNext += 1
    inbox.add('')
  }
  await account.run({ action: 'ADD_FLAGS', flags: ['x'] })
  const { plan } = account
  assert.ok(plan !== null)
  const full = { ...plan, fingerprints: Array.from({ length: 20_000 }, () => 'a'.repeat(12)) }
  assert.ok(JSON.stringify(full).length < 900_000)
})
