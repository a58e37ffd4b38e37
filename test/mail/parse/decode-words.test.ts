import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { decodeHeaderText } from '../../../src/mail/parse/decode-words.ts'
import { DefectLog } from '../../../src/mail/parse/defects.ts'

const decode = (text: string | Buffer): { text: string; defects: string[] } => {
  const defects = new DefectLog()
  return { text: decodeHeaderText(Buffer.from(text as string).toString('latin1'), defects), defects: defects.list() }
}

const decodes = (text: string, expected: string): void =>
  assert.deepEqual(decode(text), { text: expected, defects: [] })

describe('header text', () => {
  it('is decoded as RFC 2047 section 8 shows', () => {
    decodes('(=?ISO-8859-1?Q?a?=)', '(a)')
    decodes('(=?ISO-8859-1?Q?a?= b)', '(a b)')
    decodes('(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)', '(ab)')
    decodes('(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)', '(ab)')
    decodes('(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)', '(ab)')
    decodes('(=?ISO-8859-1?Q?a_b?=)', '(a b)')
    decodes('(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)', '(a b)')
    decodes(
      '=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=',
      'If you can read this you understand the example.',
    )
    decodes('=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=', 'Patrik Fältström')
  })

  it('is unfolded', () => {
    decodes('one\r\n two\n\tthree', 'one two three')
  })

  it('has characters that were cut between words put together', () => {
    decodes('=?utf-8?B?4g==?= =?utf-8?B?gqw=?=', '€')
    decodes('=?utf-8?Q?=E2?= =?utf-8?Q?=82=AC?=', '€')
    decodes('=?utf-8?B?4?= =?utf-8?B?oKs?=', '€')
  })

  it('is read where padding is missing or a language is named', () => {
    decodes('=?utf-8?B?w6k?= =?utf-8?B?w6k?=', 'éé')
    decodes('=?us-ascii*en?Q?word?=', 'word')
  })

  it('keeps what is no encoded word, and says so where it was meant as one', () => {
    decodes('a =? b ?= c'.replace('=?', '= ?'), 'a = ? b ?= c')
    assert.deepEqual(decode('=?utf-8?Q?open'), {
      text: '=?utf-8?Q?open',
      defects: ['encoded word: broken; left as written'],
    })
  })

  it('is UTF-8 where it can be, else windows-1252, and says so', () => {
    assert.deepEqual(decode('Grüße'), {
      text: 'Grüße',
      defects: ['header value: 8-bit bytes without an encoding; read as UTF-8'],
    })
    assert.deepEqual(decode(Buffer.from('Gr\xfc\xdfe \x80', 'latin1')), {
      text: 'Grüße €',
      defects: ['header value: 8-bit bytes without an encoding; read as windows-1252'],
    })
    assert.equal(decode(Buffer.from('Юникод запрещён').subarray(0, -1)).text, 'Юникод запрещё�')
  })

  it('has raw bytes within words read in the charset of the word', () => {
    assert.deepEqual(decode(Buffer.from('=?iso-8859-1?Q?\xe9=E9?=', 'latin1')), {
      text: 'éé',
      defects: ['encoded word: raw 8-bit bytes inside; read in its charset'],
    })
  })
})
