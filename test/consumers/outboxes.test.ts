import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Accounts } from '../../src/accounts.ts'
import { Outboxes } from '../../src/consumers/outboxes.ts'
import type { PosthornEvent } from '../../src/events.ts'
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
  assert.equal((await mail?.deliver())?.accountFailure, true)
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
