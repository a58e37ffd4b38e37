/** What an error of the IMAP client, the socket or TLS means (pure, total). Decides on codes, never on text. */
import { isPosthornError, PosthornError, type ErrorCode, type Stage } from '../errors.ts'
import { networkFailureOf, sayNetworkFailure } from '../network-failure.ts'

interface Fault {
  code?: unknown
  message?: unknown
  authenticationFailed?: unknown
  tlsFailed?: unknown
  mailboxMissing?: unknown
  throttleReset?: unknown
  serverResponseCode?: unknown
  responseStatus?: unknown
  /** The parsed answer, where the library has not read its code (a refused FETCH, what is executed directly). */
  response?: { attributes?: readonly { section?: readonly { value?: unknown }[] }[] }
}

interface Verdict {
  code: ErrorCode
  retryable: boolean
  action?: string
}

const unreachable: Verdict = {
  code: 'IMAP_UNREACHABLE',
  retryable: true,
  action: 'Check imap.host, imap.port and imap.security, and that the server is up.',
}
const lost: Verdict = { code: 'IMAP_CONNECTION_LOST', retryable: true }
const timedOut: Verdict = { code: 'IMAP_TIMEOUT', retryable: true }
const silent: Verdict = {
  code: 'IMAP_TIMEOUT',
  retryable: true,
  action:
    'Look whether the server is overloaded, and whether the port expects TLS from the first byte (security: tls).',
}
const tlsFailed: Verdict = {
  code: 'TLS_FAILED',
  retryable: true,
  action: "Check imap.security, the server's certificate and imap.caFile.",
}
const tlsDemanded: Verdict = {
  code: 'TLS_NOT_OFFERED',
  retryable: true,
  action: 'The server serves no one without TLS: use imap.security: starttls or tls.',
}
const tlsNotOffered: Verdict = {
  code: 'TLS_NOT_OFFERED',
  retryable: true,
  action: 'Check imap.security and imap.port: STARTTLS is required here and is never left out.',
}
const injected: Verdict = {
  code: 'TLS_FAILED',
  retryable: true,
  action:
    'Somebody injects text before the handshake: use security: tls, and look for who is on the way to the server.',
}

const byCode: Readonly<Record<string, Verdict>> = {
  CONNECT_TIMEOUT: unreachable,
  GREETING_TIMEOUT: silent,
  ClosedAfterConnectText: unreachable,
  ClosedAfterConnectTLS: tlsFailed,
  UPGRADE_TIMEOUT: tlsFailed,
  STARTTLS_INJECTION: injected,
  ECONNRESET: lost,
  EPIPE: lost,
  NoConnection: lost,
  EConnectionClosed: lost,
  StateLogout: lost,
  NotFound: { code: 'IMAP_FOLDER_MISSING', retryable: false },
  ETIMEOUT: timedOut,
  LockTimeout: timedOut,
  ETHROTTLE: { code: 'IMAP_COMMAND_FAILED', retryable: true, action: 'The server asks for fewer requests.' },
}

/** RFC 5530 3 and providers' own: the server's answer, not the network's. */
const byResponseCode: Readonly<Record<string, Verdict>> = {
  AUTHENTICATIONFAILED: authentication('Check imap.auth: user and password.'),
  AUTHORIZATIONFAILED: authentication('The login is fine, but this user may not open the mailbox.'),
  EXPIRED: authentication('The password has expired.'),
  PRIVACYREQUIRED: tlsDemanded,
  UNAVAILABLE: { code: 'IMAP_COMMAND_FAILED', retryable: true },
  INUSE: { code: 'IMAP_COMMAND_FAILED', retryable: true },
  LIMIT: { code: 'IMAP_COMMAND_FAILED', retryable: true, action: 'Fewer connections: see imap.connections.' },
  THROTTLED: { code: 'IMAP_COMMAND_FAILED', retryable: true },
  SERVERBUG: { code: 'IMAP_COMMAND_FAILED', retryable: true },
  OVERQUOTA: { code: 'IMAP_COMMAND_FAILED', retryable: false, action: 'The mailbox is full.' },
  NOPERM: { code: 'IMAP_COMMAND_FAILED', retryable: false, action: 'This user lacks a permission on the folder.' },
  CANNOT: { code: 'IMAP_COMMAND_FAILED', retryable: false },
  NONEXISTENT: { code: 'IMAP_FOLDER_MISSING', retryable: false },
  TRYCREATE: { code: 'IMAP_FOLDER_MISSING', retryable: false },
}

function authentication(action: string): Verdict {
  return { code: 'IMAP_AUTHENTICATION_FAILED', retryable: true, action }
}

const responseCodeOf = ({ serverResponseCode, response }: Fault): unknown =>
  serverResponseCode ?? response?.attributes?.[0]?.section?.[0]?.value

const judge = (fault: Fault, stage: Stage): Verdict => {
  if (fault.mailboxMissing === true) return { code: 'IMAP_FOLDER_MISSING', retryable: false }
  const { code } = fault
  const response = responseCodeOf(fault)
  // Dovecot says so of a message that it can't read: to wait for it would stop the folder.
  if (response === 'SERVERBUG' && stage === 'fetch') return { code: 'IMAP_COMMAND_FAILED', retryable: false }
  if (typeof response === 'string' && Object.hasOwn(byResponseCode, response.toUpperCase())) {
    return byResponseCode[response.toUpperCase()] ?? lost
  }
  if (fault.authenticationFailed === true) return authentication('Check imap.auth: user and password.')
  if (typeof code === 'string' && Object.hasOwn(byCode, code)) return byCode[code] ?? lost
  // Without a code: STARTTLS is not offered, refused, or impossible after a PREAUTH greeting.
  if (fault.tlsFailed === true) return code === undefined ? tlsNotOffered : tlsFailed
  if (fault.responseStatus === 'NO' || fault.responseStatus === 'BAD') {
    return { code: 'IMAP_COMMAND_FAILED', retryable: false }
  }
  return { code: 'INTERNAL', retryable: true }
}

const throttled: Verdict = {
  code: 'IMAP_COMMAND_FAILED',
  retryable: true,
  action: 'The account has used up what the provider allows for now.',
}

/** Gmail answers so when an account has used up its bandwidth of the day; asking again soon prolongs it. */
const throttledForMs = 10 * 60_000

/** Where nothing is written, a quota is one of requests or bandwidth, which comes back. */
const isOfReading = (stage: Stage, response: unknown): boolean =>
  response === 'OVERQUOTA' && (stage === 'connect' || stage === 'select' || stage === 'fetch')

const reasonOf = (fault: Fault): string => {
  const reason = [responseCodeOf(fault), fault.code].find((one) => typeof one === 'string')
  if (typeof reason === 'string') return reason
  if (fault.mailboxMissing === true) return 'there is no such folder'
  if (fault.responseStatus === 'NO' || fault.responseStatus === 'BAD')
    return `the server answers ${fault.responseStatus}`
  return fault instanceof Error ? fault.name : 'no reason given'
}

/** @param what was being done, for the message: `opening folder "INBOX" at imap.example.com:993` */
export const classifyImapError = (error: unknown, stage: Stage, what: string): PosthornError => {
  if (isPosthornError(error)) return error
  const network = networkFailureOf(error)
  if (network !== null && (network.tls !== null || !Object.hasOwn(byCode, network.reason))) {
    const { tls, action } = network
    return new PosthornError(tls ?? 'IMAP_UNREACHABLE', sayNetworkFailure(network, `IMAP: ${what} failed`), {
      stage: tls === null ? stage : 'tls',
      retryable: true,
      action,
      cause: error,
    })
  }
  const fault: Fault = typeof error === 'object' && error !== null ? error : {}
  const isThrottled = isOfReading(stage, responseCodeOf(fault))
  const { code, retryable, action } = isThrottled ? throttled : judge(fault, stage)
  return new PosthornError(code, `IMAP: ${what} failed (${reasonOf(fault)})`, {
    stage,
    retryable,
    cause: error,
    ...(action === undefined ? {} : { action }),
    ...(typeof fault.throttleReset === 'number' ? { retryAfterMs: fault.throttleReset } : {}),
    ...(isThrottled ? { retryAfterMs: throttledForMs } : {}),
  })
}
