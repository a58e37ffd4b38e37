import type { Awaited } from './transaction.ts'

/** Longest waits, milliseconds (RFC 5321 4.5.3.2, none shorter than there by default). */
export interface SmtpTimeouts {
  mail: number
  rcpt: number
  data: number
  /** For the system to take one piece of the content, and for the source to yield it. */
  block: number
  end: number
}

export const defaultTimeouts: SmtpTimeouts = {
  mail: 300_000,
  rcpt: 300_000,
  data: 120_000,
  block: 180_000,
  end: 600_000,
}

/** @param awaited null: the content is on its way */
export const timeoutFor = (awaited: Awaited | null, { mail, rcpt, data, block, end }: SmtpTimeouts): number => {
  switch (awaited) {
    case 'RSET':
    case 'MAIL':
      return mail
    case 'RCPT':
      return rcpt
    case 'DATA':
      return data
    case 'END':
      return end
    case null:
      return block
    default:
      return awaited satisfies never
  }
}
