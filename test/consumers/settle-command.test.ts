import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MailboxCommand } from '../../src/avro/records.ts'
import type { TopicsConfig } from '../../src/config/config.ts'
import type { MailboxHost } from '../../src/consumers/mailbox-partition.ts'
import type { KeptPlan } from '../../src/consumers/plan-command.ts'
import { CommandSettler, type CommandAccount } from '../../src/consumers/settle-command.ts'
import { PosthornError } from '../../src/errors.ts'
import { header, type ConsumedRecord, type OutgoingRecord } from '../../src/kafka/records.ts'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import type { Mailbox } from '../../src/mail/mailbox.ts'
import { WorkGate } from '../../src/producers/work-gate.ts'
import { mail } from '../support/folder.ts'
import { startImapScriptServer } from '../support/imap-fault-server.ts'
import { codec, headerOf } from '../support/kafka.ts'

const topics = { commands: 'commands', commandResults: 'results', deadLetters: 'dead', checkpoints: 'state' }
const trace = header('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')

const commandWith = (changes: Partial<MailboxCommand> = {}): MailboxCommand => ({
  id: 'c1',
  account: 'mine',
  action: 'MARK_SEEN',
  fromFolder: 'INBOX',
  toFolder: null,
  createFolder: true,
  flags: [],
  target: { all: true },
  folderSizeLimit: null,
  ...changes,
})

const recordOf = async (command: MailboxCommand, headers = [trace]): Promise<ConsumedRecord> => ({
  topic: 'commands',
  partition: 0,
  offset: 7,
  timestamp: 0,
  key: null,
  value: await codec.encode('MailboxCommand', command, 'commands'),
  headers,
})

const setUp = (withMailbox: CommandAccount['withMailbox']) => {
  const committed: OutgoingRecord[] = []
  const host: MailboxHost = {
    partition: 0,
    gate: new WorkGate(),
    commit: async ({ records }) => void committed.push(...records),
    isLeaseFresh: () => true,
    plans: new Map<number, KeptPlan>(),
    checkpoints: new Map(),
    signal: new AbortController().signal,
  }
  const settings = { archiveFolder: null, isLeaseFresh: () => true }
  const account = { settings, withMailbox } as unknown as CommandAccount
  const settler = new CommandSettler({
    codec,
    topics: topics as TopicsConfig,
    isKnown: (name) => name !== 'unknown',
    account: (name) => (name === 'mine' ? account : null),
    partitionOf: (name) => (name === 'theirs' ? 3 : 0),
    emit: () => undefined,
    now: () => 1,
  })
  return { settler, host, committed }
}

const planOf = (of: string): KeptPlan => ({
  of,
  uidValidity: 1,
  uids: '1',
  missing: 0,
  toFolder: null,
  toUidNext: 1,
  fingerprints: [],
  redelivered: { upTo: 0, count: 0 },
})

const unreachable = () =>
  Promise.reject(new PosthornError('IMAP_UNREACHABLE', 'no', { stage: 'connect', retryable: true }))

test('a command in the wrong partition is passed on once, unchanged, with its trace', async () => {
  const { settler, host } = setUp(unreachable)
  const record = await recordOf(commandWith({ account: 'theirs' }))
  const { records, source } = await settler.settle(record, host, 1, true)
  const [forwarded, ...more] = records
  assert.equal(more.length, 0)
  assert.deepEqual([forwarded?.topic, forwarded?.partition, forwarded?.key], ['commands', 3, 'theirs'])
  assert.deepEqual(forwarded?.value, record.value)
  assert.deepEqual(source, { topic: 'commands', offset: 7 })

  const again = await settler.settle({ ...record, headers: forwarded?.headers ?? [] }, host, 1, true)
  assert.deepEqual(
    again.records.map(({ topic }) => topic),
    ['results', 'dead'],
    'a loop is refused',
  )
})

test('a command of an account that a reload is about to take up waits for it', async () => {
  const { settler, host } = setUp(unreachable)
  const record = await recordOf(commandWith({ account: 'new' }))
  await assert.rejects(settler.settle(record, host, 1, true), { code: 'STOPPED', retryable: true })
})

test('an invalid command is a dead letter with a REJECTED result, both with the trace', async () => {
  const { settler, host } = setUp(unreachable)
  for (const changes of [{ account: 'unknown' }, { action: 'MOVE' as const }]) {
    const { records } = await settler.settle(await recordOf(commandWith(changes)), host, 1, true)
    const [result, letter] = records
    assert.equal((await codec.decode('MailboxCommandResult', result?.value ?? null)).status, 'REJECTED')
    assert.equal(letter?.topic, 'dead')
    for (const record of records)
      assert.equal(headerOf({ headers: record.headers ?? [] }, 'traceparent'), trace.value.toString())
  }
})

test('an unreachable server is waited for, but not when too much waits already', async () => {
  const { settler, host } = setUp(unreachable)
  const record = await recordOf(commandWith())
  await assert.rejects(settler.settle(record, host, 1_000, true), { code: 'IMAP_UNREACHABLE' })
  const { records } = await settler.settle(record, host, 1, false)
  const { status, error } = await codec.decode('MailboxCommandResult', records[0]?.value ?? null)
  assert.deepEqual([status, error?.code], ['FAILED', 'IMAP_UNREACHABLE'])
})

test('a command that Posthorn itself let go of is repeated, however much waits', async () => {
  const { settler, host } = setUp(() =>
    Promise.reject(new PosthornError('STOPPED', 'no', { stage: 'stop', retryable: true })),
  )
  await assert.rejects(settler.settle(await recordOf(commandWith()), host, 1, false), { code: 'STOPPED' })
})

test('an error that nobody foresaw is tried five times, then told', async () => {
  const { settler, host } = setUp(() => Promise.reject(new TypeError('what?')))
  const record = await recordOf(commandWith())
  for (const attempt of [1, 4]) await assert.rejects(settler.settle(record, host, attempt, true), { code: 'INTERNAL' })
  const { records } = await settler.settle(record, host, 5, true)
  assert.equal((await codec.decode('MailboxCommandResult', records[0]?.value ?? null)).status, 'FAILED')
})

test('a command at which the connection breaks again and again is told at last, and waits for a server in between', async () => {
  let code: 'IMAP_CONNECTION_LOST' | 'IMAP_UNREACHABLE' = 'IMAP_CONNECTION_LOST'
  const { settler, host } = setUp(() =>
    Promise.reject(new PosthornError(code, 'no', { stage: 'command', retryable: true })),
  )
  const record = await recordOf(commandWith())
  const tries = async (count: number) => {
    for (let n = 0; n < count; n += 1) await assert.rejects(settler.settle(record, host, 100, true), { code })
  }
  await tries(9)
  code = 'IMAP_UNREACHABLE'
  await tries(20)
  code = 'IMAP_CONNECTION_LOST'
  const { records } = await settler.settle(record, host, 101, true)
  const { status, error } = await codec.decode('MailboxCommandResult', records[0]?.value ?? null)
  assert.deepEqual([status, error?.code], ['FAILED', 'IMAP_CONNECTION_LOST'])
  await assert.rejects(settler.settle(record, host, 1, true), { code }, 'the next one has its own tries')
})

test('the plan of a command is dropped together with its result', async () => {
  const { settler, host } = setUp(() =>
    Promise.reject(new PosthornError('IMAP_FOLDER_MISSING', 'no', { stage: 'select' })),
  )
  host.plans.set(7, planOf('c1 0'))
  const { records } = await settler.settle(await recordOf(commandWith()), host, 1, true)
  assert.deepEqual(
    records.map(({ topic, key, value }) => [topic, key, value === null]),
    [
      ['results', 'c1', false],
      ['state', '#command/7', true],
    ],
  )
})

test('a plan at the same offset of a topic that was made again is not taken for this command', async (t) => {
  const server = await startImapScriptServer(t)
  for (const subject of ['a', 'b']) server.deliver(mail(subject))
  const withMailbox = async <T>(use: (mailbox: Mailbox) => Promise<T>): Promise<T> => {
    const mailbox = await connectMailbox(server.config())
    try {
      return await use(mailbox)
    } finally {
      await mailbox.close()
    }
  }
  const { settler, host } = setUp(withMailbox)
  const seen = () => server.inbox.messages.map(({ flags }) => flags.has('\\Seen'))
  for (const of of ['c0 0', 'c1 99']) {
    host.plans.set(7, planOf(of))
    const { records } = await settler.settle(await recordOf(commandWith()), host, 1, true)
    assert.deepEqual(seen(), [true, true])
    assert.equal(host.plans.size, 0)
    assert.equal(records.at(-1)?.value, null, 'the old plan goes as well')
    for (const { flags } of server.inbox.messages) flags.clear()
  }
  host.plans.set(7, planOf('c1 0'))
  await settler.settle(await recordOf(commandWith()), host, 1, true)
  assert.deepEqual(seen(), [true, false], 'its own plan is kept to')
})

test('a result that may be too large for the broker has a shorter one in its place', async () => {
  const moved = Array.from({ length: 12_000 }, (_, n) => ({ fromUid: n + 1, toUid: n + 1 }))
  const outcome = { status: 'DONE', matched: 12_000, changed: 12_000, moved, toFolder: 'Done', error: null } as const
  const { settler, host } = setUp(async () => ({ outcome, records: [] }) as never)
  const { records } = await settler.settle(await recordOf(commandWith()), host, 1, true)
  const decode = (record?: OutgoingRecord) => codec.decode('MailboxCommandResult', record?.value ?? null)
  assert.equal((await decode(records[0])).moved.length, 12_000)
  const instead = await decode(records[0]?.insteadWhenTooLarge)
  assert.deepEqual([instead.status, instead.changed, instead.moved], ['DONE', 12_000, []])
})
