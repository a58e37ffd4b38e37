/**
 * The accounts of one owned partition, as they are configured now. A changed account is let go of first and taken up again
 * after that, from where it had got: two listeners of one folder would publish its mail twice.
 */
import type { AccountChange, Accounts } from '../accounts.ts'
import type { Checkpoint } from '../avro/records.ts'
import type { AccountConfig } from '../config/config.ts'
import type { Awaited } from '../readiness.ts'
import type { OwnedAccount } from './account-mailboxes.ts'
import type { AccountMailboxes, MailboxHost } from './mailbox-partition.ts'

export interface PartitionAccountsOptions {
  accounts: Accounts
  /** Whether the account's mailbox belongs to this partition. */
  isOwned: (account: AccountConfig) => boolean
  open: (account: AccountConfig, host: MailboxHost) => OwnedAccount
}

export class PartitionAccounts implements AccountMailboxes {
  readonly #options: PartitionAccountsOptions
  readonly #host: MailboxHost
  /** As far as is known here; what was settled since the partition was taken over is added when an account is let go. */
  readonly #checkpoints: Map<string, Checkpoint>
  readonly #opened = new Map<string, OwnedAccount>()
  /** Of each account, one change at a time. */
  readonly #changing = new Map<string, Promise<void>>()
  #endWatch: () => void = () => undefined
  #isStopped = false

  constructor(host: MailboxHost, options: PartitionAccountsOptions) {
    this.#options = options
    this.#checkpoints = new Map(host.checkpoints)
    this.#host = { ...host, checkpoints: this.#checkpoints }
  }

  get awaited(): Awaited[] {
    return [...this.#opened.values()].flatMap(({ awaited }) => awaited)
  }

  get(name: string): OwnedAccount | null {
    return this.#opened.get(name) ?? null
  }

  start(): void {
    const { accounts } = this.#options
    for (const account of accounts.all) this.#open(account)
    this.#endWatch = accounts.onChange((change) => {
      const before = this.#changing.get(change.name) ?? Promise.resolve()
      this.#changing.set(
        change.name,
        before.then(() => this.#change(change)),
      )
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#endWatch()
    await Promise.all(this.#changing.values())
    await Promise.all([...this.#opened.values()].map((account) => account.stop()))
  }

  async #change({ name, after }: AccountChange): Promise<void> {
    if (this.#isStopped) return
    const before = this.#opened.get(name)
    await before?.stop()
    for (const [key, checkpoint] of before?.checkpoints ?? []) this.#checkpoints.set(key, checkpoint)
    this.#opened.delete(name)
    // Another change may have come meanwhile; it has its turn after this one.
    if (after !== null && !this.#isStopped) this.#open(after)
  }

  #open(account: AccountConfig): void {
    const { isOwned, open } = this.#options
    if (account.imap === null || !isOwned(account)) return
    const opened = open(account, this.#host)
    this.#opened.set(account.name, opened)
    opened.start()
  }
}
