/** Flags and lines of JSON → send requests, not yet checked against the schema (pure). */
import type { SendAttachmentInput, SendRequestInput } from '../avro/records.ts'
import { PosthornError } from '../errors.ts'

/** What applies to each request unless it says otherwise. */
export interface RequestDefaults {
  account?: string | undefined
  from?: string | undefined
}

export interface SendFlags extends RequestDefaults {
  id?: string
  to?: string[]
  cc?: string[]
  bcc?: string[]
  replyTo?: string[]
  subject?: string
  text?: string
  html?: string
  attach?: string[]
  header?: Record<string, string>
  tag?: Record<string, string>
  inReplyTo?: string
  priority?: 'HIGH' | 'NORMAL' | 'LOW'
  delivery?: 'AT_LEAST_ONCE' | 'AT_MOST_ONCE' | 'VERIFY'
  /** Milliseconds since the epoch. */
  sendAt?: number
  expiresAt?: number
  saveTo?: string
}

/** Flags of one mail: with JSON lines they would be ambiguous. `account` and `from` are defaults there. */
export const flagsOfOneMail = [
  'id',
  'to',
  'cc',
  'bcc',
  'replyTo',
  'subject',
  'text',
  'html',
  'attach',
  'header',
  'tag',
  'inReplyTo',
  'priority',
  'delivery',
  'sendAt',
  'expiresAt',
  'saveTo',
] as const satisfies (keyof SendFlags)[]

/** @param id used where the flags name none */
export const requestFromFlags = (
  flags: SendFlags,
  attachments: SendAttachmentInput[],
  id: string,
): SendRequestInput => ({
  id: flags.id ?? id,
  account: flags.account,
  from: flags.from,
  to: flags.to,
  cc: flags.cc,
  bcc: flags.bcc,
  replyTo: flags.replyTo,
  subject: flags.subject,
  text: flags.text,
  html: flags.html,
  attachments,
  headers: flags.header,
  tags: flags.tag,
  inReplyTo: flags.inReplyTo,
  priority: flags.priority,
  delivery: flags.delivery,
  sendAt: flags.sendAt,
  expiresAt: flags.expiresAt,
  saveToFolder: flags.saveTo,
})

const invalid = (message: string): PosthornError => new PosthornError('REQUEST_INVALID', message, { stage: 'validate' })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** RFC 4648 4, padded: what anything else would decode to is anyone's guess. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The `content` of a part from base64; an object reference and everything else stay for the schema to judge. */
const decodeContent = (part: unknown, path: string): unknown => {
  if (!isObject(part) || typeof part['content'] !== 'string') return part
  const { content } = part
  if (!base64.test(content)) throw invalid(`${path}.content is not base64`)
  return { ...part, content: Buffer.from(content, 'base64') }
}

export interface RequestLine {
  id: string
  /** In the form of `SendRequestInput`, unchecked. */
  request: unknown
}

/**
 * One line: a JSON object with the fields of `SendRequest`, bytes as base64; without an `id` it gets the given one.
 *
 * @throws PosthornError `REQUEST_INVALID`
 */
export const requestFromLine = (line: string, defaults: RequestDefaults, id: string): RequestLine => {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    // The parser's own message quotes the line.
    throw invalid('this is not JSON')
  }
  if (!isObject(parsed)) throw invalid('this is not a JSON object')
  const { attachments, body } = parsed
  const request: Record<string, unknown> = {
    ...(defaults.account === undefined ? {} : { account: defaults.account }),
    ...(defaults.from === undefined ? {} : { from: defaults.from }),
    id,
    ...parsed,
    ...(Array.isArray(attachments)
      ? { attachments: attachments.map((part, index) => decodeContent(part, `attachments[${index}]`)) }
      : {}),
    ...(isObject(body) ? { body: decodeContent(body, 'body') } : {}),
  }
  if (typeof request['id'] !== 'string' || request['id'] === '') throw invalid('id is not a string with content')
  return { id: request['id'], request }
}
