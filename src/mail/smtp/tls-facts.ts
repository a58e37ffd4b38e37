import type { Socket } from 'node:net'
import { TLSSocket, type Certificate } from 'node:tls'

import { harmless } from './reply.ts'

/** Of an encrypted connection. */
export interface TlsFacts {
  protocol: string | null
  cipher: string
  subject: string | null
  issuer: string | null
  /** As the certificate says it. */
  validTo: string | null
}

/** Null: not encrypted. */
export const tlsFactsOf = (socket: Socket): TlsFacts | null => {
  if (!(socket instanceof TLSSocket)) return null
  const certificate = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    validTo: certificate.valid_to ?? null,
  }
}

const nameOf = (name: Partial<Certificate> | undefined): string | null => {
  const given = [name?.CN ?? name?.O ?? []].flat().join(', ')
  return given === '' ? null : harmless(given, 200)
}
