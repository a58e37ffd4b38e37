/** The tokens of every account of this process, and the token topic behind those in which a person has logged in. */
import type { AccountConfig, Config, OAuth2Config, OAuthStoreConfig } from '../config/config.ts'
import { isLoginByPerson, oauthClients } from '../config/person-logins.ts'
import type { Secret } from '../config/secret.ts'
import { PosthornError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { AccountTokens, TokenSource } from '../mail/access-tokens.ts'
import { DaemonTokens } from './daemon-tokens.ts'
import { LoginTokens } from './login-tokens.ts'
import { TokenCipher } from './token-cipher.ts'
import { TokenClient } from './token-client.ts'
import { TokenTopic, type TokenTopicOptions } from './token-topic.ts'

export interface OAuthTokensOptions extends Pick<TokenTopicOptions, 'now' | 'random' | 'patience'> {
  config: Pick<Config, 'kafka' | 'oauth'>
  /** Asked for once, and only where a person logs in. */
  openRecords: () => Pick<TokenTopicOptions, 'read' | 'producer'>
  emit: Emit
}

/** Below the time that the process has to stop: a refresh that is under way must be stored. */
const closeGraceMs = 5_000
const keepAliveMs = 60 * 60_000

export const loginCommandOf = (account: string): string => `posthorn oauth login ${account}`

/** @throws PosthornError `CONFIG_INVALID` where a person's login would have to be stored without a key */
export const requireEncryptionKey = ({ encryptionKey }: OAuthStoreConfig): Secret => {
  if (encryptionKey !== null) return encryptionKey
  throw new PosthornError('CONFIG_INVALID', 'oauth.encryptionKey: is required to store the tokens of a login', {
    stage: 'configure',
    action: 'Set it to what `openssl rand -base64 32` prints, and keep it secret.',
  })
}

/** @throws PosthornError `CONFIG_INVALID` without `oauth.encryptionKey` */
export const openTokenTopic = (options: OAuthTokensOptions): TokenTopic => {
  const { config, openRecords, emit, patience, now, random } = options
  const cipher = new TokenCipher(requireEncryptionKey(config.oauth), config.oauth.previousKeys)
  return new TokenTopic({
    ...openRecords(),
    topic: config.kafka.topics.oauthTokens,
    cipher,
    patience,
    onTrouble: ({ code, message }) => emit({ type: 'KafkaTrouble', role: 'oauth', code, message }),
    now,
    random,
  })
}

export class OAuthTokens {
  readonly #options: OAuthTokensOptions
  #topic: TokenTopic | null = null
  /**
   * By the compiled client, which directions may share. A configuration that is read again has others; whoever is still
   * at work for an old one gets what it had, and nothing is made anew for it.
   */
  readonly #byClient = new WeakMap<OAuth2Config, AccountTokens>()
  readonly #logins = new Map<OAuth2Config, LoginTokens>()
  readonly #keepAlive: NodeJS.Timeout

  constructor(options: OAuthTokensOptions) {
    this.#options = options
    this.#keepAlive = setInterval(() => {
      // What fails here is told by the account's own logins.
      for (const login of this.#logins.values()) void login.keepAlive().catch(() => undefined)
    }, keepAliveMs).unref()
  }

  /** @throws PosthornError `CONFIG_INVALID` where a login needs a key to be stored with and there is none */
  readonly of: TokenSource = (account, { oauth2 }) => {
    const known = this.#byClient.get(oauth2)
    if (known !== undefined) return known
    const tokens = this.#make(account, oauth2)
    this.#byClient.set(oauth2, tokens)
    return tokens
  }

  /** Lets go of the tokens of clients that no account has any more. */
  keep(accounts: readonly AccountConfig[]): void {
    const used = new Set(accounts.flatMap(oauthClients))
    for (const [client, login] of this.#logins) {
      if (used.has(client)) continue
      this.#logins.delete(client)
      void login.replaced()
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#keepAlive)
    const settled = Promise.all([...this.#logins.values()].map((login) => login.close()))
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, closeGraceMs).unref())])
    await this.#topic?.close()
  }

  #make(account: string, oauth2: OAuth2Config): AccountTokens {
    const { emit, now, random } = this.#options
    if (!isLoginByPerson(oauth2)) {
      return new DaemonTokens({ client: new TokenClient(oauth2, { loginCommand: null, now }), now, random })
    }
    this.#topic ??= openTokenTopic(this.#options)
    const loginCommand = loginCommandOf(account)
    const tokens = new LoginTokens({
      login: { account, owner: oauth2.owner },
      clientId: oauth2.clientId,
      client: new TokenClient(oauth2, { loginCommand, now }),
      topic: this.#topic,
      loginCommand,
      onPaused: ({ code, message, action }) =>
        emit({ type: 'AccountPaused', account, code, message, action, retryInMs: null }),
      onResumed: () => emit({ type: 'AccountResumed', account }),
      now,
      random,
    })
    this.#logins.set(oauth2, tokens)
    return tokens
  }
}
