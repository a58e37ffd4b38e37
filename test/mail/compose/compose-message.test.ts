import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import type { ObjectRef, SendRequest } from '../../../src/avro/records.ts'
import { PosthornError } from '../../../src/errors.ts'
import type { ComposedMessage } from '../../../src/mail/compose/compose-message.ts'
import { bytesOf, compose } from '../../support/compose.ts'
import { posthornSees, sha } from '../../support/parsers.ts'
import { sendAttachment } from '../../support/send-request.ts'

const headOf = async (message: ComposedMessage): Promise<string> => {
  const text = (await bytesOf(message)).toString('utf8')
  return text.slice(0, text.indexOf('\r\n\r\n') + 2)
}

/** Outer to inner, in order: `mixed(alternative(plain, html), pdf)`. */
const shapeOf = async (message: ComposedMessage): Promise<string> => {
  const text = (await bytesOf(message)).toString('latin1')
  return [...text.matchAll(/^Content-Type: ([a-z-]+)\/([a-z.-]+)/gm)]
    .map(([, type, subtype]) => (type === 'multipart' ? subtype : `${type}/${subtype}`))
    .join(' ')
}

void describe('the shape', () => {
  const image = sendAttachment({ fileName: 'i.png', contentType: 'image/png', contentId: 'i', disposition: 'INLINE' })
  const file = sendAttachment({ fileName: 'f.pdf', contentType: 'application/pdf' })
  const cases: [Partial<SendRequest>, string][] = [
    [{}, 'text/plain'],
    [{ text: 'x' }, 'text/plain'],
    [{ html: 'x' }, 'text/html'],
    [{ text: 'x', html: 'x' }, 'alternative text/plain text/html'],
    [{ text: 'x', attachments: [file] }, 'mixed text/plain application/pdf'],
    [{ attachments: [file] }, 'mixed application/pdf'],
    [{ html: 'x', attachments: [image] }, 'related text/html image/png'],
    [{ text: 'x', attachments: [image] }, 'mixed text/plain image/png'],
    [
      { text: 'x', html: 'x', attachments: [image, file] },
      'mixed alternative text/plain related text/html image/png application/pdf',
    ],
    [{ body: { contentType: 'text/calendar; method=REQUEST', content: Buffer.from('x') } }, 'text/calendar'],
    [
      { body: { contentType: 'application/edifact', content: Buffer.from('x') }, attachments: [file] },
      'mixed application/edifact application/pdf',
    ],
  ]
  for (const [request, shape] of cases) {
    void test(shape, async () => assert.equal(await shapeOf(await compose(request)), shape))
  }
})

void describe('the header', () => {
  void test('names everybody but blind copies, who are in the envelope alone', async () => {
    const message = await compose({
      to: ['Ann <ann@example.com>'],
      cc: ['bob@example.com'],
      bcc: ['Eve <eve@example.com>'],
      replyTo: ['desk@example.com'],
    })
    const raw = (await bytesOf(message)).toString('utf8')
    assert.doesNotMatch(raw, /bcc|eve/i)
    assert.match(
      raw,
      /^From: Support <support@example\.com>\r\nTo: Ann <ann@example\.com>\r\nCc: bob@example\.com\r\nReply-To: desk@example\.com\r\n/,
    )
    assert.deepEqual(
      message.envelope.recipients.map(({ path }) => path),
      ['ann@example.com', 'bob@example.com', 'eve@example.com'],
    )
    assert.equal(message.envelope.from, 'support@example.com')
  })

  void test('has the injected date, the threading, the priority and the extra fields as they were written', async () => {
    const head = await headOf(
      await compose({
        messageId: '<own@example.com>',
        inReplyTo: '<b@x>',
        references: ['<a@x>', '<b@x>'],
        priority: 'HIGH',
        headers: { 'X-EDI-ID': 'A 7', 'List-Unsubscribe': '<https://example.com/u>' },
      }),
    )
    for (const line of [
      'Date: Tue, 24 Nov 2026 03:04:05 +0000',
      'Message-ID: <own@example.com>',
      'In-Reply-To: <b@x>',
      'References: <a@x> <b@x>',
      'X-Priority: 1 (Highest)',
      'Importance: high',
      'X-EDI-ID: A 7',
      'List-Unsubscribe: <https://example.com/u>',
      'MIME-Version: 1.0',
    ]) {
      assert.ok(head.split('\r\n').includes(line), line)
    }
  })

  void test('of a mail to recipients who are left still names those who have it', async () => {
    const message = await compose({ to: ['a@example.com', 'b@example.com'] }, {}, new Set(['a@example.com']))
    assert.match(await headOf(message), /^To: a@example\.com, b@example\.com\r$/m)
    assert.deepEqual(
      message.envelope.recipients.map(({ path }) => path),
      ['b@example.com'],
    )
  })

  void test('with an address that is not ASCII needs SMTPUTF8; with an IDN it does not', async () => {
    const one = await compose({ cc: ['jörg@bücher.example'] })
    assert.equal(one.needs.smtpUtf8, true)
    assert.match(await headOf(one), /^Cc: jörg@bücher\.example\r$/m)
    const other = await compose({ to: ['a@bücher.example'] })
    assert.equal(other.needs.smtpUtf8, false)
    assert.match(await headOf(other), /^To: a@xn--bcher-kva\.example\r$/m)
    assert.equal(other.envelope.recipients[0]?.path, 'a@xn--bcher-kva.example')
  })

  void test('has no line over 998 octets and nothing but ASCII, whatever is asked for', async () => {
    const text = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom(' ', '"', '=?', '?=', 'ü', '漢', '\t'),
          fc.string({ unit: 'grapheme', maxLength: 1 }),
        ),
        maxLength: 400,
      })
      .filter((each) => !/[\p{Cc}]/u.test(each.replaceAll('\t', '')))
    await fc.assert(
      fc.asyncProperty(text, text, async (subject, value) => {
        const head = await headOf(await compose({ subject, headers: { 'X-Any': value } }))
        assert.match(head, /^[\t\r\n -~]*$/)
        assert.doesNotMatch(head, /\r(?!\n)|(?<!\r)\n|\r\n[ \t]*\r\n/)
        assert.ok(head.split('\r\n').every((line) => line.length <= 998))
        assert.equal(head.match(/^[^\s:]+:/gm)?.length, new Set(head.match(/^[^\s:]+:/gm)).size)
      }),
      { numRuns: 300 },
    )
  })
})

void describe('attachments', () => {
  void test('without a name get a random one, without a type application/binary', async () => {
    const raw = (
      await bytesOf(
        await compose({ attachments: [sendAttachment({ fileName: null }), sendAttachment({ fileName: null })] }),
      )
    ).toString()
    const names = [...raw.matchAll(/^Content-Disposition: attachment; filename=(\w+)\r$/gm)].map(([, name]) => name)
    assert.equal(new Set(names).size, 2)
    assert.equal(raw.match(/^Content-Type: application\/binary; name=/gm)?.length, 2)
  })

  void test('a message is carried as it is, or as bytes where mail can not carry it so', async () => {
    const inner = Buffer.from('Subject: ünner\r\n\r\nhello\r\n')
    const one = await compose({ attachments: [sendAttachment({ contentType: 'message/rfc822', content: inner })] })
    assert.equal(one.needs.eightBit, true)
    assert.ok((await bytesOf(one)).includes(inner))
    const loose = Buffer.from('Subject: inner\n\nhello\n')
    const other = await compose({ attachments: [sendAttachment({ contentType: 'message/rfc822', content: loose })] })
    assert.equal(other.needs.eightBit, false)
    assert.equal(await shapeOf(other), 'mixed application/octet-stream')
    const [attachment] = posthornSees(await bytesOf(other)).attachments
    assert.equal(attachment?.[2], sha(loose))
  })

  void test('no text can end its own part: the boundary can not be known', async () => {
    const first = (await bytesOf(await compose({ text: 'x', html: 'x' }))).toString()
    const boundary = /boundary="([^"]+)"/.exec(first)?.[1]
    assert.ok(boundary?.includes('0'.repeat(30)), 'the boundary is made of the random token')
  })
})

void describe('referenced objects', () => {
  const big = Buffer.alloc(300_000, 'some content that is not aligned to anything ')
  const ref = (size: number | null): ObjectRef => ({ bucket: 'mail', key: 'k', versionId: null, size, sha256: null })
  const attachments = (size: number | null): SendRequest['attachments'] => [
    sendAttachment({ fileName: 'a', content: ref(size) }),
    sendAttachment({ fileName: 'b', content: Buffer.from('small') }),
  ]

  void test('are streamed, byte for byte, as often as asked, and SIZE is exact', async () => {
    let opened = 0
    const openObject = async (): Promise<Readable> => {
      opened += 1
      return Readable.from([big.subarray(0, 100_001), big.subarray(100_001)])
    }
    const message = await compose({ text: 'x', attachments: attachments(big.length) }, { openObject })
    assert.ok(!Buffer.isBuffer(message.content()))
    const raw = await bytesOf(message)
    assert.equal(raw.length, message.needs.sizeBytes)
    assert.deepEqual(await bytesOf(message), raw)
    assert.deepEqual(
      posthornSees(raw).attachments.map(([name, , hash]) => [name, hash]),
      [
        ['a', sha(big)],
        ['b', sha(Buffer.from('small'))],
      ],
    )
    assert.equal(opened, 3)
  })

  void test('of unknown size leave SIZE unknown', async () => {
    const openObject = async (): Promise<Readable> => Readable.from([big])
    assert.equal((await compose({ attachments: attachments(null) }, { openObject })).needs.sizeBytes, null)
  })

  void test('that are missing are found before anything is sent, and nothing stays open', async () => {
    const missing = new PosthornError('STORAGE_OBJECT_MISSING', 'gone', { stage: 'compose' })
    await assert.rejects(
      compose({ attachments: attachments(1) }, { openObject: () => Promise.reject(missing) }),
      missing,
    )
    const stream = Readable.from([big])
    await compose({ attachments: attachments(1) }, { openObject: async () => stream })
    assert.equal(stream.destroyed, true)
  })

  void test('are never held whole in memory', async () => {
    let outstanding = 0
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let at = 0; at < 100; at++) {
        outstanding += 1
        yield big
      }
    }
    const openObject = async (): Promise<Readable> => Readable.from(chunks(), { highWaterMark: 1 })
    const message = await compose({ attachments: attachments(big.length * 100) }, { openObject })
    const content = message.content()
    assert.ok(!Buffer.isBuffer(content))
    outstanding = 0
    let pieces = 0
    for await (const piece of content) {
      pieces += piece.length > 100_000 ? 1 : 0
      assert.ok(outstanding - pieces <= 4)
    }
    assert.equal(pieces, 100)
  })
})
