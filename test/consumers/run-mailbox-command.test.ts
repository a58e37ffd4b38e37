import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { MailboxCommand } from '../../src/avro/records.ts'
import type { CommandPlan } from '../../src/consumers/plan-command.ts'
import { runMailboxCommand, type CommandOutcome } from '../../src/consumers/run-mailbox-command.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { mail } from '../support/folder.ts'
import { ScriptFolder } from '../support/imap-fault-folder.ts'
import { startImapScriptServer, type ImapScriptServer, type ImapServerOptions } from '../support/imap-fault-server.ts'

const commandWith = (changes: Partial<MailboxCommand>): MailboxCommand => ({
  id: 'c1',
  account: 'main',
  action: 'MOVE',
  fromFolder: 'INBOX',
  toFolder: null,
  createFolder: true,
  flags: [],
  target: { all: true },
  folderSizeLimit: null,
  ...changes,
})

/** An account whose commands are carried out again and again, as after crashes: plans stay, connections do not. */
class Account {
  readonly server: ImapScriptServer
  plan: CommandPlan | null = null
  archiveFolder: string | null = null
  isLeaseFresh = true

  constructor(server: ImapScriptServer) {
    this.server = server
  }

  async run(changes: Partial<MailboxCommand>): Promise<CommandOutcome> {
    const mailbox = await connectMailbox(this.server.config({ commandTimeoutMs: 1_000 }))
    try {
      const settings = {
        archiveFolder: this.archiveFolder,
        isLeaseFresh: () => this.isLeaseFresh,
        redeliver: async (_mailbox: unknown, _folder: string, _uidValidity: number, uids: readonly number[]) => ({
          count: uids.length,
          records: [],
        }),
      }
      const keep = async (plan: CommandPlan) => void (this.plan = JSON.parse(JSON.stringify(plan)) as CommandPlan)
      const memory = { plan: this.plan, keep, headers: [] }
      return (await runMailboxCommand(mailbox, commandWith(changes), settings, memory)).outcome
    } finally {
      await mailbox.close()
    }
  }

  subjects(folder: string): string[] {
    return this.server.folder(folder).messages.map(({ raw }) => /Subject: (.*)/.exec(raw)?.[1] ?? '')
  }
}

const openAccount = async (t: TestContext, count: number, options: ImapServerOptions = {}): Promise<Account> => {
  const server = await startImapScriptServer(t, options)
  for (let n = 1; n <= count; n += 1) server.deliver(`Message-ID: <m${n}@x>\r\n${mail(`s${n}`)}`)
  return new Account(server)
}

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
