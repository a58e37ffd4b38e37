/**
 * The accounts as they are configured now. When the configuration is read again, its users learn here what is different;
 * an account that means the same as before keeps its object, and nobody hears of it.
 */
import type { AccountConfig, Config } from './config/config.ts'
import { sameSettings } from './config/same-settings.ts'

/** Null: there was, or is, no such account. */
export interface AccountChange {
  name: string
  before: AccountConfig | null
  after: AccountConfig | null
}

export class Accounts {
  readonly #byName: Map<string, AccountConfig>
  readonly #listeners = new Set<(change: AccountChange) => void>()

  constructor(configured: Config['accounts']) {
    this.#byName = new Map(Object.entries(configured))
  }

  get(name: string): AccountConfig | null {
    return this.#byName.get(name) ?? null
  }

  get all(): AccountConfig[] {
    return [...this.#byName.values()]
  }

  /** @returns what was different, each told to every listener before */
  replace(configured: Config['accounts']): AccountChange[] {
    const names = new Set([...this.#byName.keys(), ...Object.keys(configured)])
    const changes = [...names]
      .map((name) => ({ name, before: this.get(name), after: configured[name] ?? null }))
      .filter(({ before, after }) => !sameSettings(before, after))
    for (const change of changes) {
      if (change.after === null) this.#byName.delete(change.name)
      else this.#byName.set(change.name, change.after)
      for (const listener of this.#listeners) listener(change)
    }
    return changes
  }

  /** @returns how to end it */
  onChange(listener: (change: AccountChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
