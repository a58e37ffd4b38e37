/**
 * What the token topic says about each login (pure). Every worker reads the same records in the same order, so all come
 * to the same state; that order is what decides between two workers that want to refresh at once.
 *
 * - `tokens` begins a grant (a person has logged in) or follows a refresh. The grant that was begun last counts; within
 *   it the last record. A late refresh of an older grant changes nothing.
 * - `claim` says that a worker is about to refresh. It counts when it names the current tokens and a round above the last
 *   one that counted: of two claims of a round, the first in the topic wins.
 * - `revoked` says that the provider no longer takes the refresh token. It counts when it names the current tokens, so
 *   one that comes after somebody else's successful refresh, or a new login, does not.
 *
 * A record that can't be decrypted stands for tokens that this worker must not guess about: the login is unreadable until
 * a readable one comes.
 */

/** A grant and its newest tokens. */
export interface StoredTokens {
  grantId: string
  /** When the person logged in, milliseconds since the epoch. */
  loggedInAt: number
  /** The client that the grant was given to. */
  clientId: string
  /** When these tokens were obtained, milliseconds since the epoch. */
  refreshedAt: number
  accessToken: string
  /** Milliseconds since the epoch. */
  expiresAt: number
  refreshToken: string
}

export type LoginEntry =
  | ({ kind: 'tokens' } & StoredTokens)
  | { kind: 'claim'; by: string; base: number; round: number }
  | { kind: 'revoked'; base: number; reason: string }

export interface Claim {
  by: string
  /** When this worker read it, milliseconds since the epoch. */
  seenAt: number
}

export interface LoginState {
  /** `base` of claims: the offset of the record. */
  readonly tokens: (StoredTokens & { base: number }) | null
  /** There are tokens, encrypted with a key that is not configured here. */
  readonly isUnreadable: boolean
  readonly round: number
  readonly claim: Claim | null
  /** Why the provider no longer takes the refresh token. */
  readonly revoked: string | null
}

/** @param clientId as it is configured now. @returns why a person must log in; null: nobody must */
export const loginProblem = ({ tokens, isUnreadable, revoked }: LoginState, clientId: string): string | null => {
  if (isUnreadable)
    return 'the stored login is encrypted with a key that is neither oauth.encryptionKey nor a previous one'
  if (tokens === null) return 'nobody has logged in yet'
  return tokens.clientId === clientId ? revoked : 'the stored login was given to another clientId'
}

const untouched = { round: 0, claim: null, revoked: null } as const
export const noLogin: LoginState = { tokens: null, isUnreadable: false, ...untouched }

const isNewer = (entry: StoredTokens, current: LoginState['tokens']): boolean => {
  if (current === null || entry.grantId === current.grantId) return true
  if (entry.loggedInAt !== current.loggedInAt) return entry.loggedInAt > current.loggedInAt
  return entry.grantId > current.grantId
}

/** @param now when the record is read, milliseconds since the epoch */
export const applyEntry = (state: LoginState, entry: LoginEntry, offset: number, now: number): LoginState => {
  switch (entry.kind) {
    case 'tokens': {
      const { kind: _, ...tokens } = entry
      return isNewer(tokens, state.tokens)
        ? { tokens: { ...tokens, base: offset }, isUnreadable: false, ...untouched }
        : state
    }
    case 'claim': {
      const counts = entry.base === state.tokens?.base && entry.round > state.round && state.revoked === null
      return counts ? { ...state, round: entry.round, claim: { by: entry.by, seenAt: now } } : state
    }
    case 'revoked':
      return entry.base === state.tokens?.base ? { ...state, claim: null, revoked: entry.reason } : state
    default:
      return entry satisfies never
  }
}

export const applyUnreadable = (): LoginState => ({ ...noLogin, isUnreadable: true })

/** The grant was withdrawn by a later login. */
export const applyRemoval = (state: LoginState, grantId: string): LoginState =>
  state.tokens?.grantId === grantId ? noLogin : state
