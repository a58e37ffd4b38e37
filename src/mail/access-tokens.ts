/** OAuth 2.0 access tokens as a login needs them, and the one rule by which a login uses them. */
import type { AuthConfig } from '../config/config.ts'
import { isPosthornError, PosthornError } from '../errors.ts'

export type OAuth2Login = Extract<AuthConfig, { method: 'oauth2' }>

/** The tokens of one login. */
export interface AccessTokens {
  /** A token that is good for some time yet. @throws PosthornError why there is none */
  get(): Promise<string>
  /** A server has refused this token: `get` never gives it again. */
  invalidate(token: string): void
  /** Neither refused nor expired, as far as is known. */
  isGood(token: string): boolean
}

export interface AccountTokens extends AccessTokens {
  /** Why nothing goes on until a person has logged in; null: no person is needed. */
  readonly paused: PosthornError | null
  /** Resolves when no person is needed, at once or after a login, or when the signal aborts. */
  whenResumed(signal: AbortSignal): Promise<void>
}

/** The tokens of the login of an account; logins that share a grant share their tokens. */
export type TokenSource = (account: string, auth: OAuth2Login) => AccountTokens

const refusals = new Set(['SMTP_AUTHENTICATION_FAILED', 'IMAP_AUTHENTICATION_FAILED'])

/**
 * Logs in with a token. A token that the server refuses may have expired or been revoked early: it is replaced, once,
 * and the login tried again. A second refusal is a failed login.
 *
 * @param connect gets null where the account does not log in with a token
 */
export const withAccessToken = async <T>(
  auth: AuthConfig | null,
  tokens: AccessTokens | undefined,
  connect: (token: string | null) => Promise<T>,
): Promise<T> => {
  if (auth?.method !== 'oauth2') return connect(null)
  if (tokens === undefined) {
    throw new PosthornError('INTERNAL', 'this login needs an access token and nothing was given to get one from', {
      stage: 'authenticate',
    })
  }
  const token = await tokens.get()
  try {
    return await connect(token)
  } catch (error) {
    if (!isPosthornError(error) || !refusals.has(error.code)) throw error
    tokens.invalidate(token)
    return connect(await tokens.get())
  }
}
