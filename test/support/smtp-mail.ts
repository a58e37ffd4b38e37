/** What the SMTP tests send, and where to. */
import type { SmtpSenderDependencies, SmtpSenderOptions } from '../../src/mail/smtp-sender.ts'
import type { SmtpMessage } from '../../src/mail/smtp/session.ts'

export const plainTls = { ca: null, certificate: null, key: null, serverName: null, minVersion: 'TLSv1.2' } as const

export const senderOptions = (port: number, more: Partial<SmtpSenderOptions> = {}): SmtpSenderOptions => ({
  host: '127.0.0.1',
  port,
  security: 'none',
  tls: plainTls,
  auth: null,
  allowPlaintextAuth: false,
  connectTimeoutMs: 5000,
  connections: 1,
  messagesPerConnection: null,
  rate: null,
  ...more,
})

export const senderDependencies = (more: Partial<SmtpSenderDependencies> = {}): SmtpSenderDependencies => ({
  now: Date.now,
  random: () => 0.5,
  ...more,
})

export interface MailOptions {
  to?: string[]
  content?: SmtpMessage['content']
  envelope?: Partial<SmtpMessage['envelope']>
  needs?: Partial<SmtpMessage['needs']>
}

export const shortContent = 'Subject: test\r\n\r\nhello\r\n.a line with a dot\r\n'

export const mailTo = ({ to = ['b@example.com'], content, envelope, needs }: MailOptions = {}): SmtpMessage => ({
  envelope: {
    from: 'a@example.com',
    recipients: to.map((address) => ({ address, path: address })),
    dsn: null,
    ...envelope,
  },
  needs: { sizeBytes: 100, smtpUtf8: false, eightBit: false, ...needs },
  content: content ?? (() => Buffer.from(shortContent)),
})
