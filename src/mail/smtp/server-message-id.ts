import type { SmtpReply } from './reply.ts'

/** How servers name a mail in their reply to the final dot; the id is the group. */
const patterns: readonly RegExp[] = [
  // Microsoft 365: OK <id@host.prod.outlook.com> [Hostname=...]
  /^OK (<[^<>\s]+@[^<>\s]+>)/i,
  // Postfix and what follows it: Ok: queued as 4XyZ12
  /\bqueued as ([\w.-]+)/i,
  // Exim: OK id=1rK2aB-0001xY-2Z
  /\bid=([\w.-]+)/i,
  // Gmail: OK  1700000000 d2e1a72fcca58-6c4cb0a8sm123 - gsmtp
  /^OK\s+\d+ (\S+) - gsmtp$/i,
  // Sendmail: 43GBxyz012345 Message accepted for delivery
  /^([\w.-]+) Message accepted for delivery/i,
  // Amazon SES: Ok 0100018b5c3c0a4f-1f2e-...-000000
  /^Ok ([0-9a-f]{8,}(?:-[0-9a-f]+)+)$/i,
]

/** The id that the server gave the mail, where its reply names one in a form that is known (pure). */
export const serverMessageIdOf = ({ text }: SmtpReply): string | null => {
  for (const pattern of patterns) {
    const id = pattern.exec(text)?.[1]
    if (id !== undefined) return id
  }
  return null
}
