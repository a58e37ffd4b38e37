import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Accounts } from '../../src/accounts.ts'
import type { AccountConfig } from '../../src/config/config.ts'
import { OwnedAccount, type AccountDependencies } from '../../src/consumers/account-mailboxes.ts'
import type { MailboxHost } from '../../src/consumers/mailbox-partition.ts'
import { PosthornError } from '../../src/errors.ts'
import type { AccountTokens } from '../../src/mail/access-tokens.ts'
import { ByteBudget } from '../../src/producers/byte-budget.ts'
import { WorkGate } from '../../src/producers/work-gate.ts'
import { ruleWith } from '../support/folder.ts'

/** An account with one connection, to a server that never answers. */
const openAccount = (tokens?: Pick<AccountTokens, 'paused' | 'whenResumed'>) => {
  const account = { name: 'main', imap: { connections: 1, auth: null }, receive: [ruleWith()], archiveFolder: null }
  const gate = new WorkGate()
  const host = { gate, checkpoints: new Map(), partition: 0, isLeaseFresh: () => true } as unknown as MailboxHost
  const deps = {
    config: { kafka: { topics: {} }, limits: {}, storage: null },
    accounts: new Accounts({}),
    store: {},
    budget: new ByteBudget(1),
    connections: { accessTokens: () => tokens, openMailbox: () => new Promise(() => undefined) },
    emit: () => undefined,
    now: () => 0,
    random: () => 0,
  } as unknown as AccountDependencies
  const owned = new OwnedAccount(account as unknown as AccountConfig, host, deps)
  owned.start()
  return { owned, gate }
}

test('a command that waits for the only connection does not keep the gate from closing', async () => {
  const { owned, gate } = openAccount()
  const signal = new AbortController().signal
  const command = gate.pass(signal, () => owned.withMailbox(async () => undefined))
  const failed = assert.rejects(command, { code: 'STOPPED', retryable: true })
  await gate.close()
  await failed
  await owned.stop()
})

test('a command of an account in which a person must log in learns it at once', async () => {
  const paused = new PosthornError('OAUTH_LOGIN_REQUIRED', 'nobody has logged in yet', { stage: 'authenticate' })
  const { owned } = openAccount({ paused, whenResumed: () => new Promise(() => undefined) })
  await assert.rejects(
    owned.withMailbox(async () => undefined),
    paused,
  )
})
