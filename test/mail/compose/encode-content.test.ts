import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import {
  base64Length,
  encodeBase64,
  encodeBase64Stream,
  encodeMessage,
  encodeText,
} from '../../../src/mail/compose/encode-content.ts'

/** RFC 2045 6.7. */
const decodeQuoted = (text: string): Buffer =>
  Buffer.from(
    text
      .replace(/=\r\n/g, '')
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )

const lines = (content: Buffer): string[] => content.toString('latin1').split('\r\n')

void describe('text', () => {
  const cases: [what: string, text: string, encoding: string][] = [
    ['short ASCII lines', 'Hello,\nworld.\n', '7bit'],
    ['nothing', '', '7bit'],
    ['a long line', 'x'.repeat(79), 'quoted-printable'],
    ['some umlauts', 'Grüße aus München, wie geht es dir heute so?', 'quoted-printable'],
    ['another script', 'Привет мир', 'base64'],
    ['a control character', 'a fine text with a \u0000 in it', 'quoted-printable'],
    ['a lot of it', `${'many words '.repeat(20)}\n`.repeat(1000), 'base64'],
  ]
  for (const [what, text, encoding] of cases) {
    void test(`${what}: ${encoding}`, () => assert.equal(encodeText(text).encoding, encoding))
  }

  void test('is given back by its decoder, with CRLF line ends, in lines that mail can carry', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\r', '\n', '\r\n', ' ', '\t', '=', '.', 'From '),
        fc.constantFrom('a', 'word '),
        fc.string({ unit: 'grapheme', maxLength: 1 }),
      ),
      maxLength: 300,
    })
    fc.assert(
      fc.property(text, (each) => {
        const { encoding, content } = encodeText(each)
        const raw = content.toString('latin1')
        const decoded = {
          '7bit': content,
          '8bit': content,
          base64: Buffer.from(raw, 'base64'),
          'quoted-printable': decodeQuoted(raw),
        }[encoding]
        assert.equal(decoded.toString('utf8'), each.replace(/\r\n|\r|\n/g, '\r\n'))
        assert.match(raw, /^[\t\r\n -~]*$/)
        assert.doesNotMatch(raw, /\r(?!\n)|(?<!\r)\n/)
        assert.ok(lines(content).every((line) => line.length <= 78))
      }),
      { numRuns: 1000 },
    )
  })
})

void describe('bytes', () => {
  void test('base64 has lines of 76, is as long as foretold, and is the same in one piece and in many', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(400), { maxLength: 6 }),
        async (array, cuts) => {
          const bytes = Buffer.from(array)
          const whole = encodeBase64(bytes)
          assert.deepEqual(Buffer.from(whole.toString('latin1'), 'base64'), bytes)
          assert.ok(lines(whole).every((line) => line.length <= 76))
          assert.equal(whole.length, base64Length(bytes.length))
          const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
          async function* pieces(): AsyncGenerator<Buffer> {
            for (const [at, end] of edges.slice(1).entries()) yield bytes.subarray(edges[at], end)
          }
          const streamed: Buffer[] = []
          for await (const piece of encodeBase64Stream(pieces())) streamed.push(piece)
          assert.deepEqual(Buffer.concat(streamed), whole)
        },
      ),
    )
  })
})

void describe('a message within a message', () => {
  const cases: [what: string, content: string | Buffer, encoding: string | null][] = [
    ['ASCII with CRLF', 'Subject: x\r\n\r\nhello\r\n', '7bit'],
    ['8-bit with CRLF', Buffer.from('Subject: x\r\n\r\nhéllo\r\n', 'latin1'), '8bit'],
    ['a bare LF', 'Subject: x\n\nhello\n', null],
    ['a bare CR', 'Subject: x\r\n\r\nhel\rlo\r\n', null],
    ['a NUL', 'Subject: x\r\n\r\n\0\r\n', null],
    ['a line of 999 octets', `${'x'.repeat(999)}\r\n`, null],
    ['a line of 998 octets', `${'x'.repeat(998)}\r\n`, '7bit'],
  ]
  for (const [what, content, encoding] of cases) {
    void test(`with ${what}: ${encoding ?? 'can not go as it is'}`, () => {
      assert.equal(encodeMessage(Buffer.from(content))?.encoding ?? null, encoding)
    })
  }
})
