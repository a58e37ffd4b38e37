/** A send request with everything at its default, as the codec yields it. */
import type { SendAttachment, SendRequest } from '../../src/avro/records.ts'
import type { SendingRules } from '../../src/mail/compose/validate-request.ts'

export const sendRequest = (more: Partial<SendRequest> = {}): SendRequest => ({
  id: 'r-1',
  account: 'support',
  from: null,
  to: ['ann@example.com'],
  cc: [],
  bcc: [],
  replyTo: [],
  subject: null,
  text: null,
  html: null,
  body: null,
  attachments: [],
  headers: {},
  messageId: null,
  inReplyTo: null,
  references: [],
  priority: null,
  sendAt: null,
  expiresAt: null,
  delivery: 'AT_LEAST_ONCE',
  dsn: null,
  saveToFolder: null,
  tags: {},
  ...more,
})

export const sendAttachment = (more: Partial<SendAttachment> = {}): SendAttachment => ({
  fileName: 'file.bin',
  contentType: null,
  contentId: null,
  disposition: 'ATTACHMENT',
  content: Buffer.from('content'),
  ...more,
})

export const sendingRules = (more: Partial<SendingRules> = {}): SendingRules => ({
  from: 'Support <support@example.com>',
  allowedFrom: ['support@example.com'],
  maxMessageBytes: 1_000_000,
  readableBuckets: ['mail'],
  hasMailbox: true,
  ...more,
})
