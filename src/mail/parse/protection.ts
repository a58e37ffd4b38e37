/** Whether a mail says that it is signed or encrypted: S/MIME (RFC 8551), PGP/MIME (RFC 3156) and PGP in the text. */
import type { Protection } from '../message.ts'
import type { PartHead } from './part-head.ts'

/** What one part says; null for nothing. */
export const protectionOf = ({ contentType, smimeType }: PartHead): Protection | null => {
  if (contentType === 'multipart/signed') return 'SIGNED'
  if (contentType === 'multipart/encrypted') return 'ENCRYPTED'
  if (!/^application\/(?:x-)?pkcs7-mime$/.test(contentType)) return null
  if (smimeType === 'compressed-data') return null
  return smimeType === 'signed-data' || smimeType === 'certs-only' ? 'SIGNED' : 'ENCRYPTED'
}

/** RFC 9580 6.2 and 7: the header lines of armor. */
export const inlineProtection = (text: string | null): Protection => {
  const header = /^-----BEGIN PGP (SIGNED )?MESSAGE-----[ \t]*$/m.exec(text ?? '')
  if (header === null) return 'NONE'
  return header[1] === undefined ? 'ENCRYPTED' : 'SIGNED'
}
