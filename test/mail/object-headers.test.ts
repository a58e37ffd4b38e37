import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import { contentDisposition, safeContentType } from '../../src/mail/object-headers.ts'

const nameOf = (header: string): string => {
  const extended = /filename\*=UTF-8''([^;]*)$/.exec(header)?.[1]
  return extended === undefined ? (/filename="([^"]*)"/.exec(header)?.[1] ?? '') : decodeURIComponent(extended)
}

describe('safeContentType', () => {
  it('keeps what a header can hold exactly as it is', () => {
    for (const type of [
      'application/pdf',
      'TEXT/Plain; charset="utf-8"',
      'application/vnd.ms-excel.sheet+xml',
      'x/y;',
    ]) {
      assert.equal(safeContentType(type), type)
    }
  })

  it('keeps type and subtype where the rest could break a request', () => {
    assert.equal(safeContentType('text/html; a\r\nX-Evil: 1'), 'text/html')
    assert.equal(safeContentType(`text/html; a="${'x'.repeat(1000)}"`), 'text/html')
    assert.equal(safeContentType('text/html; charset=ütf'), 'text/html')
  })

  it('says application/octet-stream where there is no type', () => {
    for (const type of ['', 'text', '/', 'a b/c', '\r\n', 'ü/ü'])
      assert.equal(safeContentType(type), 'application/octet-stream', type)
  })
})

describe('contentDisposition', () => {
  it('quotes a plain name', () => {
    assert.equal(contentDisposition('my report (1).pdf'), 'attachment; filename="my report (1).pdf"')
    assert.equal(contentDisposition(null), 'attachment')
  })

  it('encodes any other name and gives old clients a plain one', () => {
    assert.equal(
      contentDisposition('Übersicht "neu".pdf'),
      `attachment; filename="Ubersicht_neu_.pdf"; filename*=UTF-8''%C3%9Cbersicht%20%22neu%22.pdf`,
    )
    assert.equal(contentDisposition('../x'), `attachment; filename="x"; filename*=UTF-8''..%2Fx`)
  })

  it('is one short line of ASCII that yields the name, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (name) => {
        const header = contentDisposition(name)
        assert.match(header, /^[\x20-\x7e]*$/)
        const visible = name.replaceAll(/[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '')
        assert.equal(nameOf(header), visible)
      }),
      { numRuns: 1000 },
    )
    assert.ok(contentDisposition('表'.repeat(10_000)).length < 3000)
  })
})
