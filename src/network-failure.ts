/**
 * What an error of Node's dns, net and tls modules means, and what to do about it (pure, total). Every client of a server
 * (SMTP, IMAP, Kafka, the registry, the object store, OAuth) asks here, so that a certificate that has expired has one
 * code and one sentence wherever it is met. Decides on the codes that OpenSSL and the system give, never on a text.
 */
import type { ErrorCode } from './errors.ts'

export type TlsErrorCode = Extract<ErrorCode, `TLS_${string}`>

export interface NetworkFailure {
  /** As Node says it: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
  readonly reason: string
  /** Null: the way to the server is at fault, not its TLS. */
  readonly tls: TlsErrorCode | null
  /** Said of the server: `nothing listens there`. */
  readonly what: string
  readonly action: string
}

type Explanation = Omit<NetworkFailure, 'reason'>

const untrusted: Explanation = {
  tls: 'TLS_UNTRUSTED',
  what: 'its certificate is signed by nobody who is trusted here',
  action: 'Give the CA that signed it as caFile, or have the server send its whole chain.',
}
const expired: Explanation = {
  tls: 'TLS_EXPIRED',
  what: 'its certificate has expired',
  action: 'Have the certificate renewed; check the clock of this machine.',
}
const wrongVersion: Explanation = {
  tls: 'TLS_VERSION_REFUSED',
  what: 'it has no TLS version that is allowed here',
  action: 'Have the server offer TLS 1.2 or 1.3; see minVersion.',
}
const clientRefused: Explanation = {
  tls: 'TLS_CLIENT_REFUSED',
  what: 'it wants a client certificate, or another one',
  action: 'Give a certificate that the server trusts as certFile, and its key as keyFile.',
}
const noTls: Explanation = {
  tls: 'TLS_NOT_OFFERED',
  what: 'it does not answer with TLS',
  action: 'Check the port: the server may speak no TLS there, or only after STARTTLS (security: starttls).',
}
const tlsFailed: Explanation = {
  tls: 'TLS_FAILED',
  what: 'the TLS handshake failed',
  action: 'Look into the log of the server; check the port and that both sides have a cipher in common.',
}
const closed: Explanation = {
  tls: null,
  what: 'it closed the connection',
  action: 'Check that the port is the right one, whether it expects TLS, and that the server lets this address in.',
}
const noRoute: Explanation = {
  tls: null,
  what: 'there is no route to it',
  action: 'Check the network of this machine, and whether the server has an address of a kind that it can reach.',
}

const explanations: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: { tls: null, what: 'its name is not in the DNS', action: 'Check the spelling of the host.' },
  EAI_AGAIN: {
    tls: null,
    what: 'the DNS gives no answer for its name',
    action: 'Check the name servers of this machine.',
  },
  ECONNREFUSED: {
    tls: null,
    what: 'nothing listens there',
    action: 'Check host and port, and that the server runs.',
  },
  ETIMEDOUT: {
    tls: null,
    what: 'it does not answer',
    action: 'A firewall may drop the packets: check it, host and port.',
  },
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
  EADDRNOTAVAIL: noRoute,
  ECONNRESET: closed,
  ECONNABORTED: closed,
  EPIPE: closed,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_UNSUPPORTED_PROTOCOL: wrongVersion,
  ERR_SSL_ALERT_PROTOCOL_VERSION: wrongVersion,
  ERR_SSL_ALERT_CERTIFICATE_REQUIRED: clientRefused,
  ERR_SSL_ALERT_UNKNOWN_CA: clientRefused,
  ERR_SSL_ALERT_ACCESS_DENIED: clientRefused,
  ERR_SSL_ALERT_BAD_CERTIFICATE: clientRefused,
  ERR_SSL_ALERT_CERTIFICATE_UNKNOWN: clientRefused,
  ERR_SSL_ALERT_CERTIFICATE_EXPIRED: clientRefused,
  ERR_SSL_ALERT_CERTIFICATE_REVOKED: clientRefused,
  ERR_SSL_ALERT_UNSUPPORTED_CERTIFICATE: clientRefused,
  // What servers with TLS 1.2 say where a client certificate is missing; or where no cipher is common.
  ERR_SSL_ALERT_HANDSHAKE_FAILURE: clientRefused,
  CERT_HAS_EXPIRED: expired,
  CERT_NOT_YET_VALID: {
    ...expired,
    what: 'its certificate is not valid yet',
    action: 'Check the clock of this machine.',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    tls: 'TLS_WRONG_NAME',
    what: 'its certificate was made for another name',
    action: 'Use the name in the certificate as host, or give it as serverName.',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: { ...untrusted, what: 'its certificate is signed by itself' },
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  INVALID_CA: untrusted,
}

/**
 * Where a handshake fails while something is being written, Node gives `EPROTO` and OpenSSL's number (library 0x0A, then the
 * reason; alerts are 1000 and RFC 8446 6) nowhere but in the message.
 */
const reasonsOfEproto = new Map<number, string>([
  [198, 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
  [258, 'ERR_SSL_UNSUPPORTED_PROTOCOL'],
  [267, 'ERR_SSL_WRONG_VERSION_NUMBER'],
  [1040, 'ERR_SSL_ALERT_HANDSHAKE_FAILURE'],
  [1042, 'ERR_SSL_ALERT_BAD_CERTIFICATE'],
  [1045, 'ERR_SSL_ALERT_CERTIFICATE_EXPIRED'],
  [1046, 'ERR_SSL_ALERT_CERTIFICATE_UNKNOWN'],
  [1048, 'ERR_SSL_ALERT_UNKNOWN_CA'],
  [1070, 'ERR_SSL_ALERT_PROTOCOL_VERSION'],
  [1116, 'ERR_SSL_ALERT_CERTIFICATE_REQUIRED'],
])

const reasonOfEproto = (message: unknown): string => {
  const [, number = ''] = (typeof message === 'string' ? /:error:0A([0-9A-F]{6}):/.exec(message) : null) ?? []
  return reasonsOfEproto.get(Number.parseInt(number, 16)) ?? 'EPROTO'
}

/** OpenSSL's other verification results, and Node's other codes for TLS. */
const tlsCode = /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|EPROTO$)/

const explain = (code: unknown, message: unknown): NetworkFailure | null => {
  if (typeof code !== 'string') return null
  // Releases of OpenSSL differ in the version that they put into the name of an alert.
  const reason = (code === 'EPROTO' ? reasonOfEproto(message) : code).replace(
    /^ERR_SSL_[A-Z0-9/]+_ALERT_/,
    'ERR_SSL_ALERT_',
  )
  if (Object.hasOwn(explanations, reason)) return { reason, ...(explanations[reason] ?? tlsFailed) }
  return tlsCode.test(reason) ? { reason, ...tlsFailed } : null
}

/** Client libraries wrap what the socket said; some keep its code under another name. */
interface Wrapper {
  message?: unknown
  code?: unknown
  originalCode?: unknown
  cause?: unknown
  errors?: unknown
}

/** @returns null: it is no failure of the network that is known here */
export const networkFailureOf = (error: unknown): NetworkFailure | null => {
  const queue: unknown[] = [error]
  const seen = new Set<unknown>()
  for (const next of queue) {
    if (typeof next !== 'object' || next === null || seen.has(next)) continue
    seen.add(next)
    const { message, code, originalCode, cause, errors }: Wrapper = next
    const failure = explain(originalCode, message) ?? explain(code, message)
    if (failure !== null) return failure
    // Of several addresses that were tried, the first one stands for all.
    queue.push(...(Array.isArray(errors) ? (errors as unknown[]) : []), cause)
  }
  return null
}

/** `mail.example.com:465: its certificate has expired (CERT_HAS_EXPIRED)`. @param place `host:port` or a URL */
export const sayNetworkFailure = ({ what, reason }: NetworkFailure, place: string): string =>
  `${place}: ${what} (${reason})`
