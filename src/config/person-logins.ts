/** Which OAuth 2.0 clients need a person to log in (pure). */
import type { AccountConfig, OAuth2Config } from './config.ts'

export const isLoginByPerson = ({ grant }: OAuth2Config): boolean => grant === 'authorization_code'

/** Of an account; one, where both directions share it. */
export const oauthClients = ({ smtp, imap }: Pick<AccountConfig, 'smtp' | 'imap'>): OAuth2Config[] => {
  const clients = [smtp?.auth, imap?.auth].flatMap((auth) => (auth?.method === 'oauth2' ? [auth.oauth2] : []))
  return [...new Set(clients)]
}

export const personLogins = (account: Pick<AccountConfig, 'smtp' | 'imap'>): OAuth2Config[] =>
  oauthClients(account).filter(isLoginByPerson)

export const anyPersonLogin = (accounts: Readonly<Record<string, AccountConfig>>): boolean =>
  Object.values(accounts).some((account) => personLogins(account).length > 0)
