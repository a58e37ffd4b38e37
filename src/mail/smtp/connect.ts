/**
 * A connection that is ready for MAIL: connected, greeted, encrypted as configured, logged in.
 *
 * nodemailer's `SMTPConnection` does the dialogue up to and including AUTH; the mail transactions run on the same socket
 * by `session.ts`. The seam is as narrow as it can be:
 *
 * - the TCP connection is opened here and handed in (`connection`), so that the system's resolver is asked and a failure
 *   to connect is told from a failure to greet;
 * - after the login the socket is taken from `_socket`, which nodemailer declares public and which STARTTLS replaces.
 *   nodemailer's `data` listener and its inactivity timeout come off; from here on it neither reads nor writes. Its
 *   listeners for `end`, `close` and `error` stay: they tear the socket down the same way as ours.
 * - the server's answer to EHLO is read from `_ehloLines`. It is absent after a fallback to HELO, and then nothing is
 *   offered; the tests against a real server fail when a new nodemailer keeps it elsewhere.
 *
 * Text that comes between the answer to STARTTLS and the handshake is thrown away by nodemailer, which reports its length
 * to the logger; here the connection is refused (RFC 3207 6: somebody on the way tries to inject commands).
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'

import SMTPConnection from 'nodemailer/lib/smtp-connection'

import type { SmtpConfig } from '../../config/config.ts'
import { isPosthornError, PosthornError } from '../../errors.ts'
import { withAccessToken, type AccessTokens } from '../access-tokens.ts'
import { tlsOptions } from '../../tls-options.ts'
import { classifyConnectFailure, type ConnectPhase } from './classify-connect-failure.ts'
import { readExtensions, type SmtpExtensions } from './extensions.ts'
import { loginMethod, mechanismOf, type LoginMethod } from './login.ts'

export type SmtpServerOptions = Pick<
  SmtpConfig,
  'host' | 'port' | 'security' | 'tls' | 'auth' | 'allowPlaintextAuth' | 'connectTimeoutMs'
>

export interface SmtpLink {
  socket: Socket
  /** `host:port`, for messages. */
  server: string
  extensions: SmtpExtensions
  /** SASL mechanism of the login; null: the account has none. */
  mechanism: string | null
  /** What it logged in with; null: no token. */
  token: LinkToken | null
}

export interface LinkToken {
  /** It was good when it was used, and is no more. */
  hasExpired(): boolean
  /** The server has forgotten the login: the next one is made with another token. */
  discard(): void
}

export interface ConnectDependencies {
  /** Needed by accounts with OAuth 2.0. */
  accessTokens?: AccessTokens | undefined
  /** Aborted: the attempt is given up. */
  signal?: AbortSignal | undefined
}

/** @throws PosthornError `SMTP_UNREACHABLE`, `TLS_…`, `SMTP_AUTHENTICATION_FAILED`, `OAUTH_*`; always retryable */
export const connectSmtp = (options: SmtpServerOptions, deps: ConnectDependencies = {}): Promise<SmtpLink> =>
  withAccessToken(options.auth, deps.accessTokens, (token) => connectOnce(options, token, deps))

const connectOnce = async (
  options: SmtpServerOptions,
  token: string | null,
  deps: ConnectDependencies,
): Promise<SmtpLink> => {
  const server = `${isIP(options.host) === 6 ? `[${options.host}]` : options.host}:${options.port}`
  const phase: ConnectPhase = { server, stage: 'connect', secrets: [] }
  try {
    deps.signal?.throwIfAborted()
    const socket = await openSocket(options, deps.signal)
    const link = await handshake(options, socket, phase, token, deps)
    return { ...link, token: linkToken(token, deps.accessTokens) }
  } catch (error) {
    throw isPosthornError(error) ? error : classifyConnectFailure(error, phase)
  }
}

const linkToken = (token: string | null, tokens: AccessTokens | undefined): LinkToken | null => {
  if (token === null || tokens === undefined) return null
  const wasGood = tokens.isGood(token)
  return { hasExpired: () => wasGood && !tokens.isGood(token), discard: () => tokens.invalidate(token) }
}

const openSocket = (
  { host, port, connectTimeoutMs }: SmtpServerOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true })
    const giveUp = (): void => void socket.destroy(closed())
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }))
    }, connectTimeoutMs)
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    socket.once('connect', () => {
      done()
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', done)
    socket.once('error', reject)
  })

const ignore = (): void => undefined

const handshake = async (
  options: SmtpServerOptions,
  socket: Socket,
  phase: ConnectPhase,
  token: string | null,
  deps: ConnectDependencies,
): Promise<Omit<SmtpLink, 'token'>> => {
  const { host, port, security, connectTimeoutMs } = options
  let injected = false
  const login = options.auth === null ? null : loginMethod(options.auth, options, token)
  phase.secrets = login?.secrets ?? []
  const connection = new SMTPConnection({
    connection: socket,
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: tlsOptions(options.tls),
    greetingTimeout: connectTimeoutMs,
    // Also bounds the handshakes; each of them has `greetingTimeout`.
    connectionTimeout: connectTimeoutMs * 4,
    socketTimeout: connectTimeoutMs,
    customAuth: login?.handlers ?? {},
    logger: {
      trace: ignore,
      debug: ignore,
      info: ignore,
      error: ignore,
      fatal: ignore,
      warn: (entry: { discarded?: unknown }) => {
        if (entry.discarded !== undefined) injected = true
      },
    },
  })
  const abort = (): void => connection.close()
  deps.signal?.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      const ready = (): void => {
        if (injected) reject(injectedText(phase.server))
        else resolve()
      }
      connection.once('end', () => reject(closed()))
      connection.on('error', (error: Error) => {
        if (connection.upgrading === true || (error as NodeJS.ErrnoException).code === 'ETLS') phase.stage = 'tls'
        reject(error)
      })
      connection.connect((error) => (error ? reject(error) : ready()))
    })
    // oxlint-disable-next-line no-underscore-dangle -- see the head of this file
    const extensions = readExtensions((connection as { _ehloLines?: string[] })._ehloLines ?? [])
    let mechanism: string | null = null
    if (login !== null) {
      phase.stage = 'authenticate'
      if (!connection.secure && !options.allowPlaintextAuth) throw plaintextLogin(phase.server)
      mechanism = await logIn(connection, login, extensions, phase.server)
    }
    return { socket: takeSocket(connection), server: phase.server, extensions, mechanism }
  } catch (error) {
    connection.close()
    throw error
  } finally {
    deps.signal?.removeEventListener('abort', abort)
  }
}

const logIn = async (
  connection: SMTPConnection,
  login: LoginMethod,
  { auth: offered }: SmtpExtensions,
  server: string,
): Promise<string> => {
  const auth = login.choose(offered, connection.secure)
  if (auth === null) throw noMechanism(server, offered)
  await new Promise<void>((resolve, reject) => {
    connection.once('error', reject)
    connection.once('end', () => reject(closed()))
    connection.login(auth, (error) => (error ? reject(error) : resolve()))
  })
  return mechanismOf(auth.method)
}

/** The socket, with nobody reading from it. */
const takeSocket = (connection: SMTPConnection): Socket => {
  // oxlint-disable-next-line no-underscore-dangle -- declared public by nodemailer
  const socket = connection._socket
  if (!socket || socket.destroyed) throw closed()
  socket.removeAllListeners('data')
  socket.removeAllListeners('timeout')
  socket.setTimeout(0)
  return socket
}

const closed = (): Error => Object.assign(new Error('the server closed the connection'), { code: 'ECONNRESET' })

const injectedText = (server: string): PosthornError =>
  new PosthornError('TLS_FAILED', `somebody injected text before the TLS handshake with ${server}`, {
    stage: 'tls',
    retryable: true,
    action: 'Use security: tls, and look for who is on the way to the server.',
  })

const plaintextLogin = (server: string): PosthornError =>
  new PosthornError('SMTP_AUTHENTICATION_FAILED', `a login to ${server} without TLS would show the credentials`, {
    stage: 'authenticate',
    retryable: true,
    action: 'Use security: starttls or tls, or set allowPlaintextAuth: true.',
  })

const noMechanism = (server: string, offered: readonly string[]): PosthornError =>
  new PosthornError(
    'SMTP_AUTHENTICATION_FAILED',
    `${server} offers no login that this account can do (offered: ${offered.join(', ') || 'none'})`,
    { stage: 'authenticate', retryable: true, action: 'Check security and port, and the method of auth.' },
  )
