import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'
import { foldLines } from 'nodemailer/lib/mime-funcs'
import MimeNode from 'nodemailer/lib/mime-node'

import { headerField, partFields, type RootField } from '../../../src/mail/compose/header-block.ts'

/** What nodemailer makes of the field, whatever it is. */
const reference = ({ key, value }: RootField): string | null => {
  const encoded = MimeNode.encodeHeaderValue(key, value)
  return encoded.trim() === '' ? null : foldLines(`${key}: ${encoded}`, 76)
}

const text = fc.string({
  unit: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...Array.from('abc XYZ 019 .-_()<>@:;,')) },
    { weight: 1, arbitrary: fc.constantFrom('"', '=?', '?=', '\\', 'ü', '漢', '\t') },
  ),
  maxLength: 100,
})
const address = fc
  .tuple(
    fc.constantFrom('ann', 'a.b', 'a+b', 'a..b', '"a b"', 'ü', "o'hara", 'A'),
    fc.constantFrom(
      'example.com',
      'EXAMPLE.com',
      'a-b.example.org',
      'xn--mller-kva.example',
      '127.0.0.1',
      '1.2',
      '[127.0.0.1]',
      'localhost',
    ),
  )
  .map(([local, domain]) => `${local}@${domain}`)
const name = fc.oneof(text, fc.constantFrom('', 'Ann', 'Ann Lee', ' Ann', 'Ann  Lee', 'Lee, Ann', '"Ann"', 'Änne'))

void describe('a header field', () => {
  void test('is what nodemailer writes, whether it is plain or not', () => {
    const keys = fc.constantFrom('Subject', 'Message-ID', 'References', 'In-Reply-To', 'X-Any', 'Importance', 'Date')
    fc.assert(
      fc.property(keys, text, (key, value) => {
        assert.equal(headerField({ key, value }), reference({ key, value }))
      }),
      { numRuns: 2_000 },
    )
  })

  void test('of message ids is what nodemailer writes', () => {
    const id = fc.tuple(text, fc.boolean()).map(([local, bare]) => (bare ? `${local}@x` : `<${local}@example.com>`))
    const value = fc.array(id, { minLength: 1, maxLength: 3 }).map((ids) => ids.join(' '))
    fc.assert(
      fc.property(fc.constantFrom('Message-ID', 'References', 'In-Reply-To'), value, (key, value) => {
        assert.equal(headerField({ key, value }), reference({ key, value }))
      }),
      { numRuns: 1_000 },
    )
  })

  void test('of mailboxes is what nodemailer writes', () => {
    const mailboxes = fc.array(fc.record({ name, address }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom('From', 'To', 'Cc', 'Reply-To'), mailboxes, (key, value) => {
        assert.equal(headerField({ key, value }), reference({ key, value }))
      }),
      { numRuns: 2_000 },
    )
  })

  void test('without a value is left out', () => {
    assert.equal(headerField({ key: 'Subject', value: '' }), null)
    assert.equal(headerField({ key: 'Subject', value: ' ' }), null)
  })
})

void describe('the fields of a part', () => {
  const plain = { fileName: null, contentId: null, disposition: null } as const

  for (const contentType of ['text/plain; charset=utf-8', 'text/html; charset=utf-8']) {
    void test(`of ${contentType} are what nodemailer writes`, () => {
      const parent = new MimeNode('multipart/mixed')
      const node = parent.createChild(contentType).setHeader('Content-Transfer-Encoding', 'quoted-printable')
      assert.equal(partFields({ ...plain, contentType, encoding: 'quoted-printable' }), node.buildHeaders())
    })
  }

  void test('name a file in the ways that old and new clients read', () => {
    const fields = partFields({
      contentType: 'application/pdf',
      encoding: 'base64',
      fileName: 'Übersicht.pdf',
      contentId: 'a@b',
      disposition: 'attachment',
    })
    assert.match(fields, /^Content-Type: application\/pdf;\s+name="=\?UTF-8\?Q\?=C3=9Cbersicht=2Epdf\?="/)
    assert.match(fields, /^Content-Disposition: attachment;\s+filename\*0\*=utf-8''%C3%9Cbersicht\.pdf/m)
    assert.match(fields, /^Content-ID: <a@b>/m)
    assert.doesNotMatch(fields, /MIME-Version|Date|Message-ID/, 'of the whole mail')
  })

  void test('name a file that a quoted string would leave in doubt in sections, none of which cuts a character', () => {
    const fileName = `C:\\"${'漢'.repeat(20)}";.txt`
    const fields = partFields({
      contentType: 'a/b',
      encoding: 'base64',
      fileName,
      contentId: null,
      disposition: 'inline',
    })
    const sections = Array.from(fields.matchAll(/^ filename\*(\d)\*=(.*?);?$/gm), ([, , text = '']) => text)
    assert.ok(sections.length > 2 && sections.every((text) => text.length <= 60), fields)
    assert.equal(sections.map(decodeURIComponent).join(''), `utf-8''${fileName}`)
  })
})
