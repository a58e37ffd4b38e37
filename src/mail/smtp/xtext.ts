import { createHash } from 'node:crypto'

/** xtext (RFC 3461 4): every octet that is not a printable ASCII character, and `+` and `=`, as `+` and two hex digits. */
export const toXtext = (text: string): string =>
  Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[^!-*,-<>-~]/g, (octet) => `+${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)

/**
 * The envelope id of a request: its own id. One that ENVID can't carry, which is limited to 100 printable ASCII
 * characters (RFC 3461 4.4), is replaced by a digest, the same at every attempt.
 */
export const envelopeIdOf = (requestId: string): string =>
  /^[ -~]{1,100}$/.test(requestId)
    ? requestId
    : `sha256:${createHash('sha256').update(requestId, 'utf8').digest('hex')}`
