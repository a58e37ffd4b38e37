/**
 * The login over IMAP with user and password: which of the offered ways is taken, and CRAM-MD5 (RFC 2195), which imapflow
 * lacks. AUTHENTICATE PLAIN and LOGIN, the LOGIN command and OAuth 2.0 are imapflow's.
 *
 * The seam: `authenticate` of the client is replaced on this one object. imapflow calls it after STARTTLS and after it has
 * read the capabilities anew, so nothing that came in the clear can choose the way. `exec` and `setAuthenticationState` are
 * not in its declarations; the tests against Dovecot fail when a new release keeps them elsewhere.
 */
import { createHmac } from 'node:crypto'
import type { ImapFlow } from 'imapflow'
import type { AuthConfig, OAuth2Config } from '../config/config.ts'
import { PosthornError } from '../errors.ts'

export interface LoginRules {
  /** `host:port`. */
  server: string
  auth: AuthConfig
  allowPlaintextAuth: boolean
}

type OAuth2Login = 'AUTH=OAUTHBEARER' | 'AUTH=XOAUTH2'
type PasswordLogin = 'AUTH=PLAIN' | 'AUTH=LOGIN' | 'AUTH=CRAM-MD5' | 'LOGIN'

/** CRAM-MD5 shows the password to nobody, which counts only where somebody could look. */
const orders: Readonly<Record<'encrypted' | 'clear', readonly PasswordLogin[]>> = {
  encrypted: ['AUTH=PLAIN', 'AUTH=LOGIN', 'AUTH=CRAM-MD5', 'LOGIN'],
  clear: ['AUTH=CRAM-MD5', 'AUTH=PLAIN', 'AUTH=LOGIN', 'LOGIN'],
}

/** @returns null: the server offers nothing that this account can do */
export const choosePasswordLogin = (
  user: string,
  capabilities: ReadonlySet<string>,
  isEncrypted: boolean,
): PasswordLogin | null => {
  // RFC 9051 6.2.3: the command is there unless it is disabled.
  const isOffered = (way: PasswordLogin): boolean =>
    way === 'LOGIN' ? !capabilities.has('LOGINDISABLED') : capabilities.has(way)
  // Exchange takes `domain\user\mailbox` by the command only.
  if (isEncrypted && /[\\/]/.test(user) && isOffered('LOGIN')) return 'LOGIN'
  return orders[isEncrypted ? 'encrypted' : 'clear'].find(isOffered) ?? null
}

const chooseTokenLogin = (
  mechanism: OAuth2Config['mechanism'],
  capabilities: ReadonlySet<string>,
): OAuth2Login | null => {
  const ways: readonly OAuth2Login[] = ['AUTH=OAUTHBEARER', 'AUTH=XOAUTH2']
  const isMeant = (way: OAuth2Login): boolean => mechanism === null || way === `AUTH=${mechanism.toUpperCase()}`
  return ways.find((way) => isMeant(way) && capabilities.has(way)) ?? null
}

/** RFC 2195 2: the answer to the server's challenge, base64 as both are on the wire. */
export const answerCramMd5 = (user: string, password: string, challenge: string): string => {
  const digest = createHmac('md5', Buffer.from(password, 'utf8')).update(Buffer.from(challenge, 'base64')).digest('hex')
  return Buffer.from(`${user} ${digest}`, 'utf8').toString('base64')
}

interface Continuation {
  attributes?: readonly { value?: unknown }[]
}

interface CommandFailure {
  responseStatus?: unknown
}

/** Says of a refused command what imapflow says of the logins that it makes itself. */
const asRefusedLogin = (error: CommandFailure): never => {
  const isRefusal = error.responseStatus === 'NO' || error.responseStatus === 'BAD'
  throw Object.assign(error, isRefusal ? { authenticationFailed: true } : {})
}

interface FlowSeam {
  state: number
  states: { NOT_AUTHENTICATED: number }
  authenticated: string | boolean
  expectCapabilityUpdate: boolean
  options: { auth?: { loginMethod?: string } }
  authenticate(): Promise<boolean>
  setAuthenticationState(): Promise<void>
  write(line: string): void
  exec(
    command: string,
    attributes: readonly { type: 'ATOM'; value: string }[],
    options: { onPlusTag: (answer: Continuation) => Promise<void> },
  ): Promise<{ next(): void }>
}

const refuse = (message: string, action: string): PosthornError =>
  new PosthornError('IMAP_AUTHENTICATION_FAILED', message, { stage: 'authenticate', retryable: true, action })

const namesOf = (flow: ImapFlow): Set<string> =>
  new Set([...flow.capabilities].flatMap(([name, value]) => (value === false ? [] : [name.toUpperCase()])))

const offeredTo = (capabilities: ReadonlySet<string>): string =>
  [...capabilities].flatMap((name) => (name.startsWith('AUTH=') ? [name.slice('AUTH='.length)] : [])).join(', ') ||
  'none'

/** Before `connect()`. @returns tells the way that was taken, once connected; null: by none (PREAUTH) */
export const prepareLogin = (
  flow: ImapFlow,
  { server, auth, allowPlaintextAuth }: LoginRules,
): (() => string | null) => {
  const seam = flow as unknown as FlowSeam
  const authenticate = seam.authenticate.bind(flow)
  let taken: string | null = null

  const loginByCramMd5 = async (user: string, password: string): Promise<void> => {
    let answered = false
    seam.expectCapabilityUpdate = true
    const done = await seam
      .exec('AUTHENTICATE', [{ type: 'ATOM', value: 'CRAM-MD5' }], {
        onPlusTag: async ({ attributes }) => {
          const challenge = attributes?.[0]?.value
          // RFC 9051 6.2.2: `*` cancels; the server then refuses the command.
          seam.write(answered || typeof challenge !== 'string' ? '*' : answerCramMd5(user, password, challenge))
          answered = true
        },
      })
      .catch(asRefusedLogin)
    done.next()
    seam.authenticated = user
    await seam.setAuthenticationState()
  }

  seam.authenticate = async () => {
    // After a PREAUTH greeting there is nothing to do.
    if (seam.state !== seam.states.NOT_AUTHENTICATED) return authenticate()
    if (!flow.secureConnection && !allowPlaintextAuth) {
      throw refuse(
        `a login to ${server} without TLS would show the credentials`,
        'Use security: starttls or tls, or set allowPlaintextAuth: true.',
      )
    }
    const capabilities = namesOf(flow)
    const way =
      auth.method === 'oauth2'
        ? chooseTokenLogin(auth.oauth2.mechanism, capabilities)
        : choosePasswordLogin(auth.user, capabilities, flow.secureConnection)
    if (way === null) {
      throw refuse(
        `${server} offers no login that this account can do (offered: ${offeredTo(capabilities)})`,
        'Check security and port, and the method of auth.',
      )
    }
    taken = way
    if (auth.method === 'oauth2') {
      // imapflow takes OAUTHBEARER wherever it sees it.
      if (way === 'AUTH=XOAUTH2') flow.capabilities.delete('AUTH=OAUTHBEARER')
      return authenticate()
    }
    if (way === 'AUTH=CRAM-MD5') {
      await loginByCramMd5(auth.user, auth.password.reveal())
      return true
    }
    if (seam.options.auth !== undefined) seam.options.auth.loginMethod = way
    return authenticate()
  }

  return () => taken
}
