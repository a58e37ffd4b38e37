import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectMailbox } from '../../src/mail/imap-mailbox.ts'
import { Faults } from '../../src/mail/imap-faults.ts'
import { mail } from '../support/folder.ts'
import { startImapScriptServer } from '../support/imap-fault-server.ts'

test('a refusal is told of the command that was refused, though another one failed beside it', async (t) => {
  const server = await startImapScriptServer(t, {
    script: ({ verb }) => {
      if (verb === 'UID FETCH') return { answer: 'NO [LIMIT] not now' }
      return verb === 'UID SEARCH' ? { answer: 'NO [NOPERM] no' } : undefined
    },
  })
  server.deliver(mail('a'))
  const mailbox = await connectMailbox(server.config())
  t.after(() => mailbox.close())
  await mailbox.open('INBOX', { readOnly: false })
  const [search, fetch, flag] = await Promise.allSettled([
    mailbox.searchUids({}, 1),
    mailbox.fetchSummaries([1]),
    // Nothing goes over the wire, so nothing is said.
    mailbox.removeFlags([1], ['\\Recent']),
  ])
  const told = [search, fetch, flag].map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'done'))
  assert.deepEqual(told, [
    'IMAP: searching failed (NOPERM)',
    'IMAP: fetching messages failed (LIMIT)',
    'IMAP: removing flags failed (the server answers NO)',
  ])
})

test('a reason is given once, to the command that it belongs to', () => {
  const faults = new Faults()
  const refused = Object.assign(new Error('Command failed'), { executedCommand: 'A1 UID STORE 1:2 +FLAGS (x)' })
  faults.logger.warn({ err: refused })
  faults.logger.warn({})
  assert.equal(faults.take(['FETCH', 'SEARCH']), null)
  assert.equal(faults.take(['STORE', 'EXPUNGE']), refused)
  assert.equal(faults.take(['STORE', 'EXPUNGE']), null)
  const lost = new Error('of no command')
  faults.logger.warn({ err: lost })
  for (const verb of ['STORE', 'MOVE']) assert.equal(faults.take([verb]), lost, 'it is the reason of all of them')
})

test('a folder that is missing is said to be, also by a server that answers without a code', async (t) => {
  const server = await startImapScriptServer(t, {
    script: ({ verb }) => (verb === 'SELECT' ? { answer: 'NO what folder?' } : undefined),
  })
  const mailbox = await connectMailbox(server.config())
  t.after(() => mailbox.close())
  await assert.rejects(mailbox.open('Gone', { readOnly: false }), {
    code: 'IMAP_FOLDER_MISSING',
    message: 'IMAP: opening folder "Gone" failed (there is no such folder)',
  })
})
