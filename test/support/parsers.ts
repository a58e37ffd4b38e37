/** What three parsers that know nothing of each other see in a mail, in one form. */
import { createHash } from 'node:crypto'

import { simpleParser, type ParsedMail } from 'mailparser'
import PostalMime, { type Email } from 'postal-mime'

import { defaultParseLimits } from '../../src/mail/parse/limits.ts'
import { parseMessage } from '../../src/mail/parse/parse-message.ts'

export interface Seen {
  subject: string | null
  from: string[]
  to: string[]
  messageId: string | null
  text: string | null
  html: string | null
  attachments: [name: string | null, type: string, content: string][]
}

export const sha = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex').slice(0, 16)
/** Parsers give text with one kind of line break or another, and some add one at the end. */
const plainLines = (text: string | null | undefined | false): string | null =>
  text === null || text === undefined || text === false ? null : text.replace(/\r\n/g, '\n').replace(/\n$/, '')

const mailparserSees = (mail: ParsedMail): Seen => {
  const list = (field: ParsedMail['to']): string[] =>
    [field ?? []].flat().flatMap(({ value }) => value.map(({ name, address }) => `${name}|${address}`))
  return {
    subject: mail.subject ?? null,
    from: list(mail.from),
    to: list(mail.to),
    messageId: mail.messageId ?? null,
    text: plainLines(mail.text),
    html: plainLines(mail.html),
    attachments: mail.attachments.map(({ filename, contentType, content }) => [
      filename ?? null,
      contentType,
      sha(content),
    ]),
  }
}

const postalMimeSees = (mail: Email): Seen => {
  const list = (field: Email['to']): string[] => (field ?? []).map(({ name, address }) => `${name}|${address}`)
  return {
    subject: mail.subject ?? null,
    from: mail.from === undefined ? [] : list([mail.from]),
    to: list(mail.to),
    messageId: mail.messageId ?? null,
    text: plainLines(mail.text),
    html: plainLines(mail.html),
    attachments: mail.attachments.map(({ filename, mimeType, content }) => [
      filename,
      mimeType,
      sha(typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content)),
    ]),
  }
}

/** Refuses what it would have to repair: what is composed needs none. */
export const posthornSees = (raw: Buffer): Seen => {
  const { message, attachments } = parseMessage(raw, defaultParseLimits)
  // A name such as `=? a` looks like a broken encoded word and is none.
  const defects = message.defects.filter((defect) => !defect.startsWith('encoded word: broken'))
  if (defects.length > 0) throw new Error(defects.join('; '))
  const list = (field: { name: string | null; address: string }[]): string[] =>
    field.map(({ name, address }) => `${name ?? ''}|${address}`)
  return {
    subject: message.subject,
    from: list(message.from),
    to: list(message.to),
    messageId: message.messageId,
    text: plainLines(message.text),
    html: plainLines(message.html),
    attachments: attachments.map(({ fileName, contentType, content }) => [fileName, contentType, sha(content)]),
  }
}

export const parsers: Record<string, (raw: Buffer) => Promise<Seen>> = {
  mailparser: async (raw) =>
    mailparserSees(await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true })),
  'postal-mime': async (raw) => postalMimeSees(await PostalMime.parse(raw)),
  Posthorn: async (raw) => posthornSees(raw),
}
