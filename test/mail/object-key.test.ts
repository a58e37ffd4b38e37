import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import {
  attachmentKey,
  bodyKey,
  escapeKeyPart,
  rawMessageKey,
  safeFileName,
  type MessagePlace,
} from '../../src/mail/object-key.ts'

const place: MessagePlace = { account: 'support', folder: 'INBOX', uidValidity: 1_700_000_000, uid: 42 }

const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 })
const hostileText = fc.string({
  unit: fc.constantFrom('.', '/', '\\', '\0', '\r', '\n', '\u202e', '%', '~', ' ', 'a', 'é', '😀', '\ud800'),
  minLength: 1,
  maxLength: 300,
})
const text = fc.oneof(anyText, hostileText)

describe('object keys', () => {
  it('have the form of the contract', () => {
    assert.equal(
      attachmentKey('attachments', place, { index: 0, fileName: 'invoice.pdf' }),
      'attachments/support/INBOX/1700000000/42/0-invoice.pdf',
    )
    assert.equal(rawMessageKey('attachments', place), 'attachments/support/INBOX/1700000000/42/raw.eml')
    assert.equal(bodyKey('a/b', place, 'html'), 'a/b/support/INBOX/1700000000/42/body.html')
  })

  it('begin with the account where there is no prefix', () => {
    assert.equal(rawMessageKey('', place), 'support/INBOX/1700000000/42/raw.eml')
  })

  it('percent-encode folders and accounts as UTF-8', () => {
    const key = rawMessageKey('p', { ...place, account: 'a b', folder: 'Entwürfe/Ältere & 100%' })
    assert.equal(key, 'p/a%20b/Entw%C3%BCrfe%2F%C3%84ltere%20%26%20100%25/1700000000/42/raw.eml')
  })

  it('never hold a part that is a dot or two', () => {
    assert.equal(rawMessageKey('p', { ...place, account: '..', folder: '.' }), 'p/%2E%2E/%2E/1700000000/42/raw.eml')
  })

  it('keep within their prefix, within S3’s length and to harmless characters, whatever the mail says', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), fc.option(text), (account, folder, index, fileName) => {
        const key = attachmentKey(
          'x'.repeat(200),
          { account, folder, uidValidity: 4_294_967_295, uid: 4_294_967_295 },
          { index, fileName },
        )
        assert.ok(Buffer.byteLength(key) <= 1024)
        const parts = key.split('/')
        assert.equal(parts.length, 6)
        for (const part of parts) {
          assert.match(part, /^[\p{L}\p{M}\p{N}._~%-]+$/u)
          assert.ok(Buffer.byteLength(part) <= 255 && part !== '.' && part !== '..')
        }
        assert.ok(parts[5]?.startsWith(`${index}-`))
        assert.equal(
          key,
          attachmentKey(
            'x'.repeat(200),
            { account, folder, uidValidity: 4_294_967_295n, uid: 4_294_967_295 },
            { index, fileName },
          ),
        )
      }),
      { numRuns: 1000 },
    )
  })

  it('are different for different folders and accounts', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        assert.equal(escapeKeyPart(left) === escapeKeyPart(right), left === right)
      }),
    )
    const long = 'f'.repeat(300)
    assert.notEqual(escapeKeyPart(`${long}a`), escapeKeyPart(`${long}b`))
    assert.notEqual(escapeKeyPart('\ud800'), escapeKeyPart('\ud801'))
    assert.notEqual(escapeKeyPart('%2E'), escapeKeyPart('.'))
  })

  it('can be read back where the folder is not very long', () => {
    const folders = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(folders, (folder) => {
        const escaped = escapeKeyPart(folder)
        fc.pre(!escaped.includes('~'))
        assert.equal(decodeURIComponent(escaped), folder)
      }),
    )
  })
})

describe('safeFileName', () => {
  const cases: [written: string | null, safe: string][] = [
    [null, 'attachment'],
    ['', 'attachment'],
    ['..', 'attachment'],
    ['/', 'attachment'],
    ['\0\r\n', 'attachment'],
    ['😀', 'attachment'],
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Windows\\system32\\con.txt', 'con.txt'],
    ['folder/..', 'folder'],
    ['.htaccess', 'htaccess'],
    ['name.  ', 'name'],
    ['a\r\nX-Evil: 1.txt', 'a_X-Evil_1.txt'],
    ['invoice\u202efdp.exe', 'invoice_fdp.exe'],
    ['Müller & Söhne (1).xlsx', 'Müller_Söhne_1_.xlsx'],
    ['表格 一.docx', '表格_一.docx'],
    ['a\u0308.txt', 'ä.txt'],
    ['😀 party.png', 'party.png'],
  ]
  for (const [written, safe] of cases) {
    it(`makes ${JSON.stringify(safe)} of ${JSON.stringify(written)}`, () => {
      assert.equal(safeFileName(written), safe)
    })
  }

  it('cuts long names between characters and keeps the extension', () => {
    const name = safeFileName(`${'表'.repeat(500)}.docx`)
    assert.ok(Buffer.byteLength(name) <= 200)
    assert.match(name, /^表+\.docx$/)
    assert.ok(safeFileName(`${'n'.repeat(10_000)}.pdf`).endsWith('.pdf'))
    assert.equal(safeFileName(`a.${'e'.repeat(300)}`).length, 200)
  })

  it('needs no long time for a name of ten million characters', () => {
    const startedAt = performance.now()
    safeFileName(`${'../'.repeat(3_000_000)}${'._'.repeat(500_000)}`)
    assert.ok(performance.now() - startedAt < 500)
  })
})
