/**
 * What a send request must be before it is sent (pure). Everything that is wrong is found at once, with its path and the
 * rule; never with its value, which is mail.
 */
import type { SendAttachment, SendRequest } from '../../avro/records.ts'
import { PosthornError } from '../../errors.ts'
import { matchesGlob } from '../match-message.ts'
import type { EnvelopeDsn, EnvelopeRecipient } from '../smtp/envelope.ts'
import { envelopeIdOf } from '../smtp/xtext.ts'
import { headerNameProblem, headerValueProblem, mediaTypeProblem } from './header-rules.ts'
import { mailboxKey, readMailboxes } from './mailbox-list.ts'
import { deriveMessageId, isForeignMessageId, isMessageId } from './message-id.ts'
import type { Mailbox, OutgoingAttachment, OutgoingMessage } from './outgoing-message.ts'

/** What an account allows. */
export interface SendingRules {
  /** The default From as configured. Null: each request names its own. */
  from: string | null
  /** Globs over the bare address. */
  allowedFrom: readonly string[]
  /** Most bytes of attachments and bodies together. */
  maxMessageBytes: number
  /** Null: no object can be read. */
  readableBuckets: readonly string[] | null
  /** Whether the account has a mailbox to look into. */
  hasMailbox: boolean
}

export interface RequestProblem {
  /** Such as `attachments[2].contentType`. */
  path: string
  rule: string
}

export type ValidatedRequest = { message: OutgoingMessage } | { problems: RequestProblem[] }

const maxIdLength = 255
/** Each has its line in the result, which is one Kafka record. */
const maxRecipients = 2_000

/** @param messageId which the request has already; null: its own, or one that is derived */
export const validateRequest = (
  request: SendRequest,
  rules: SendingRules,
  messageId: string | null = null,
): ValidatedRequest => {
  const problems: RequestProblem[] = []
  const report = (path: string, rule: string): void => void problems.push({ path, rule })
  checkIds(request, report)
  checkBodies(request, report)
  checkHeaders(request, report)
  const lists = readLists(request, report)
  if (lists.to.length + lists.cc.length + lists.bcc.length === 0 && problems.every(({ path }) => !isListPath(path))) {
    report('to', 'must name somebody, or cc or bcc must')
  }
  if (lists.to.length + lists.cc.length + lists.bcc.length > maxRecipients) {
    report('to', `must name at most ${maxRecipients} recipients, together with cc and bcc`)
  }
  const attachments = readAttachments(request, rules, report)
  checkMailbox(request, rules, report)
  const from = readSender(request, rules, report)
  if (from === null || problems.length > 0) return { problems }
  return {
    message: {
      messageId: messageId ?? request.messageId ?? deriveMessageId(request.account, request.id, domainOf(from.path)),
      from,
      to: lists.to,
      cc: lists.cc,
      replyTo: lists.replyTo,
      recipients: uniqueRecipients([...lists.to, ...lists.cc, ...lists.bcc]),
      subject: request.subject,
      text: request.text,
      html: request.html,
      body: request.body,
      attachments,
      headers: Object.entries(request.headers),
      inReplyTo: request.inReplyTo,
      references: request.references,
      priority: request.priority,
      dsn: readDsn(request),
    },
  }
}

/** @throws PosthornError `REQUEST_INVALID`, or `REQUEST_SENDER_NOT_ALLOWED` where nothing else is wrong */
export const requireValid = (
  request: SendRequest,
  rules: SendingRules,
  messageId: string | null = null,
): OutgoingMessage => {
  const result = validateRequest(request, rules, messageId)
  if ('message' in result) return result.message
  const { problems } = result
  const [first] = problems
  const code =
    problems.length === 1 && first?.rule === senderNotAllowed ? 'REQUEST_SENDER_NOT_ALLOWED' : 'REQUEST_INVALID'
  const shown = problems.slice(0, 20).map(({ path, rule }) => `${path}: ${rule}`)
  if (problems.length > shown.length) shown.push(`${problems.length - shown.length} more`)
  throw new PosthornError(code, shown.join('; '), { stage: 'validate' })
}

/** The Message-ID that the request has or will have, also where the request is not valid. */
export const messageIdOf = (request: SendRequest, rules: Pick<SendingRules, 'from'>): string => {
  if (request.messageId !== null && isMessageId(request.messageId)) return request.messageId
  const mailboxes = readMailboxes(request.from ?? rules.from ?? '')
  const from = typeof mailboxes === 'string' ? undefined : mailboxes[0]
  return deriveMessageId(request.account, request.id, from === undefined ? 'posthorn.invalid' : domainOf(from.path))
}

type Report = (path: string, rule: string) => void

const checkIds = (request: SendRequest, report: Report): void => {
  const { id, messageId, inReplyTo, references, saveToFolder, dsn } = request
  if (id.length === 0 || id.length > maxIdLength || /\p{Cc}/u.test(id)) {
    report('id', `must have 1 to ${maxIdLength} characters, none of them a control character`)
  }
  if (messageId !== null && !isMessageId(messageId)) {
    report('messageId', 'must be <local@domain> in ASCII, at most 250 characters')
  }
  const idRule = 'must be a message id with its angle brackets'
  if (inReplyTo !== null && !isForeignMessageId(inReplyTo)) report('inReplyTo', idRule)
  for (const [at, reference] of references.entries()) {
    if (!isForeignMessageId(reference)) report(`references[${at}]`, idRule)
  }
  if (saveToFolder !== null && (saveToFolder === '' || /\p{Cc}/u.test(saveToFolder))) {
    report('saveToFolder', 'must be the name of a folder')
  }
  if (dsn !== null && dsn.notify.includes('NEVER') && dsn.notify.some((each) => each !== 'NEVER')) {
    report('dsn.notify', 'must be NEVER alone or without it')
  }
}

const checkMailbox = ({ delivery, saveToFolder }: SendRequest, { hasMailbox }: SendingRules, report: Report): void => {
  if (hasMailbox) return
  if (delivery === 'VERIFY') report('delivery', 'can be VERIFY only where the account has imap')
  if (saveToFolder !== null) report('saveToFolder', 'needs imap in the account')
}

const checkBodies = ({ text, html, body, subject }: SendRequest, report: Report): void => {
  if (body !== null) {
    if (text !== null || html !== null) report('body', 'must stand alone: text and html must be null')
    const problem = mediaTypeProblem(body.contentType)
    if (problem !== null) report('body.contentType', problem)
    // RFC 2046 5.2: it could not be encoded.
    if (/^message\//i.test(body.contentType)) report('body.contentType', 'must not be message; attach it')
  }
  const problem = subject === null ? null : headerValueProblem(subject)
  if (problem !== null) report('subject', problem)
}

const checkHeaders = ({ headers, priority }: SendRequest, report: Report): void => {
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(headers)) {
    const nameProblem = headerNameProblem(name, priority !== null)
    // The name may be anything; in the path it is shown only when it is harmless.
    const path = /^[!-9;-~]{1,76}$/.test(name) ? `headers.${name}` : 'headers'
    if (nameProblem !== null) report(path, nameProblem)
    if (seen.has(name.toLowerCase())) report(path, 'must not be there twice')
    seen.add(name.toLowerCase())
    const valueProblem = headerValueProblem(value)
    if (valueProblem !== null) report(path, valueProblem)
  }
}

const listNames = ['to', 'cc', 'bcc', 'replyTo'] as const
type ListName = (typeof listNames)[number]

const isListPath = (path: string): boolean => /^(?:to|cc|bcc)\[/.test(path)

const readLists = (request: SendRequest, report: Report): Record<ListName, Mailbox[]> => {
  const lists: Record<ListName, Mailbox[]> = { to: [], cc: [], bcc: [], replyTo: [] }
  for (const name of listNames) {
    for (const [at, entry] of request[name].entries()) {
      const mailboxes = readMailboxes(entry)
      if (typeof mailboxes === 'string') report(`${name}[${at}]`, mailboxes)
      else lists[name].push(...mailboxes)
    }
  }
  return lists
}

const uniqueRecipients = (mailboxes: readonly Mailbox[]): EnvelopeRecipient[] => {
  const unique = new Map<string, EnvelopeRecipient>()
  for (const mailbox of mailboxes) {
    const key = mailboxKey(mailbox)
    if (!unique.has(key)) unique.set(key, { address: mailbox.address, path: mailbox.path })
  }
  return [...unique.values()]
}

const senderNotAllowed = 'is not allowed by smtp.allowedFrom of the account'

const readSender = (request: SendRequest, rules: SendingRules, report: Report): Mailbox | null => {
  const written = request.from ?? rules.from
  if (written === null) {
    report('from', 'is required: the account has no default')
    return null
  }
  const mailboxes = readMailboxes(written)
  if (typeof mailboxes === 'string') {
    report('from', mailboxes)
    return null
  }
  const [from] = mailboxes
  if (from === undefined || mailboxes.length > 1) {
    report('from', 'must be one address')
    return null
  }
  // The account's own default needs no permission; `path` so that an IDN can be allowed in either form.
  const isAllowed = (glob: string): boolean => matchesGlob(glob, from.address) || matchesGlob(glob, from.path)
  if (request.from !== null && !rules.allowedFrom.some(isAllowed)) report('from', senderNotAllowed)
  return from
}

const readAttachments = (request: SendRequest, rules: SendingRules, report: Report): OutgoingAttachment[] => {
  const contentIds = new Set<string>()
  let bytes = sizeOf(request.text) + sizeOf(request.html) + (request.body?.content.length ?? 0)
  const attachments = request.attachments.map((attachment, at) => {
    const path = `attachments[${at}]`
    checkAttachment(attachment, path, rules, report)
    const contentId = attachment.contentId?.replace(/^<(.*)>$/s, '$1') ?? null
    if (contentId !== null) {
      if (!/^[!-;=?-~]{1,200}$/.test(contentId)) {
        report(`${path}.contentId`, 'must have 1 to 200 printable ASCII characters without blanks')
      }
      if (contentIds.has(contentId)) report(`${path}.contentId`, 'must not be that of another attachment')
      contentIds.add(contentId)
    }
    bytes += Buffer.isBuffer(attachment.content) ? attachment.content.length : (attachment.content.size ?? 0)
    return { ...attachment, fileName: attachment.fileName === '' ? null : attachment.fileName, contentId }
  })
  if (bytes > rules.maxMessageBytes) {
    report('attachments', `must have at most ${rules.maxMessageBytes} bytes, together with the bodies`)
  }
  return attachments
}

const checkAttachment = (
  { fileName, contentType, content }: SendAttachment,
  path: string,
  { readableBuckets }: SendingRules,
  report: Report,
): void => {
  if (fileName !== null && (/\p{Cc}/u.test(fileName) || fileName.length > 255)) {
    report(`${path}.fileName`, 'must have at most 255 characters, none of them a control character')
  }
  const problem = contentType === null ? null : mediaTypeProblem(contentType)
  if (problem !== null) report(`${path}.contentType`, problem)
  if (Buffer.isBuffer(content)) return
  if (readableBuckets === null) report(`${path}.content`, 'names an object and no storage is configured')
  else if (!readableBuckets.includes(content.bucket)) {
    report(`${path}.content.bucket`, 'is not one of storage.readableBuckets')
  }
  if (content.key === '') report(`${path}.content.key`, 'must not be empty')
  if (content.size !== null && content.size < 0) report(`${path}.content.size`, 'must not be negative')
  if (content.sha256 !== null && !/^[0-9a-f]{64}$/i.test(content.sha256)) {
    report(`${path}.content.sha256`, 'must be 64 hexadecimal digits')
  }
}

/** The envelope id goes along in any case: by it a bounce is tied to its request (`match-report.ts`). */
const readDsn = ({ id, dsn }: SendRequest): EnvelopeDsn => ({
  envelopeId: envelopeIdOf(id),
  return: dsn === null ? null : dsn.return === 'FULL' ? 'FULL' : 'HDRS',
  notify: [...new Set(dsn?.notify)],
})

const sizeOf = (text: string | null): number => (text === null ? 0 : Buffer.byteLength(text))

const domainOf = (path: string): string => path.slice(path.lastIndexOf('@') + 1)
