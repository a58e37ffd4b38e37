/** Where every connection of an account to its servers is made. */
import type { AccountConfig, AuthConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { AccountTokens, TokenSource } from './access-tokens.ts'
import { connectMailbox } from './imap-mailbox.ts'
import type { ConnectedMailbox } from './mailbox.ts'
import { takeTurns } from './take-turns.ts'

export interface AccountConnections {
  /** A new IMAP connection, logged in. @throws PosthornError `IMAP_*`, `OAUTH_*` */
  openMailbox(account: AccountConfig): Promise<ConnectedMailbox>
  /** For the SMTP connections of an account; undefined: it does not log in with tokens. */
  accessTokens(account: AccountConfig, auth: AuthConfig | null): AccountTokens | undefined
}

/**
 * Connections to one server that are being made at once. When a server comes back, all of its mailboxes do: a thousand
 * logins in the same second would bring it down again, or make it throttle every one of them.
 */
const mostConnecting = 32

export const createAccountConnections = (tokens: TokenSource): AccountConnections => {
  const turns = new Map<string, ReturnType<typeof takeTurns>>()
  const inTurn = <T>(server: string, connect: () => Promise<T>): Promise<T> => {
    const turn = turns.get(server) ?? takeTurns(mostConnecting)
    turns.set(server, turn)
    return turn(connect)
  }
  const accessTokens: AccountConnections['accessTokens'] = ({ name }, auth) =>
    auth?.method === 'oauth2' ? tokens(name, auth) : undefined
  return {
    openMailbox: async (account) => {
      const { name, imap } = account
      if (imap === null) {
        const message = `account ${JSON.stringify(name)} has no imap block`
        throw new PosthornError('COMMAND_ACCOUNT_UNKNOWN', message, { stage: 'connect' })
      }
      return inTurn(`${imap.host}:${imap.port}`, () =>
        connectMailbox(imap, { accessTokens: accessTokens(account, imap.auth) }),
      )
    },
    accessTokens,
  }
}
