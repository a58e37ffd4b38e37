/** Errors of Node's dns, net and tls modules in words, with what to do (pure). Decides on `code` alone. */
import { PosthornError, type ErrorCode } from '../errors.ts'

export interface Endpoint {
  host: string
  port: number
}

interface Explanation {
  message: (endpoint: Endpoint) => string
  action: string
}

const at = ({ host, port }: Endpoint): string => `${host}:${port}`
const untrusted: Explanation = {
  message: (endpoint) => `the certificate of ${at(endpoint)} is signed by nobody who is trusted here`,
  action: 'Give the CA that signed it as caFile, or have the server send its whole chain.',
}
const noTls: Explanation = {
  message: (endpoint) => `${at(endpoint)} does not answer with TLS`,
  action: 'Check port and security: tls begins with the handshake, starttls asks for it first.',
}
const notLetIn: Explanation = {
  message: (endpoint) => `${at(endpoint)} closed the connection`,
  action: 'Check that the port is the right one and that the server lets this address in.',
}
const noRoute: Explanation = {
  message: (endpoint) => `there is no route to ${at(endpoint)}`,
  action: 'Check the network of this machine, and whether the server has an address of a kind that it can reach.',
}

const explanations: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: {
    message: ({ host }) => `DNS knows no host ${host}`,
    action: 'Check the spelling of host.',
  },
  EAI_AGAIN: {
    message: ({ host }) => `DNS gave no answer for ${host}`,
    action: 'Check the name servers of this machine.',
  },
  ECONNREFUSED: {
    message: (endpoint) => `nothing listens on ${at(endpoint)}`,
    action: 'Check host and port, and that the server runs.',
  },
  ETIMEDOUT: {
    message: (endpoint) => `${at(endpoint)} does not answer`,
    action: 'A firewall may drop the packets: check it, host and port.',
  },
  EHOSTUNREACH: noRoute,
  ENETUNREACH: noRoute,
  EADDRNOTAVAIL: noRoute,
  ECONNRESET: notLetIn,
  EPIPE: notLetIn,
  EPROTO: noTls,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_UNSUPPORTED_PROTOCOL: {
    message: (endpoint) => `${at(endpoint)} offers no TLS version that is allowed here`,
    action: 'Have the server offer TLS 1.2 or 1.3.',
  },
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: {
    message: (endpoint) => `${at(endpoint)} accepts no TLS version that is allowed here`,
    action: 'Have the server offer TLS 1.2 or 1.3.',
  },
  CERT_HAS_EXPIRED: {
    message: (endpoint) => `the certificate of ${at(endpoint)} has expired`,
    action: 'Have it renewed; check the clock of this machine.',
  },
  CERT_NOT_YET_VALID: {
    message: (endpoint) => `the certificate of ${at(endpoint)} is not valid yet`,
    action: 'Check the clock of this machine.',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    message: (endpoint) => `the certificate of ${at(endpoint)} was made for another name`,
    action: 'Use the name in the certificate as host, or give it as serverName.',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
}

/** @param code of the result */
export const explainNetworkError = (error: unknown, endpoint: Endpoint, code: ErrorCode): PosthornError => {
  const { code: reason, message: text } = error as NodeJS.ErrnoException
  const known = reason !== undefined && Object.hasOwn(explanations, reason) ? explanations[reason] : undefined
  const message = known?.message(endpoint) ?? `${at(endpoint)}: ${text}`
  return new PosthornError(code, reason === undefined ? message : `${message} (${reason})`, {
    stage: 'connect',
    retryable: true,
    action: known?.action ?? 'Check host, port and security.',
    cause: error,
  })
}
