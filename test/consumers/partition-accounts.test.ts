import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Accounts } from '../../src/accounts.ts'
import type { AccountConfig } from '../../src/config/config.ts'
import type { OwnedAccount } from '../../src/consumers/account-mailboxes.ts'
import type { MailboxHost } from '../../src/consumers/mailbox-partition.ts'
import { PartitionAccounts } from '../../src/consumers/partition-accounts.ts'

const accountWith = (name: string, host: string) => ({ name, imap: { host } }) as unknown as AccountConfig

test('an account that is slow to be let go of does not hold up the changes of another', async () => {
  const configured = (host: string) => ({ slow: accountWith('slow', host), quick: accountWith('quick', host) })
  const accounts = new Accounts(configured('before'))
  const steps: string[] = []
  let letGo: () => void = () => undefined
  let opened: () => void = () => undefined
  const isQuickOpened = new Promise<void>((resolve) => (opened = resolve))
  const open = ({ name, imap }: AccountConfig) => {
    const label = `${name} ${imap?.host}`
    return {
      name,
      checkpoints: [],
      start: () => {
        steps.push(`start ${label}`)
        if (label === 'quick after') opened()
      },
      stop: () => {
        steps.push(`stop ${label}`)
        return label === 'slow before' ? new Promise<void>((resolve) => (letGo = resolve)) : Promise.resolve()
      },
    } as unknown as OwnedAccount
  }
  const owned = new PartitionAccounts({ checkpoints: new Map() } as unknown as MailboxHost, {
    accounts,
    isOwned: () => true,
    open,
  })
  owned.start()
  accounts.replace(configured('after'))
  await isQuickOpened
  accounts.replace(configured('later'))
  assert.ok(!steps.some((step) => step.startsWith('start slow') && step !== 'start slow before'), 'one after another')
  letGo()
  await owned.stop()
  assert.deepEqual(steps.filter((step) => step.includes('slow')).slice(0, 2), ['start slow before', 'stop slow before'])
  assert.equal(owned.get('slow')?.name ?? null, null)
})
