import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { checkImap, type CheckedMailbox } from '../../src/check/check-imap.ts'
import { runChecks } from '../../src/check/run-checks.ts'
import type { AccountConfig, ImapConfig } from '../../src/config/config.ts'
import { PosthornError } from '../../src/errors.ts'

/** Something to connect to; the mailbox itself is a fake. */
const listen = async (t: TestContext): Promise<ImapConfig> => {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return { host: '127.0.0.1', port, security: 'none', auth: null } as ImapConfig
}

const accountWith = (changes: Partial<AccountConfig>): AccountConfig => ({
  name: 'support',
  smtp: null,
  imap: null,
  receive: [],
  archiveFolder: null,
  sentFolder: null,
  ...changes,
})
const rule = (folder: string, after: AccountConfig['receive'][number]['after'] = { action: 'none' }) =>
  ({ folder, after }) as AccountConfig['receive'][number]

class FakeMailbox implements CheckedMailbox {
  readonly loginWay = null
  readonly capabilities = new Set(['IDLE', 'MOVE', 'UIDPLUS'])
  readonly opened: string[] = []
  isClosed = false
  folders = ['INBOX', 'Processed']

  listFolders = async () => this.folders.map((path) => ({ path, specialUse: null }))
  open = async (folder: string, { readOnly }: { readOnly: boolean }) => {
    assert.equal(readOnly, true, 'a check must change nothing')
    this.opened.push(folder)
    return { uidValidity: 1, uidNext: 1 }
  }
  close = async () => {
    this.isClosed = true
  }
}

const run = async (account: AccountConfig, imap: ImapConfig, connect: () => Promise<CheckedMailbox>) =>
  runChecks([checkImap(account, imap, { connect, now: () => 0 })], {
    timeoutMs: 5_000,
    concurrency: 1,
    signal: new AbortController().signal,
    now: () => 0,
  })

describe('checkImap', () => {
  it('tells what the server can do and which folders are there, and leaves', async (t) => {
    const mailbox = new FakeMailbox()
    const account = accountWith({
      receive: [rule('inbox', { action: 'move', folder: 'Done' }), rule('Processed')],
      archiveFolder: 'Archive',
    })
    const results = await run(account, await listen(t), async () => mailbox)
    assert.deepEqual(
      results.map(({ step, ok }) => [step, ok]),
      [
        ['dns', true],
        ['tcp', true],
        ['login', true],
        ['folders', true],
      ],
    )
    assert.match(results[2]?.message ?? '', /IDLE, MOVE, UIDPLUS, not CONDSTORE/)
    assert.match(
      results[3]?.message ?? '',
      /^2 folders; inbox, Processed can be opened; archived mail goes to Archive; .*; Done, Archive will be created$/,
    )
    assert.deepEqual(mailbox.opened, ['inbox', 'Processed'])
    assert.equal(mailbox.isClosed, true)
  })

  it('names the folders that are configured and missing, and those that there are', async (t) => {
    const mailbox = new FakeMailbox()
    const results = await run(accountWith({ receive: [rule('Bestellungen')] }), await listen(t), async () => mailbox)
    const last = results.at(-1)
    assert.equal(last?.code, 'IMAP_FOLDER_MISSING')
    assert.match(last?.message ?? '', /Bestellungen/)
    assert.match(last?.action ?? '', /INBOX, Processed/)
    assert.equal(mailbox.isClosed, true)
  })

  it('ends at a login that fails', async (t) => {
    const results = await run(accountWith({}), await listen(t), async () => {
      throw new PosthornError('IMAP_AUTHENTICATION_FAILED', 'no', {
        stage: 'authenticate',
        action: 'Check the password.',
      })
    })
    assert.deepEqual(
      results.map(({ step, code }) => [step, code]),
      [
        ['dns', null],
        ['tcp', null],
        ['login', 'IMAP_AUTHENTICATION_FAILED'],
      ],
    )
  })
})
