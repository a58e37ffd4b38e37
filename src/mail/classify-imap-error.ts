/** What an error of the IMAP client, the socket or TLS means (pure, total). Decides on codes, never on text. */
import { isPosthornError, PosthornError, type ErrorCode, type Stage } from '../errors.ts'

interface Fault {
  code?: unknown
  message?: unknown
  authenticationFailed?: unknown
  tlsFailed?: unknown
  mailboxMissing?: unknown
  throttleReset?: unknown
  serverResponseCode?: unknown
  responseStatus?: unknown
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
const tlsFailed: Verdict = {
  code: 'IMAP_TLS_FAILED',
  retryable: true,
  action: "Check imap.security, the server's certificate and imap.caFile.",
}

const byCode: Readonly<Record<string, Verdict>> = {
  ECONNREFUSED: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: unreachable,
  CONNECT_TIMEOUT: unreachable,
  GREETING_TIMEOUT: unreachable,
  ClosedAfterConnectText: unreachable,
  ClosedAfterConnectTLS: tlsFailed,
  UPGRADE_TIMEOUT: tlsFailed,
  STARTTLS_INJECTION: tlsFailed,
  EPROTO: tlsFailed,
  ECONNRESET: lost,
  EPIPE: lost,
  NoConnection: lost,
  EConnectionClosed: lost,
  StateLogout: lost,
  ETIMEOUT: timedOut,
  LockTimeout: timedOut,
  ETHROTTLE: { code: 'IMAP_COMMAND_FAILED', retryable: true, action: 'The server asks for fewer requests.' },
}

/** RFC 5530 3 and providers' own: the server's answer, not the network's. */
const byResponseCode: Readonly<Record<string, Verdict>> = {
  AUTHENTICATIONFAILED: authentication('Check imap.auth: user and password.'),
  AUTHORIZATIONFAILED: authentication('The login is fine, but this user may not open the mailbox.'),
  EXPIRED: authentication('The password has expired.'),
  PRIVACYREQUIRED: tlsFailed,
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

const tlsCode = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_(TLS|SSL)/

const judge = (fault: Fault): Verdict => {
  if (fault.mailboxMissing === true) return { code: 'IMAP_FOLDER_MISSING', retryable: false }
  const { serverResponseCode: response, code } = fault
  if (typeof response === 'string' && Object.hasOwn(byResponseCode, response.toUpperCase())) {
    return byResponseCode[response.toUpperCase()] ?? lost
  }
  if (fault.authenticationFailed === true) return authentication('Check imap.auth: user and password.')
  if (typeof code === 'string' && Object.hasOwn(byCode, code)) return byCode[code] ?? lost
  if (fault.tlsFailed === true || (typeof code === 'string' && tlsCode.test(code))) return tlsFailed
  if (fault.responseStatus === 'NO' || fault.responseStatus === 'BAD') {
    return { code: 'IMAP_COMMAND_FAILED', retryable: false }
  }
  return { code: 'INTERNAL', retryable: true }
}

/** @param what was being done, for the message: `opening folder "INBOX" at imap.example.com:993` */
export const classifyImapError = (error: unknown, stage: Stage, what: string): PosthornError => {
  if (isPosthornError(error)) return error
  const fault: Fault = typeof error === 'object' && error !== null ? error : {}
  const { code, retryable, action } = judge(fault)
  const reason = [fault.serverResponseCode, fault.code].find((one) => typeof one === 'string')
  const text = typeof reason === 'string' ? reason : error instanceof Error ? error.name : 'no reason given'
  return new PosthornError(code, `IMAP: ${what} failed (${text})`, {
    stage,
    retryable,
    cause: error,
    ...(action === undefined ? {} : { action }),
    ...(typeof fault.throttleReset === 'number' ? { retryAfterMs: fault.throttleReset } : {}),
  })
}
