import type { Socket } from 'node:net'
import { TLSSocket, type Certificate } from 'node:tls'

/** Of an encrypted connection, as a person wants to read it. */
export interface TlsFacts {
  /** Such as `TLSv1.3`; null: not known any more. */
  protocol: string | null
  /** IANA's name of the cipher suite. */
  cipher: string
  /** Who signed the certificate; null: the certificate does not say. */
  issuer: string | null
  /** Until when it is valid, milliseconds since the epoch. */
  validUntil: number
}

/** Null: not encrypted. */
export const tlsFactsOf = (socket: Socket): TlsFacts | null => {
  if (!(socket instanceof TLSSocket)) return null
  const certificate = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    issuer: nameOf(certificate.issuer),
    validUntil: Date.parse(certificate.valid_to),
  }
}

/** The organisation and its own name, as far as the certificate has them. */
const nameOf = (name: Partial<Certificate> | undefined): string | null => {
  const given = [...new Set([name?.O ?? [], name?.CN ?? []].flat())].join(', ')
  return given === '' ? null : given.slice(0, 200)
}
