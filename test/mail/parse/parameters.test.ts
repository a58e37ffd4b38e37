import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { DefectLog } from '../../../src/mail/parse/defects.ts'
import { decodeParameter, parseStructured } from '../../../src/mail/parse/parameters.ts'

const parameter = (raw: string, name: string): string | null => {
  const defects = new DefectLog()
  return decodeParameter(name, parseStructured(Buffer.from(raw).toString('latin1'), defects), 1000, defects)
}

describe('a parameter', () => {
  it('is read as RFC 2231 shows', () => {
    const url =
      'message/external-body; access-type=URL;\r\n URL*0="ftp://";\r\n URL*1="cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"'
    assert.equal(parameter(url, 'url'), 'ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar')
    assert.equal(
      parameter("application/x-stuff;\r\n title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", 'title'),
      'This is ***fun***',
    )
    assert.equal(
      parameter(
        "application/x-stuff\r\n ;title*0*=us-ascii'en'This%20is%20even%20more%20\r\n ;title*1*=%2A%2A%2Afun%2A%2A%2A%20\r\n ;title*2=\"isn't it!\"",
        'title',
      ),
      "This is even more ***fun*** isn't it!",
    )
  })

  it('is read in the forms that are sent instead', () => {
    const cases: [raw: string, name: string, value: string | null][] = [
      ['attachment; filename=a b c.pdf', 'filename', 'a b c.pdf'],
      ['attachment; filename="a;b.pdf"; size=1', 'filename', 'a;b.pdf'],
      ['attachment; filename="open.pdf', 'filename', 'open.pdf'],
      ['attachment filename="x.pdf"', 'filename', 'x.pdf'],
      ['attachment; filename = "spaced.pdf"', 'filename', 'spaced.pdf'],
      ['attachment; filename="=?utf-8?Q?=C3=A9.pdf?="', 'filename', 'é.pdf'],
      ['attachment; filename="é.pdf"', 'filename', 'é.pdf'],
      ["attachment; filename*1*=b; filename*0*=utf-8''a", 'filename', 'ab'],
      ['attachment; filename*=UTF-8%20x', 'filename', 'UTF-8 x'],
      ['attachment; FILENAME="A.PDF"', 'filename', 'A.PDF'],
      ['attachment; filename="C:\\\\a.pdf"', 'filename', 'C:\\a.pdf'],
      ['text/plain; charset=utf-8 (the usual one)', 'charset', 'utf-8'],
      ['text/plain; charset=utf-8 format=flowed', 'charset', 'utf-8'],
      ['text/plain;; charset=utf-8;', 'charset', 'utf-8'],
      ['text/plain; charset=a; charset=b', 'charset', 'a'],
      ['text/plain', 'charset', null],
    ]
    for (const [raw, name, value] of cases) assert.equal(parameter(raw, name), value, raw)
  })

  it('never takes what begins with an encoded word for a parameter', () => {
    const { value } = parseStructured('=?utf-8?Q?invalid?=; filename=a', new DefectLog())
    assert.equal(value, '=?utf-8?q?invalid?=')
  })

  it('is cut at its bound, and that is told', () => {
    const defects = new DefectLog()
    assert.equal(decodeParameter('name', parseStructured('x/y; name=abcdef', defects), 3, defects), 'abc')
    assert.deepEqual(defects.list(), ['parameter: longer than the bound; it was cut'])
  })
})
