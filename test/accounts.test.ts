import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Accounts, type AccountChange } from '../src/accounts.ts'
import { compileConfig } from '../src/config/compile-config.ts'

const compile = (accounts: string) =>
  compileConfig(`kafka: { brokers: [127.0.0.1:9092] }\naccounts: ${accounts}`, {
    fileName: 'test',
    env: {},
    readFile: () => '',
  }).accounts

const imap = (password: string) => `{ imap: { host: h, security: tls, auth: { user: u, password: ${password} } } }`

describe('accounts that are configured again', () => {
  it('tell what was added, changed and removed, once each, and keep the others as they are', () => {
    const accounts = new Accounts(compile(`{ same: ${imap('p')}, other: ${imap('p')}, gone: ${imap('p')} }`))
    const same = accounts.get('same')
    const told: AccountChange[] = []
    accounts.onChange((change) => told.push(change))
    const changes = accounts.replace(compile(`{ same: ${imap('p')}, other: ${imap('q')}, new: ${imap('p')} }`))
    assert.deepEqual(
      changes.map(({ name, before, after }) => [name, before !== null, after !== null]),
      [
        ['other', true, true],
        ['gone', true, false],
        ['new', false, true],
      ],
    )
    assert.deepEqual(told, changes)
    assert.equal(accounts.get('same'), same)
    assert.equal(accounts.get('gone'), null)
    assert.deepEqual(accounts.replace(compile(`{ same: ${imap('p')}, other: ${imap('q')}, new: ${imap('p')} }`)), [])
  })
})
