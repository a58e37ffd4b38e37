/** From the account's configuration to the options of the IMAP client. */
import type { ImapFlowOptions } from 'imapflow'
import type { ImapConfig } from '../config/config.ts'
import { tlsOptions } from '../tls-options.ts'

export type ImapAccountOptions = Omit<ImapConfig, 'connections'>

/** Literals of one answer are held in memory: larger messages come in slices. */
const maxLiteralBytes = 64 * 1_048_576

/** @param token for `auth.method: oauth2` */
export const toFlowOptions = (options: ImapAccountOptions, token: string | null): ImapFlowOptions => {
  const { host, port, security, tls, auth, connectTimeoutMs, commandTimeoutMs } = options
  return {
    host,
    port,
    secure: security === 'tls',
    // true: refuses a server that does not offer it; false: never begins it by chance.
    ...(security === 'tls' ? {} : { doSTARTTLS: security === 'starttls' }),
    tls: tlsOptions(tls),
    ...(auth === null ? {} : { auth: toCredentials(auth, token) }),
    disableAutoIdle: true,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    socketTimeout: commandTimeoutMs,
    maxLiteralSize: maxLiteralBytes,
    clientInfo: { name: 'posthorn' },
  }
}

const toCredentials = (auth: NonNullable<ImapAccountOptions['auth']>, token: string | null) =>
  auth.method === 'password'
    ? { user: auth.user, pass: auth.password.reveal() }
    : { user: auth.user, accessToken: token ?? '' }
