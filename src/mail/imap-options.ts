/** From the account's configuration to the options of the IMAP client. */
import type { ImapFlowOptions } from 'imapflow'
import type { ImapConfig } from '../config/config.ts'
import { PosthornError } from '../errors.ts'
import { tlsOptions } from './tls-options.ts'

export type ImapAccountOptions = Omit<ImapConfig, 'connections'>

export interface ConnectDependencies {
  /** For `auth.method: oauth2`. */
  accessToken?: () => Promise<string>
}

/** Literals of one answer are held in memory: larger messages come in slices. */
const maxLiteralBytes = 64 * 1_048_576

export const toFlowOptions = async (
  options: ImapAccountOptions,
  deps: ConnectDependencies,
): Promise<ImapFlowOptions> => {
  const { host, port, security, tls, auth, connectTimeoutMs, commandTimeoutMs } = options
  return {
    host,
    port,
    secure: security === 'tls',
    // true: refuses a server that does not offer it; false: never begins it by chance.
    ...(security === 'tls' ? {} : { doSTARTTLS: security === 'starttls' }),
    tls: tlsOptions(tls),
    ...(auth === null ? {} : { auth: await toCredentials(auth, deps) }),
    logger: false,
    disableAutoIdle: true,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    socketTimeout: commandTimeoutMs,
    maxLiteralSize: maxLiteralBytes,
    clientInfo: { name: 'posthorn' },
  }
}

const toCredentials = async (auth: NonNullable<ImapAccountOptions['auth']>, { accessToken }: ConnectDependencies) => {
  if (auth.method === 'password') return { user: auth.user, pass: auth.password.reveal() }
  if (accessToken !== undefined) return { user: auth.user, accessToken: await accessToken() }
  throw new PosthornError('IMAP_AUTHENTICATION_FAILED', 'no access token can be had for this account', {
    stage: 'authenticate',
    retryable: true,
  })
}
