import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { InboundMessage } from '../../src/avro/records.ts'
import { buildTrackedProperties } from '../../src/producers/tracked-properties.ts'

const message = (changes: Partial<InboundMessage> = {}): InboundMessage => ({
  dedupeId: 'support/INBOX/1/7',
  account: 'support',
  folder: 'INBOX',
  uidValidity: 1,
  uid: 7,
  emailId: null,
  threadId: null,
  messageId: '<a@example.com>',
  inReplyTo: null,
  references: [],
  subject: 'Invoice',
  from: [
    { name: 'A', address: 'a@example.com' },
    { name: null, address: 'second@example.com' },
  ],
  sender: [],
  replyTo: [],
  to: [
    { name: null, address: 'x@example.com' },
    { name: null, address: 'y@example.com' },
  ],
  cc: [{ name: null, address: 'c@example.com' }],
  bcc: [],
  date: null,
  receivedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  size: 10,
  flags: [],
  contentType: 'text/plain',
  headers: [],
  text: 'hello',
  html: null,
  attachments: [],
  raw: null,
  kind: 'MESSAGE',
  report: null,
  protection: 'NONE',
  defects: [],
  ...changes,
})

const attachment = (index: number, fileName: string | null, contentType: string) => ({
  index,
  fileName,
  contentType,
  contentId: null,
  disposition: 'ATTACHMENT' as const,
  size: 1,
  sha256: '0'.repeat(64),
  object: { bucket: 'mail', key: 'k', versionId: null, size: 1, sha256: null },
})

const pairs = (changes?: Partial<InboundMessage>) =>
  buildTrackedProperties(message(changes)).map(({ name, value }) => [name, value.toString('utf8')])

const valuesOf = (name: string, changes?: Partial<InboundMessage>) =>
  pairs(changes).flatMap(([one, value]) => (one === name ? [value] : []))

describe('buildTrackedProperties', () => {
  it('carries every property of a plain message', () => {
    assert.deepEqual(pairs(), [
      ['mail-attachments-count', '0'],
      ['mail-content-type', 'text/plain'],
      ['mail-from-address', 'a@example.com'],
      ['mail-from-folder', 'INBOX'],
      ['mail-message-id', '<a@example.com>'],
      ['mail-received-date', '2026-01-02T03:04:05.000Z'],
      ['mail-subject', 'Invoice'],
      ['mail-to-address', 'x@example.com'],
      ['mail-to-address', 'y@example.com'],
      ['mail-cc-address', 'c@example.com'],
      ['mail-account', 'support'],
      ['mail-dedupe-id', 'support/INBOX/1/7'],
      ['mail-kind', 'MESSAGE'],
    ])
  })

  it('repeats content type and file name for each attachment, in order, with an empty name where there is none', () => {
    const attachments = [attachment(0, null, 'image/png'), attachment(1, 'b.pdf', 'application/pdf')]
    assert.deepEqual(valuesOf('mail-content-type', { attachments }), ['image/png', 'application/pdf'])
    assert.deepEqual(valuesOf('mail-file-name', { attachments }), ['', 'b.pdf'])
    assert.deepEqual(valuesOf('mail-attachments-count', { attachments }), ['2'])
  })

  it('lets no CR, LF or NUL through', () => {
    assert.deepEqual(valuesOf('mail-subject', { subject: 'a\r\nmail-kind: BOUNCE\0b' }), ['a  mail-kind: BOUNCE b'])
  })

  it('gives no header for what the mail does not have', () => {
    const names = new Set(pairs({ from: [], subject: null, messageId: null, to: [], cc: [] }).map(([name]) => name))
    for (const name of ['mail-from-address', 'mail-subject', 'mail-message-id', 'mail-to-address', 'mail-cc-address']) {
      assert.equal(names.has(name), false, name)
    }
  })

  it('bounds the length of a value without splitting a character, and the number of values', () => {
    const [subject] = valuesOf('mail-subject', { subject: `${'x'.repeat(999)}😀tail` })
    assert.equal(subject, 'x'.repeat(999))
    const to = Array.from({ length: 2_000 }, (_, index) => ({ name: null, address: `${index}@example.com` }))
    assert.equal(valuesOf('mail-to-address', { to }).length, 500)
  })

  it('keeps all headers together within 100 KB, whatever the mail says', () => {
    const long = (index: number) => `${'漢'.repeat(2_000)}${index}`
    const list = Array.from({ length: 2_000 }, (_, index) => ({ name: null, address: long(index) }))
    const attachments = list.map((_, index) => attachment(index, long(index), long(index)))
    const headers = buildTrackedProperties(
      message({ to: list, cc: list, from: list, attachments, subject: long(0), messageId: long(0) }),
    )
    const bytes = headers.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
    assert.ok(bytes < 100_000, `${bytes}`)
    assert.equal(valuesOf('mail-attachments-count', { attachments })[0], '2000')
  })

  it('makes a name look like what it is', () => {
    const attachments = [attachment(0, 'invoice\u202efdp.exe\u2066\u009b2J', 'text/plain')]
    assert.deepEqual(valuesOf('mail-file-name', { attachments }), ['invoice fdp.exe  2J'])
  })
})
