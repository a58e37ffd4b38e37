/** The tokens of a client that logs in for itself (client credentials, JWT bearer): each process gets its own. */
import { Backoff } from '../backoff.ts'
import { toPosthornError, type PosthornError } from '../errors.ts'
import type { AccountTokens } from '../mail/access-tokens.ts'
import { isFresh } from './freshness.ts'
import type { TokenClient } from './token-client.ts'

export interface DaemonTokensOptions {
  client: Pick<TokenClient, 'issue'>
  /** Milliseconds since the epoch. */
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
}

/** A provider that failed is not asked again before. */
const pauseBounds = { firstMs: 1_000, maxMs: 5 * 60_000 }

export class DaemonTokens implements AccountTokens {
  readonly paused = null
  readonly #options: DaemonTokensOptions
  readonly #backoff: Backoff
  #token: { accessToken: string; refreshedAt: number; expiresAt: number } | null = null
  #asking: Promise<string> | null = null
  /** The last failure, and until when it is the answer. */
  #failure: { error: PosthornError; until: number } | null = null

  constructor(options: DaemonTokensOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...pauseBounds, random: options.random })
  }

  async get(): Promise<string> {
    const { now } = this.#options
    if (this.#token !== null && this.isGood(this.#token.accessToken)) return this.#token.accessToken
    if (this.#failure !== null && now() < this.#failure.until) throw this.#failure.error
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  invalidate(token: string): void {
    if (this.#token?.accessToken === token) this.#token = null
  }

  isGood(token: string): boolean {
    return this.#token?.accessToken === token && isFresh(this.#token, this.#options.now())
  }

  async whenResumed(): Promise<void> {
    // Nothing waits for a person here.
  }

  async #ask(): Promise<string> {
    const { client, now } = this.#options
    const refreshedAt = now()
    try {
      const { accessToken, expiresAt } = await client.issue()
      this.#token = { accessToken, refreshedAt, expiresAt }
      this.#failure = null
      this.#backoff.reset()
      return accessToken
    } catch (cause) {
      const error = toPosthornError(cause, 'authenticate')
      this.#failure = { error, until: now() + this.#backoff.next() }
      throw error
    }
  }
}
