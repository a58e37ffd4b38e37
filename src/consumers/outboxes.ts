/**
 * The outbox of each account that sends. A changed account has a new one for the next mail; the old one finishes the mails
 * that it was given, and its connections end when they have been idle for a while.
 */
import type { AccountChange, Accounts } from '../accounts.ts'
import type { AccountConfig } from '../config/config.ts'
import { sameSettings } from '../config/same-settings.ts'
import { AccountOutbox, type OutboxDependencies } from './account-outbox.ts'

/** What an outbox is made of. */
const sendingSide = (account: AccountConfig | null): unknown =>
  account === null ? null : [account.smtp, account.imap, account.sentFolder]

export class Outboxes {
  readonly #deps: OutboxDependencies
  readonly #current = new Map<string, AccountOutbox>()
  readonly #all = new Set<AccountOutbox>()
  readonly #endWatch: () => void

  constructor(accounts: Accounts, deps: OutboxDependencies) {
    this.#deps = deps
    for (const account of accounts.all) this.#open(account)
    this.#endWatch = accounts.onChange((change) => this.#change(change))
  }

  /** Null: there is no such account, or it does not send. */
  get(account: string): AccountOutbox | null {
    return this.#current.get(account) ?? null
  }

  get count(): number {
    return this.#current.size
  }

  /** Also those of accounts that have been removed or changed and whose last mails are under way. */
  get open(): number {
    return this.#all.size
  }

  /** Gives back the mails whose signal was aborted and that no connection has taken. */
  withdraw(): void {
    for (const outbox of this.#all) outbox.withdraw()
  }

  async close(graceMs: number): Promise<void> {
    this.#endWatch()
    await Promise.all([...this.#all].map((outbox) => outbox.close(graceMs)))
  }

  #change({ name, before, after }: AccountChange): void {
    if (sameSettings(sendingSide(before), sendingSide(after))) return
    const replaced = this.#current.get(name)
    this.#current.delete(name)
    replaced?.replaced()
    // A mail that was only being prepared with it may still follow: that goes its way, and a stop does not wait for it.
    void replaced?.whenIdle().then(() => this.#all.delete(replaced))
    if (after !== null) this.#open(after)
  }

  #open(account: AccountConfig): void {
    if (account.smtp === null) return
    const outbox = new AccountOutbox(account, account.smtp, this.#deps)
    this.#current.set(account.name, outbox)
    this.#all.add(outbox)
  }
}
