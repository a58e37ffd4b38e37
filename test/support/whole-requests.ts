/** Send requests that say everything that a request can say, and what the mail must be read as. */
import { createHash } from 'node:crypto'
import { domainToASCII, domainToUnicode } from 'node:url'

import fc from 'fast-check'

import type { SendAttachment, SendRequest } from '../../src/avro/records.ts'
import { sendAttachment } from './send-request.ts'

type Person = [name: string, address: string]

/** In the form of `test/agreement/other_parsers.py`, but for what only a request has. */
interface Expected {
  subject: string
  from: Person[]
  to: Person[]
  cc: Person[]
  replyTo: Person[]
  inReplyTo: string[]
  references: string[]
  text: string
  html: string
  fileNames: string[]
  contentTypes: string[]
  contentIds: string[]
  dispositions: string[]
  contents: [size: number, sha256: string][]
}

export interface WholeRequest {
  request: Partial<SendRequest>
  expected: Expected
}

const word = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[A-Za-z0-9.'&!-]{1,12}$/) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('Grüße', 'Ångström', '漢字', 'かな', '한국어', 'Привет', 'עברית', '🎉', '👩‍🚀', 'Ω≈ç'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '(x)',
      '"quoted"',
      'a,b',
      'x;y',
      '<tag>',
      'a@b',
      'k:v',
      '[v]',
      '=?utf-8?Q?',
      '\\',
      '_',
      '50%',
    ),
  },
)
const phrase = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(' '))
const name = fc.oneof(
  { weight: 3, arbitrary: fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(' ')) },
  phrase,
)
const long = fc.array(word, { minLength: 60, maxLength: 120 }).map((words) => words.join(' '))
const lines = fc
  .array(fc.oneof(phrase, fc.constant(''), long), { minLength: 1, maxLength: 10 })
  .map((all) => all.join('\n'))

const domain = fc.constantFrom(
  'example.com',
  'mail.example.org',
  'exämple.org',
  'bücher.example',
  'xn--exmple-cua.org',
  'EXAMPLE.net',
)
const local = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,10}(?:[.+_-][a-z0-9]{1,6})?$/),
  fc.constantFrom("o'neil", 'user=list', 'jürgen', '用户', '{x}', 'a/b'),
)

const isAscii = (text: string): boolean => /^[ -~]*$/.test(text)

interface Mailbox {
  written: string
  read: Person
}

const mailbox: fc.Arbitrary<Mailbox> = fc
  .record({ local, domain, name: fc.option(name) })
  .map(({ name, ...address }) => {
    // An address in UTF-8 is in UTF-8 throughout (RFC 6532), any other one has an ASCII domain.
    const path = `${address.local}@${(isAscii(address.local) ? domainToASCII : domainToUnicode)(address.domain)}`
    const written = `${address.local}@${address.domain}`
    if (name === null) return { written, read: ['', path] }
    return { written: `"${name.replace(/["\\]/g, '\\$&')}" <${written}>`, read: [name, path] }
  })
const mailboxes = (least: number): fc.Arbitrary<Mailbox[]> => fc.array(mailbox, { minLength: least, maxLength: 4 })

const id = fc.stringMatching(/^[a-zA-Z0-9._+-]{1,30}$/).map((text) => `<${text}@example.net>`)

const fileName = fc.oneof(
  fc.constantFrom(
    'report.pdf',
    'two words.txt',
    'Grüße aus Köln.pdf',
    '請求書（3月分）.xlsx',
    'Отчёт за апрель.docx',
    'emoji 🎉.png',
    "it's 100% (final) [v2]; really, yes = no & so on.tar.gz",
    'name "in quotes".txt',
    'back\\slash.txt',
    '../../etc/passwd',
    'C:\\Users\\ann\\file.txt',
    "percent%20and'apostrophes'.txt",
    'no ending',
    '.hidden',
    `${'long '.repeat(40)}name.pdf`,
    `${'länge '.repeat(30)}.pdf`,
    '‮fdp.exe',
  ),
  phrase.map((text) =>
    Buffer.from(text)
      .subarray(0, 100)
      .toString()
      .replace(/\ufffd+$/, '')
      .trim(),
  ),
)

const attachment: fc.Arbitrary<SendAttachment> = fc
  .record({
    fileName,
    contentType: fc.constantFrom(
      'application/pdf',
      'image/png',
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      'text/csv; charset=utf-8',
      'text/plain; charset=us-ascii',
      'text/html',
      'text/calendar; method=REQUEST',
      'application/x-any; a=b',
    ),
    contentId: fc.option(fc.stringMatching(/^[a-z0-9]{1,12}@[a-z]{1,8}$/)),
    disposition: fc.constantFrom('ATTACHMENT' as const, 'INLINE' as const),
    content: fc.uint8Array({ minLength: 0, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  })
  .filter(({ contentType, disposition }) => disposition === 'ATTACHMENT' || !/^text\/(?:plain|html)/.test(contentType))
  .map(sendAttachment)

const headers = fc.dictionary(
  fc.constantFrom('X-Order', 'X-Note', 'List-Id', 'Comments', 'Keywords'),
  fc.oneof(phrase, long),
  {
    maxKeys: 3,
  },
)

const bodies = fc.oneof(
  fc.record({ text: fc.option(lines), html: fc.option(lines.map((all) => `<p>${all}</p>`)), body: fc.constant(null) }),
  fc.record({
    text: fc.constant(null),
    html: fc.constant(null),
    body: fc.record({
      contentType: fc.constantFrom(
        'text/xml; charset=utf-8',
        'application/edifact',
        'text/calendar; charset=utf-8; method=REPLY',
      ),
      content: lines.map((all) => Buffer.from(all)),
    }),
  }),
)

const digest = (content: Buffer): [number, string] => [
  content.length,
  createHash('sha256').update(content).digest('hex'),
]

const bare = (contentType: string): string => contentType.replace(/;.*$/s, '')

/** Attachments with a content id stand beside the HTML that shows them. */
const inOrder = (html: string | null, attachments: SendAttachment[]): SendAttachment[] => {
  const isShown = ({ contentId }: SendAttachment): boolean => html !== null && contentId !== null
  return [...attachments.filter(isShown), ...attachments.filter((each) => !isShown(each))]
}

export const wholeRequest: fc.Arbitrary<WholeRequest> = fc
  .record({
    to: mailboxes(1),
    cc: mailboxes(0),
    bcc: mailboxes(0),
    replyTo: mailboxes(0),
    subject: fc.oneof(phrase, long),
    bodies,
    attachments: fc.uniqueArray(attachment, { maxLength: 4, selector: ({ contentId }) => contentId ?? Symbol('none') }),
    headers,
    inReplyTo: fc.option(id),
    references: fc.array(id, { maxLength: 30 }),
    priority: fc.option(fc.constantFrom('HIGH' as const, 'NORMAL' as const, 'LOW' as const)),
  })
  .map(({ bodies: { text, html, body }, ...rest }) => {
    const written = (list: Mailbox[]): string[] => list.map((each) => each.written)
    const read = (list: Mailbox[]): Person[] => list.map((each) => each.read)
    const files = inOrder(html, rest.attachments)
    const own = body === null ? [] : [{ ...sendAttachment(body), fileName: null, contentId: null }]
    const all = [...own, ...files]
    return {
      request: {
        ...rest,
        to: written(rest.to),
        cc: written(rest.cc),
        bcc: written(rest.bcc),
        replyTo: written(rest.replyTo),
        text,
        html,
        body,
      },
      expected: {
        subject: rest.subject,
        from: [['Support', 'support@example.com']],
        to: read(rest.to),
        cc: read(rest.cc),
        replyTo: read(rest.replyTo),
        inReplyTo: rest.inReplyTo === null ? [] : [rest.inReplyTo.slice(1, -1)],
        references: rest.references.map((each) => each.slice(1, -1)),
        text: text ?? '',
        html: html ?? '',
        fileNames: all.map(({ fileName: name }) => name ?? ''),
        contentTypes: all.map(({ contentType }) => bare(contentType ?? '')),
        contentIds: all.map(({ contentId }) => contentId ?? ''),
        dispositions: all.map(({ disposition }) => disposition.toLowerCase()),
        contents: all.map(({ content }) => digest(content as Buffer)),
      },
    }
  })
