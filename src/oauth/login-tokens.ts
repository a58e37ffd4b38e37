/**
 * The tokens of an account in which a person has logged in. All workers share one grant and, through the token topic, its
 * newest tokens.
 *
 * A refresh, in the order of the guarantee:
 *
 * 1. claim it in the topic; whoever's claim counts is the one to refresh, the others wait for its tokens. A claim that
 *    leads to nothing is taken over after `leaseMs`, in the next round.
 * 2. ask the provider
 * 3. store the new tokens, for as long as it takes; a provider may have made the old refresh token worthless (RFC 6749 6)
 * 4. only now is the new access token used
 *
 * When the provider says that the grant is gone, that is written to the topic. It counts only if no newer tokens were
 * stored before it; then every worker waits for a new login (`posthorn oauth login`).
 */
import { randomUUID } from 'node:crypto'

import { Backoff } from '../backoff.ts'
import { PosthornError, toPosthornError } from '../errors.ts'
import type { AccountTokens } from '../mail/access-tokens.ts'
import { loginAgain } from './classify-token-error.ts'
import { isFresh } from './freshness.ts'
import { loginProblem, type LoginState } from './login-log.ts'
import type { TokenClient } from './token-client.ts'
import type { LoginName, TokenTopic } from './token-topic.ts'

export interface LoginTokensOptions {
  login: LoginName
  clientId: string
  client: Pick<TokenClient, 'refresh'>
  topic: Pick<TokenTopic, 'ready' | 'stateOf' | 'append' | 'onChange'>
  /** `posthorn oauth login ACCOUNT`. */
  loginCommand: string
  /** A person must log in before anything goes on. */
  onPaused: (error: PosthornError) => void
  onResumed: () => void
  /** Milliseconds since the epoch. */
  now: () => number
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number
}

/** Longer than a token request may take: whoever has claimed a refresh and is silent for so long has died. */
const leaseMs = 15_000
const dayMs = 24 * 60 * 60_000
/** A provider that failed is not asked again before. */
const pauseBounds = { firstMs: 1_000, maxMs: 5 * 60_000 }

export class LoginTokens implements AccountTokens {
  readonly #options: LoginTokensOptions
  /** Names this worker in its claims. */
  readonly #self = randomUUID()
  readonly #backoff: Backoff
  #refused: string | null = null
  /** Pauses are told of logins that somebody has asked for. */
  #inUse = false
  #refreshing: Promise<string> | null = null
  /** The last failure, and until when it is the answer. */
  #failure: { error: PosthornError; until: number } | null = null
  #paused: PosthornError | null = null
  #isReplaced = false
  readonly #endWatch: () => void

  constructor(options: LoginTokensOptions) {
    this.#options = options
    this.#backoff = new Backoff({ ...pauseBounds, random: options.random })
    this.#endWatch = options.topic.onChange(() => {
      if (this.#inUse) this.#judge()
    })
  }

  get paused(): PosthornError | null {
    return this.#paused
  }

  async whenResumed(signal: AbortSignal): Promise<void> {
    while (this.#paused !== null && !signal.aborted) await this.#change(signal)
  }

  /**
   * Providers forget a refresh token that is not used for some time (Google 6 months, Microsoft 90 days), and some
   * connections live for ever: what was not refreshed for a day is, whoever needs it.
   */
  async keepAlive(): Promise<void> {
    await this.#options.topic.ready()
    const { tokens } = this.#state
    if (tokens !== null && this.#options.now() - tokens.refreshedAt > dayMs) await this.get()
  }

  /** The account is configured otherwise, or gone: nobody needs to log in by this any more. */
  replaced(): Promise<void> {
    this.#isReplaced = true
    if (this.#paused !== null) this.#options.onResumed()
    return this.close()
  }

  /** Waits for a refresh that is under way: what the provider has answered must be stored. */
  async close(): Promise<void> {
    this.#endWatch()
    await this.#refreshing?.catch(() => undefined)
  }

  async get(): Promise<string> {
    await this.#options.topic.ready()
    this.#inUse = true
    const problem = this.#judge()
    if (problem !== null) throw problem
    const usable = this.#usable(this.#state)
    if (usable !== null) return usable
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  invalidate(token: string): void {
    this.#refused = token
  }

  isGood(token: string): boolean {
    const { tokens } = this.#state
    return token === tokens?.accessToken && token !== this.#refused && isFresh(tokens, this.#options.now())
  }

  get #state(): LoginState {
    const { topic, login } = this.#options
    return topic.stateOf(login)
  }

  #usable({ tokens }: LoginState): string | null {
    return tokens !== null && this.isGood(tokens.accessToken) ? tokens.accessToken : null
  }

  async #refresh(): Promise<string> {
    const { topic, login, now } = this.#options
    for (;;) {
      const problem = this.#judge()
      if (problem !== null) throw problem
      const state = this.#state
      const usable = this.#usable(state)
      if (usable !== null) return usable
      const { tokens, claim, round } = state
      if (tokens === null) throw new Error('a login that is not paused has tokens')
      const leftMs = claim === null || claim.by === this.#self ? 0 : claim.seenAt + leaseMs - now()
      if (leftMs > 0) {
        await this.#change(AbortSignal.timeout(leftMs))
        continue
      }
      if (this.#failure !== null && now() < this.#failure.until) throw this.#failure.error
      const { base } = tokens
      await topic.append(login, { kind: 'claim', by: this.#self, base, round: round + 1 })
      const { tokens: newest, claim: standing } = this.#state
      if (newest?.base !== base || standing?.by !== this.#self) continue
      const token = await this.#renew(newest)
      if (token !== null) return token
    }
  }

  /** @returns null when the grant is gone, as far as the provider says */
  async #renew(tokens: NonNullable<LoginState['tokens']>): Promise<string | null> {
    const { client, topic, login, now } = this.#options
    const { base, ...stored } = tokens
    try {
      const fresh = await client.refresh(stored.refreshToken)
      const { accessToken, expiresAt } = fresh
      const refreshToken = fresh.refreshToken ?? stored.refreshToken
      await topic.append(login, { kind: 'tokens', ...stored, accessToken, expiresAt, refreshToken, refreshedAt: now() })
      this.#backoff.reset()
      this.#failure = null
      return accessToken
    } catch (cause) {
      const error = toPosthornError(cause, 'authenticate')
      if (error.code === 'OAUTH_LOGIN_REQUIRED') {
        await topic.append(login, { kind: 'revoked', base, reason: error.message })
        return null
      }
      this.#failure = { error, until: now() + this.#backoff.next() }
      throw error
    }
  }

  /** Tells once when a person is needed, and once when that is over. @returns why a person is needed */
  #judge(): PosthornError | null {
    const { clientId, loginCommand, onPaused, onResumed } = this.#options
    const reason = loginProblem(this.#state, clientId)
    const before = this.#paused
    if (reason === null) {
      this.#paused = null
      if (before !== null && !this.#isReplaced) onResumed()
    } else if (before?.message !== reason) {
      this.#paused = new PosthornError('OAUTH_LOGIN_REQUIRED', reason, {
        stage: 'authenticate',
        retryable: true,
        action: loginAgain(loginCommand),
      })
      if (!this.#isReplaced) onPaused(this.#paused)
    }
    return this.#paused
  }

  /** Resolves when a record has come, or the signal aborts. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        end()
        resolve()
      }
      const end = this.#options.topic.onChange(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
