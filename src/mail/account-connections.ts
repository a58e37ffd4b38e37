/** Where every connection of an account to its servers is made. */
import type { AccountConfig, AuthConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import type { AccountTokens, TokenSource } from './access-tokens.ts'
import { connectMailbox } from './imap-mailbox.ts'
import type { ConnectedMailbox } from './mailbox.ts'

export interface AccountConnections {
  /** A new IMAP connection, logged in. @throws PosthornError `IMAP_*`, `OAUTH_*` */
  openMailbox(account: AccountConfig): Promise<ConnectedMailbox>
  /** For the SMTP connections of an account; undefined: it does not log in with tokens. */
  accessTokens(account: AccountConfig, auth: AuthConfig | null): AccountTokens | undefined
}

export const createAccountConnections = (tokens: TokenSource): AccountConnections => {
  const accessTokens: AccountConnections['accessTokens'] = ({ name }, auth) =>
    auth?.method === 'oauth2' ? tokens(name, auth) : undefined
  return {
    openMailbox: async (account) => {
      const { name, imap } = account
      if (imap === null) {
        const message = `account ${JSON.stringify(name)} has no imap block`
        throw new PosthornError('COMMAND_ACCOUNT_UNKNOWN', message, { stage: 'connect' })
      }
      return connectMailbox(imap, { accessTokens: accessTokens(account, imap.auth) })
    },
    accessTokens,
  }
}
