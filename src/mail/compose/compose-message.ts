/**
 * A valid request as the mail that goes over the wire.
 *
 * A mail without referenced objects is one Buffer. One with them is read piece by piece when the server waits for it,
 * in bounded memory; the objects are opened once before, so that a missing one is found while nothing has been sent.
 */
import type { Readable } from 'node:stream'

import type { ObjectRef } from '../../avro/records.ts'
import type { DkimConfig } from '../../config/config.ts'
import type { Envelope, MessageNeeds } from '../smtp/envelope.ts'
import { encodeBase64Stream, encodeBytes, encodeMessage, encodeText } from './encode-content.ts'
import { needsSmtpUtf8 } from './mailbox-list.ts'
import type { RootField } from './header-block.ts'
import { layOut, measure, type MimeLeaf, type MimePart, type MimePiece } from './mime-part.ts'
import type { Mailbox, OutgoingAttachment, OutgoingMessage } from './outgoing-message.ts'
import { signMessage } from './sign-message.ts'

export interface ComposeDependencies {
  /** Milliseconds since the epoch; the Date field. */
  now: () => number
  /** 16 random bytes or more, as hexadecimal digits: boundaries, names of nameless attachments. */
  randomToken: () => string
  /** @throws PosthornError `STORAGE_*` */
  openObject: (object: ObjectRef) => Promise<Readable>
  dkim: DkimConfig | null
}

export interface ComposedMessage {
  /** With angle brackets. */
  messageId: string
  envelope: Envelope
  needs: MessageNeeds
  /** The same bytes each time. */
  content(): Buffer | AsyncIterable<Buffer>
}

/**
 * @param except addresses of recipients who must not get the mail again; the header still names them
 * @throws PosthornError when a referenced object can't be opened
 */
export const composeMessage = async (
  message: OutgoingMessage,
  deps: ComposeDependencies,
  except: ReadonlySet<string> = new Set(),
): Promise<ComposedMessage> => {
  const root = toTree(message, deps.randomToken)
  let pieces = layOut(root, rootFields(message, deps.now()), deps.randomToken)
  if (deps.dkim !== null) pieces = [await signMessage(read(pieces, deps.openObject), deps.dkim), ...pieces]
  else await probe(pieces, deps.openObject)
  const whole = pieces.every((piece) => Buffer.isBuffer(piece)) ? Buffer.concat(pieces) : null
  const mailboxes = [message.from, ...message.to, ...message.cc, ...message.replyTo, ...message.recipients]
  return {
    messageId: message.messageId,
    envelope: {
      from: message.from.path,
      recipients: message.recipients.filter(({ address }) => !except.has(address)),
      dsn: message.dsn,
    },
    needs: {
      sizeBytes: measure(pieces),
      smtpUtf8: mailboxes.some(needsSmtpUtf8),
      eightBit: isEightBit(root),
    },
    content: () => whole ?? read(pieces, deps.openObject),
  }
}

async function* read(pieces: readonly MimePiece[], open: ComposeDependencies['openObject']): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) yield piece
    else yield* encodeBase64Stream(await open(piece.object))
  }
}

/** Opens what will be read, and lets it go again: held open it would outlive the server's patience. */
const probe = async (pieces: readonly MimePiece[], open: ComposeDependencies['openObject']): Promise<void> => {
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) continue
    const stream = await open(piece.object)
    stream.on('error', () => undefined)
    stream.destroy()
  }
}

const isEightBit = (part: MimePart): boolean =>
  part.kind === 'leaf' ? part.content.encoding === '8bit' : part.children.some(isEightBit)

const rootFields = (message: OutgoingMessage, now: number): RootField[] => {
  const fields: RootField[] = []
  const add = (key: string, value: RootField['value']): void => void fields.push({ key, value })
  add('From', asAddresses([message.from]))
  if (message.to.length > 0) add('To', asAddresses(message.to))
  if (message.cc.length > 0) add('Cc', asAddresses(message.cc))
  if (message.replyTo.length > 0) add('Reply-To', asAddresses(message.replyTo))
  if (message.subject !== null) add('Subject', message.subject)
  add('Message-ID', message.messageId)
  if (message.inReplyTo !== null) add('In-Reply-To', message.inReplyTo)
  if (message.references.length > 0) add('References', message.references.join(' '))
  add('Date', new Date(now).toUTCString().replace('GMT', '+0000'))
  if (message.priority !== null) {
    const [number, word] = priorities[message.priority]
    add('X-Priority', number)
    add('Importance', word)
  }
  for (const [name, value] of message.headers) add(name, value)
  return fields
}

const priorities = {
  HIGH: ['1 (Highest)', 'high'],
  NORMAL: ['3 (Normal)', 'normal'],
  LOW: ['5 (Lowest)', 'low'],
} as const

const asAddresses = (mailboxes: readonly Mailbox[]): { name: string; address: string }[] =>
  mailboxes.map(({ name, path }) => ({ name: name ?? '', address: path }))

const toTree = (message: OutgoingMessage, randomToken: () => string): MimePart => {
  const { text, html, body, attachments } = message
  const toLeaf = (attachment: OutgoingAttachment): MimeLeaf => attachmentLeaf(attachment, randomToken)
  const isRelated = ({ contentId }: OutgoingAttachment): boolean => html !== null && contentId !== null
  const related = attachments.filter(isRelated).map(toLeaf)
  const attached = attachments.filter((attachment) => !isRelated(attachment)).map(toLeaf)
  const bodies: MimePart[] = []
  if (text !== null) bodies.push(textLeaf('text/plain; charset=utf-8', text))
  if (html !== null) {
    const page = textLeaf('text/html; charset=utf-8', html)
    bodies.push(
      related.length === 0
        ? page
        : { kind: 'branch', contentType: 'multipart/related; type="text/html"', children: [page, ...related] },
    )
  }
  if (body !== null) bodies.push({ ...unnamed, contentType: body.contentType, content: encodeBytes(body.content) })
  const [first, second] = bodies
  if (first === undefined && attached.length === 0) return textLeaf('text/plain; charset=utf-8', '')
  const content: MimePart[] =
    first !== undefined && second !== undefined
      ? [{ kind: 'branch', contentType: 'multipart/alternative', children: bodies }]
      : bodies
  const [only] = content
  if (only !== undefined && attached.length === 0) return only
  return { kind: 'branch', contentType: 'multipart/mixed', children: [...content, ...attached] }
}

const unnamed = { kind: 'leaf', fileName: null, contentId: null, disposition: null } as const

const textLeaf = (contentType: string, text: string): MimeLeaf => ({
  ...unnamed,
  contentType,
  content: encodeText(text),
})

/** Camel's default for an attachment without a content type, which users of it expect. */
const defaultContentType = 'application/binary'

const attachmentLeaf = (attachment: OutgoingAttachment, randomToken: () => string): MimeLeaf => {
  const leaf = {
    kind: 'leaf',
    contentType: attachment.contentType ?? defaultContentType,
    fileName: attachment.fileName ?? randomToken(),
    contentId: attachment.contentId,
    disposition: attachment.disposition === 'INLINE' ? 'inline' : 'attachment',
  } as const
  const { content } = attachment
  if (!/^message\//i.test(leaf.contentType)) {
    return {
      ...leaf,
      content: Buffer.isBuffer(content) ? encodeBytes(content) : { encoding: 'base64', object: content },
    }
  }
  const carried = Buffer.isBuffer(content) ? encodeMessage(content) : null
  if (carried !== null) return { ...leaf, content: carried }
  // Its bytes matter more than its label, and base64 is not allowed under this one.
  return attachmentLeaf({ ...attachment, contentType: 'application/octet-stream' }, randomToken)
}
