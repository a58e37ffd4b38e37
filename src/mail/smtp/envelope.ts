/** The envelope of one mail and the commands that carry it (RFC 5321 4.1.1, RFC 1870, 3461, 6152, 6531) (pure). */
import { PosthornError } from '../../errors.ts'
import type { SmtpExtensions } from './extensions.ts'
import { toXtext } from './xtext.ts'

export interface EnvelopeRecipient {
  /** As the request wrote it; what results name. */
  address: string
  /** As it goes over the wire: the domain in ASCII where the local part is. */
  path: string
}

export interface EnvelopeDsn {
  /** What ENVID says, before its encoding; at most 100 printable ASCII characters. */
  envelopeId: string
  /** How much a report gives back; null: no report was asked for, the envelope id alone goes along. */
  return: 'FULL' | 'HDRS' | null
  /** Empty: the server's default. */
  notify: readonly ('NEVER' | 'SUCCESS' | 'FAILURE' | 'DELAY')[]
}

export interface Envelope {
  /** Reverse path without angle brackets; empty: the null sender. */
  from: string
  /** At least one. */
  recipients: readonly EnvelopeRecipient[]
  dsn: EnvelopeDsn | null
}

/** What SMTP must know of a mail besides its envelope. */
export interface MessageNeeds {
  /** Octets with CRLF line ends, before dot-stuffing (RFC 1870 3). Null: not known. */
  sizeBytes: number | null
  /** Some header or envelope address is not ASCII (RFC 6531). */
  smtpUtf8: boolean
  /** Some body part has octets above 127. */
  eightBit: boolean
}

/** MAIL and RCPT without their line ends. */
export interface EnvelopeCommands {
  mail: string
  rcpt: readonly string[]
}

export const envelopeCommands = (
  { from, recipients, dsn }: Envelope,
  { sizeBytes, smtpUtf8, eightBit }: MessageNeeds,
  extensions: SmtpExtensions,
): EnvelopeCommands => {
  const mail = [`MAIL FROM:<${from}>`]
  if (extensions.size !== null && sizeBytes !== null) mail.push(`SIZE=${sizeBytes}`)
  if ((eightBit || smtpUtf8) && extensions.eightBitMime) mail.push('BODY=8BITMIME')
  if (smtpUtf8) mail.push('SMTPUTF8')
  const rcpt: string[] = []
  if (dsn === null || !extensions.dsn) {
    for (const { path } of recipients) rcpt.push(`RCPT TO:<${path}>`)
    return { mail: mail.join(' '), rcpt }
  }
  if (dsn.return !== null) mail.push(`RET=${dsn.return}`)
  mail.push(`ENVID=${toXtext(dsn.envelopeId)}`)
  const notify = dsn.notify.length === 0 ? '' : ` NOTIFY=${dsn.notify.join(',')}`
  for (const { path } of recipients) {
    // RFC 3461 4.2: without ORCPT a report may name only the address that a relay made of it. The address type `utf-8`
    // of RFC 6533 needs its own encoding, so an address that is not ASCII goes without.
    const original = dsn.return !== null && /^[ -~]+$/.test(path) ? ` ORCPT=rfc822;${toXtext(path)}` : ''
    rcpt.push(`RCPT TO:<${path}>${notify}${original}`)
  }
  return { mail: mail.join(' '), rcpt }
}

/**
 * Why this server can't take the mail, whatever it would say; null: it can.
 *
 * RFC 1870 6.1: a mail larger than the limit is not offered. RFC 6531 3.2, RFC 6152 3: what the server does not offer is
 * not used, and the mail is not altered.
 */
export const unsupported = (
  { sizeBytes, smtpUtf8, eightBit }: MessageNeeds,
  extensions: SmtpExtensions,
): PosthornError | null => {
  const limit = extensions.size ?? 0
  if (limit > 0 && sizeBytes !== null && sizeBytes > limit) {
    return refuse('SMTP_MESSAGE_TOO_LARGE', `the mail has ${sizeBytes} bytes and the server takes ${limit}`)
  }
  if (smtpUtf8 && !extensions.smtpUtf8) {
    return refuse('SMTP_REJECTED', 'an address of the mail is not ASCII and the server does not offer SMTPUTF8')
  }
  if (eightBit && !extensions.eightBitMime) {
    return refuse('SMTP_REJECTED', 'a part of the mail is 8-bit and the server does not offer 8BITMIME')
  }
  return null
}

const refuse = (code: 'SMTP_MESSAGE_TOO_LARGE' | 'SMTP_REJECTED', message: string): PosthornError =>
  new PosthornError(code, message, { stage: 'envelope' })
