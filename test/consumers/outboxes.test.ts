import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Accounts } from '../../src/accounts.ts'
import { Outboxes } from '../../src/consumers/outboxes.ts'
import { PosthornError } from '../../src/errors.ts'
import type { PosthornEvent } from '../../src/events.ts'
import type { ConnectedMailbox } from '../../src/mail/mailbox.ts'
import { compile, withSections } from '../config/support.ts'
import { sendRequest } from '../support/send-request.ts'
import { startScriptServer, usualExtensions } from '../support/smtp-script-server.ts'

test('an account that was refused is resumed when it is configured anew', async (t) => {
  const server = await startScriptServer(t, {
    extensions: [...usualExtensions, 'AUTH PLAIN'],
    script: ({ step }) => (step === 'AUTH' ? { reply: '535 5.7.8 bad credentials' } : undefined),
  })
  const configured = (password: string) => {
    const auth = `auth: { user: u, password: ${password} }, allowPlaintextAuth: true`
    const smtp = `{ host: 127.0.0.1, port: ${server.port}, security: none, from: a@example.com, ${auth} }`
    return compile(withSections(`accounts: { default: { smtp: ${smtp} } }`))
  }
  const config = configured('wrong')
  const accounts = new Accounts(config.accounts)
  const events: PosthornEvent[] = []
  const outboxes = new Outboxes(accounts, {
    config,
    store: null,
    connections: { openMailbox: () => assert.fail(), accessTokens: () => undefined },
    emit: (event) => events.push(event),
    now: Date.now,
    random: () => 0.5,
  })
  t.after(() => outboxes.close(0))
  const mail = await outboxes.get('default')?.prepare(sendRequest(), '<m@x>', new Set(), { at: 0, token: 'token' })
  assert.equal((await mail?.deliver(new AbortController().signal))?.accountFailure, true)
  assert.deepEqual(
    events.map(({ type }) => type),
    ['AccountPaused'],
  )
  accounts.replace(configured('right').accounts)
  assert.deepEqual(
    events.map(({ type }) => type),
    ['AccountPaused', 'AccountResumed'],
  )
  accounts.replace({})
  assert.equal(events.length, 2, 'nothing was wrong with the new one')
})

const withMailbox = (port: number, from = 'a@example.com') =>
  compile(
    withSections(`accounts: { default: {
      smtp: { host: 127.0.0.1, port: ${port}, security: none, from: ${from} },
      imap: { host: 127.0.0.1, port: 1, security: tls, auth: { user: u, password: p } } } }`),
  )

const open = (
  accounts: Accounts,
  config: ReturnType<typeof withMailbox>,
  openMailbox: () => Promise<ConnectedMailbox>,
) =>
  new Outboxes(accounts, {
    config,
    store: null,
    connections: { openMailbox, accessTokens: () => undefined },
    emit: () => undefined,
    now: Date.now,
    random: () => 0.5,
  })

const seed = { at: 0, token: 'token' }

test('a mail that is being saved when the process stops gets the time to be', async (t) => {
  const server = await startScriptServer(t)
  const steps: string[] = []
  const gate = new EventEmitter()
  const appending = once(gate, 'appending')
  const mailbox = {
    createFolder: async () => undefined,
    open: async () => undefined,
    searchUids: async () => [],
    fetchSummaries: async () => [],
    append: async () => {
      gate.emit('appending')
      await once(gate, 'append')
      steps.push('saved')
    },
    close: async () => void steps.push('closed'),
  }
  const config = withMailbox(server.port)
  const outboxes = open(new Accounts(config.accounts), config, async () => mailbox as unknown as ConnectedMailbox)
  const saving = outboxes.get('default')?.save(sendRequest({ saveToFolder: 'Sent' }), '<m@x>', seed)
  await appending
  const closing = outboxes.close(20_000)
  gate.emit('append')
  await Promise.all([saving, closing])
  assert.deepEqual(steps, ['saved', 'closed'])
  await assert.rejects(
    outboxes.get('default')?.wasSent('<m@x>') ?? assert.fail(),
    (error) => error instanceof PosthornError && error.code === 'STOPPED',
  )
})

test('an account that is configured anew finishes its mails the old way, and is kept no longer than that', async (t) => {
  const server = await startScriptServer(t, {
    script: ({ step, nth }) => (step === 'END' && nth === 1 ? { stall: true } : undefined),
  })
  const config = withMailbox(server.port)
  const accounts = new Accounts(config.accounts)
  const outboxes = open(accounts, config, () => assert.fail())
  const before = outboxes.get('default')
  const mail = await before?.prepare(sendRequest(), '<m@x>', new Set(), seed)
  const delivering = mail?.deliver(new AbortController().signal)
  await server.reached('END')
  accounts.replace(withMailbox(server.port, 'b@example.com').accounts)
  assert.notEqual(outboxes.get('default'), before)
  assert.equal(outboxes.open, 2)
  for (const socket of server.sockets) socket.write('250 2.0.0 Ok: queued\r\n')
  assert.equal((await delivering)?.kind, 'delivered')
  await before?.whenIdle()
  await turn()
  assert.equal(outboxes.open, 1)
  await outboxes.close(0)
})
