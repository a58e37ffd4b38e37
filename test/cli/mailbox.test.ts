import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommandStatus, MailboxCommand } from '../../src/avro/records.ts'
import { codec, FakeCluster, runOn } from './fake-cluster.ts'

const commands = 'mail.commands'
const results = 'mail.command.results'
const brokers = ['--brokers', '127.0.0.1:1']

const run = async (argv: string[]): Promise<{ command: MailboxCommand; key: string }> => {
  const cluster = new FakeCluster()
  const { code, stderr, lines } = await runOn(['mailbox', ...argv, ...brokers], { cluster })
  assert.equal(code, 0, stderr)
  const [record, ...others] = cluster.topics.get(commands) ?? []
  assert.deepEqual(others, [])
  const command = await codec.decode('MailboxCommand', record?.value ?? null)
  assert.deepEqual(lines, [{ id: command.id }])
  return { command, key: String(record?.key) }
}

const named = async (...argv: string[]) => (await run(['archive', '--account', 'a', ...argv])).command.target

const answering = (status: CommandStatus): FakeCluster => {
  const cluster = new FakeCluster()
  cluster.topics.set(results, [])
  cluster.onRecord = async ({ value }) => {
    const { id, account, action } = await codec.decode('MailboxCommand', value)
    const input = { id, account, action, status, matched: 1, changed: 1, fromFolder: 'INBOX', completedAt: 1 }
    const answer = await codec.encode('MailboxCommandResult', input, results)
    cluster.append(results, { key: Buffer.from('somebody-else'), value: answer })
    cluster.append(results, { key: Buffer.from(id), value: answer })
  }
  return cluster
}

const all = ['--account', 'support', '--all']

describe('posthorn mailbox', () => {
  it('keys the command by its account, which decides the worker that gets it', async () => {
    const { command, key } = await run(['move', ...all, '--to-folder', 'Done', '--limit', '50'])
    assert.equal(key, 'support')
    assert.deepEqual(command, {
      id: 'id-1',
      account: 'support',
      action: 'MOVE',
      fromFolder: 'INBOX',
      toFolder: 'Done',
      createFolder: true,
      flags: [],
      target: { all: true },
      folderSizeLimit: 50,
    })
  })

  it('has a subcommand for every action', async () => {
    const cases: [string[], string, string[]][] = [
      [['archive'], 'ARCHIVE', []],
      [['copy', '--to-folder', 'X', '--no-create'], 'COPY', []],
      [['delete'], 'DELETE', []],
      [['redeliver'], 'REDELIVER', []],
      [['flag', '--add', '\\Flagged', '--add', 'todo'], 'ADD_FLAGS', ['\\Flagged', 'todo']],
      [['flag', '--remove', 'todo'], 'REMOVE_FLAGS', ['todo']],
      [['flag', '--mark-seen'], 'MARK_SEEN', []],
      [['flag', '--mark-unseen'], 'MARK_UNSEEN', []],
    ]
    for (const [argv, action, flags] of cases) {
      const { command } = await run([...argv, ...all])
      assert.equal(command.action, action)
      assert.deepEqual(command.flags, flags)
      assert.equal(command.createFolder, !argv.includes('--no-create'))
    }
  })

  it('names messages by UID, Message-ID or filter', async () => {
    assert.deepEqual(await named('--uids', '1,9:7', '--uid-validity', '42'), { uids: [1, 7, 8, 9], uidValidity: 42 })
    assert.deepEqual(await named('--message-id', 'x@y', '--message-id', '<z@y>'), { messageIds: ['<x@y>', '<z@y>'] })
    assert.deepEqual(await named('--from', '*@example.com', '--unseen', '--since', '2026-01-01', '--larger', '1KB'), {
      filter: {
        subject: null,
        from: '*@example.com',
        to: null,
        seen: false,
        since: Date.UTC(2026, 0, 1),
        before: null,
        larger: 1_024,
        smaller: null,
      },
    })
  })

  it('refuses commands that say nothing, too much or something else', async () => {
    const cases = [
      ['move', ...all],
      ['archive', '--all'],
      ['archive', '--account', 'a'],
      ['archive', ...all, '--subject', 'x'],
      ['archive', '--account', 'a', '--uids', '1'],
      ['archive', '--account', 'a', '--uid-validity', '1', '--all'],
      ['archive', '--account', 'a', '--uids', '1:*', '--uid-validity', '1'],
      ['archive', '--account', 'a', '--uids', '1:4000000000', '--uid-validity', '1'],
      ['archive', '--account', 'a', '--seen', '--unseen'],
      ['flag', ...all],
      ['flag', ...all, '--add', 'x', '--mark-seen'],
    ]
    for (const argv of cases) {
      const cluster = new FakeCluster()
      const { code, stderr } = await runOn(['mailbox', ...argv, ...brokers], { cluster })
      assert.equal(code, 2, argv.join(' '))
      assert.match(stderr, /\(USAGE_INVALID\)/)
      assert.equal(cluster.topics.size, 0)
    }
  })

  it('prints the result with --wait and takes the exit code from it', async () => {
    for (const [status, expected] of [
      ['DONE', 0],
      ['NOT_FOUND', 1],
      ['PARTIAL', 1],
    ] as const) {
      const cluster = answering(status)
      const { code, lines } = await runOn(['mailbox', 'delete', ...all, '--wait', ...brokers], { cluster })
      assert.equal(code, expected)
      assert.deepEqual(
        lines.map(({ id, status }) => [id, status]),
        [['id-1', status]],
      )
    }
  })

  it('says when no result has come in time', async () => {
    const cluster = answering('DONE')
    cluster.onRecord = () => undefined
    const argv = ['mailbox', 'delete', ...all, '--wait', '--timeout', '10ms', ...brokers]
    const { code, stderr } = await runOn(argv, { cluster })
    assert.equal(code, 1)
    assert.match(stderr, /command id-1 was accepted and has no result yet/)
  })
})
