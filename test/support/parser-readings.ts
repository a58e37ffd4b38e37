/**
 * What three parsers in JavaScript read in a message, in the form that `test/agreement/compare_parsers.py` compares. They
 * know nothing of Posthorn, and but for mailparser and postal-mime, whose author is one, nothing of each other: jsmime is
 * the parser of Thunderbird.
 */
import { createHash } from 'node:crypto'

import { parseMail } from '@protontech/jsmimeparser'
import { simpleParser, type AddressObject, type ParsedMail } from 'mailparser'
import PostalMime from 'postal-mime'

/** A field that a parser does not give is left out: it has no say in it. */
export interface Reading {
  subject?: string | null
  from?: People
  sender?: People
  replyTo?: People
  to?: People
  cc?: People
  bcc?: People
  /** Milliseconds since the epoch. */
  date?: number | null
  messageId?: string | null
  inReplyTo?: string | null
  references?: string
  contentType?: string
  /** Their names. */
  headers?: string[]
  text?: string[]
  html?: string[]
  fileNames?: (string | null)[]
  contentTypes?: string[]
  contentIds?: (string | null)[]
  dispositions?: (string | null)[]
  contents?: [size: number, sha256: string][]
}

type People = [name: string, address: string][]

interface Entry {
  name?: string | undefined
  address?: string | undefined
  group?: Entry[] | undefined
}

/** Groups are flattened; an entry without an address is none. */
const people = (entries: Entry[]): People =>
  entries.flatMap((entry): People => {
    if (entry.group !== undefined) return people(entry.group)
    return entry.address ? [[entry.name ?? '', entry.address]] : []
  })

const sized = (content: Uint8Array): [number, string] => [
  content.length,
  createHash('sha256').update(content).digest('hex'),
]

const timeOf = (date: Date | undefined): number | null =>
  date === undefined || Number.isNaN(date.getTime()) ? null : date.getTime()

const readWithMailparser = async (raw: Buffer): Promise<Reading> => {
  const options = { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, keepDeliveryStatus: true }
  const mail: ParsedMail = await simpleParser(raw, options)
  const list = (field: AddressObject | AddressObject[] | undefined): People =>
    people([field ?? []].flat().flatMap(({ value }) => value))
  const type = mail.headers.get('content-type') ?? {}
  return {
    subject: mail.subject ?? null,
    from: list(mail.from),
    replyTo: list(mail.replyTo),
    to: list(mail.to),
    cc: list(mail.cc),
    bcc: list(mail.bcc),
    date: timeOf(mail.date),
    messageId: mail.messageId ?? null,
    inReplyTo: mail.inReplyTo ?? null,
    references: [mail.references ?? []].flat().join(' '),
    contentType:
      typeof type === 'object' && 'value' in type && typeof type.value === 'string' ? type.value : 'text/plain',
    headers: mail.headerLines.map(({ key }) => key),
    text: mail.text === undefined ? [] : [mail.text],
    html: mail.html ? [mail.html] : [],
    fileNames: mail.attachments.map(({ filename }) => filename ?? null),
    contentTypes: mail.attachments.map(({ contentType }) => contentType ?? ''),
    contentIds: mail.attachments.map(({ contentId }) => contentId ?? null),
    dispositions: mail.attachments.map(({ contentDisposition }) => contentDisposition ?? null),
    contents: mail.attachments.map(({ content }) => sized(content)),
  }
}

const readWithPostalMime = async (raw: Buffer): Promise<Reading> => {
  const mail = await PostalMime.parse(raw)
  return {
    subject: mail.subject ?? null,
    from: people(mail.from === undefined ? [] : [mail.from]),
    sender: people(mail.sender === undefined ? [] : [mail.sender]),
    replyTo: people(mail.replyTo ?? []),
    to: people(mail.to ?? []),
    cc: people(mail.cc ?? []),
    bcc: people(mail.bcc ?? []),
    date: timeOf(mail.date === undefined ? undefined : new Date(mail.date)),
    messageId: mail.messageId ?? null,
    inReplyTo: mail.inReplyTo ?? null,
    references: mail.references ?? '',
    headers: mail.headers.map(({ key }) => key),
    text: mail.text === undefined ? [] : [mail.text],
    html: mail.html === undefined ? [] : [mail.html],
    fileNames: mail.attachments.map(({ filename }) => filename),
    contentTypes: mail.attachments.map(({ mimeType }) => mimeType),
    contentIds: mail.attachments.map(({ contentId }) => contentId ?? null),
    dispositions: mail.attachments.map(({ disposition }) => disposition),
    // It turns CRLF into LF in text attachments.
    ...(mail.attachments.some(({ mimeType }) => /^(?:text|message)\//.test(mimeType))
      ? {}
      : {
          contents: mail.attachments.map(({ content }) =>
            sized(typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content)),
          ),
        }),
  }
}

const readWithJsmime = async (raw: Buffer): Promise<Reading> => {
  const mail = parseMail(new Uint8Array(raw))
  const list = (field: unknown): People => {
    const entries = [field ?? []].flat() as {
      name?: string
      email?: string
      group?: { name: string; email: string }[]
    }[]
    return people(
      entries.map(({ name, email, group }) => ({
        name,
        address: email,
        group: group?.map((each) => ({ name: each.name, address: each.email })),
      })),
    )
  }
  const header = (name: string): string | null => mail.headers[name]?.[0] ?? null
  return {
    subject: mail.subject ?? null,
    from: list(mail.from),
    replyTo: list(mail['reply-to']),
    to: list(mail.to),
    cc: list(mail.cc),
    bcc: list(mail.bcc),
    date: timeOf(mail.date),
    messageId: header('message-id'),
    inReplyTo: header('in-reply-to'),
    references: mail.headers['references']?.join(' ') ?? '',
    text: mail.body.text === null ? [] : [mail.body.text],
    html: mail.body.html === null ? [] : [mail.body.html],
    fileNames: mail.attachments.map(({ fileName }) => fileName ?? null),
    contentTypes: mail.attachments.map(({ contentType }) => contentType ?? ''),
    contentIds: mail.attachments.map(({ contentId }) => contentId ?? null),
    dispositions: mail.attachments.map(({ contentDisposition }) => contentDisposition ?? null),
    contents: mail.attachments.map(({ content }) => sized(content)),
  }
}

const parsers: Record<string, (raw: Buffer) => Promise<Reading>> = {
  mailparser: readWithMailparser,
  'postal-mime': readWithPostalMime,
  jsmime: readWithJsmime,
}

/** By parser, then by the name of the message; a parser that fails has no say at all. */
export const readWithParsers = async (
  messages: { name: string; raw: Buffer }[],
): Promise<Record<string, Record<string, Reading>>> => {
  const readings: Record<string, Record<string, Reading>> = {}
  for (const [parser, read] of Object.entries(parsers)) {
    const own: Record<string, Reading> = {}
    for (const { name, raw } of messages) own[name] = await read(raw).catch(() => ({}))
    readings[parser] = own
  }
  return readings
}
