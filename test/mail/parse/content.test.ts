/** The two transfer encodings, against what Node decodes and to the byte, in any chunks. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { Base64Decoder } from '../../../src/mail/parse/base64.ts'
import { DefectLog } from '../../../src/mail/parse/defects.ts'
import { QuotedPrintableDecoder } from '../../../src/mail/parse/quoted-printable.ts'

type Decoder = new (defects: DefectLog) => { write(chunk: Buffer): Buffer; end(): Buffer }

const decode = (Decoder: Decoder, text: string): { content: string; defects: string[] } => {
  const bytes = Buffer.from(text, 'latin1')
  const results = [1, 2, 3, 5, 1000].map((size) => {
    const defects = new DefectLog()
    const decoder = new Decoder(defects)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size)
      pieces.push(Buffer.from(decoder.write(bytes.subarray(at, at + size))))
    pieces.push(decoder.end())
    return { content: Buffer.concat(pieces).toString('latin1'), defects: defects.list() }
  })
  for (const result of results) assert.deepEqual(result, results[0], text)
  return results[0] ?? assert.fail()
}

describe('base64', () => {
  const is = (text: string, content: string, ...defects: string[]): void =>
    assert.deepEqual(decode(Base64Decoder, text), { content, defects })

  it('is decoded in lines of any length', () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 31) % 256))
    for (const width of [1, 4, 60, 76, 77, 5000]) {
      const lines = bytes.toString('base64').replaceAll(new RegExp(`.{1,${width}}`, 'g'), '$&\r\n')
      is(lines, bytes.toString('latin1'))
    }
  })

  it('goes on after padding with more base64, and with nothing else', () => {
    is('QUI=\r\nQ0Q=\r\n', 'ABCD')
    is('QUI=\r\n-- \r\nfooter text\r\n', 'AB', 'base64: text after the end was left out')
  })

  it('ignores what is not of the alphabet, and keeps the whole bytes of an incomplete end', () => {
    is('QU!JD', 'ABC', 'base64: characters outside the alphabet were ignored')
    is('QUJDR', 'ABC', 'base64: incomplete at the end; the whole bytes were kept')
    is('QUJDRA', 'ABCD')
    is('', '')
  })
})

describe('quoted-printable', () => {
  const is = (text: string, content: string, ...defects: string[]): void =>
    assert.deepEqual(decode(QuotedPrintableDecoder, text), { content, defects })

  it('is decoded as RFC 2045 section 6.7 says', () => {
    is(
      "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
      "Now's the time for all folk to come to the aid of their country.",
    )
    is('=3D=e9=E9\r\n', '=\xe9\xe9\r\n')
    is('blanks \t\r\nat ends=20 \r\n', 'blanks\r\nat ends \r\n')
    is('soft = \t\r\nbreak', 'soft break')
    is(`padded${' '.repeat(1000)}\r\nend`, 'padded\r\nend')
    is('lf=\nonly\n', 'lfonly\n')
  })

  it('keeps what is broken as written', () => {
    is('a=ZZb=4', 'a=ZZb=4', 'quoted-printable: broken escapes were left as written')
    is('end=', 'end')
  })
})
