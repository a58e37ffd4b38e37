import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { findCharset, guessCharset } from '../../../src/mail/parse/charset.ts'

const decode = (label: string, bytes: Buffer): string => {
  const charset = findCharset(label)
  assert.ok(charset !== null && charset !== 'undeclared', label)
  const decoder = charset.open()
  const streamed = Array.from(bytes, (byte) => decoder.write(Buffer.from([byte]))).join('') + decoder.end()
  assert.equal(streamed, charset.decode(bytes), label)
  return streamed
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('a charset', () => {
  it('is known by the labels that mail uses, whole and byte by byte', () => {
    const cases: [label: string, bytes: string, text: string][] = [
      ['UTF-8', 'c3a9 e282ac', 'é€'],
      ['utf8', 'c3a9', 'é'],
      ['iso-8859-1', '93 e9 94 80', '“é”€'],
      ['latin1', 'e9', 'é'],
      ['Windows-1252', '80', '€'],
      ['cp-1252', '80', '€'],
      ['iso-8859-15', 'a4', '€'],
      ['iso-8859-9', 'f0', 'ğ'],
      ['windows-1251', 'ec e8 f0', 'мир'],
      ['koi8-r', 'cd c9 d2', 'мир'],
      ['x-mac-cyrillic', 'ec e8 f0', 'мир'],
      ['iso-2022-jp', '1b2442 467c 4b5c 1b2842 61', '日本a'],
      ['shift_jis', '93fa 967b', '日本'],
      ['euc-jp', 'c6fc cbdc', '日本'],
      ['gb2312', 'd6d0', '中'],
      ['gb18030', '8130 8130', '\u0080'],
      ['big5', 'a4a4', '中'],
      ['ks_c_5601-1987', 'c7d1', '한'],
      ['euc-kr', 'c7d1', '한'],
      ['utf-7', '2b414f6b2d', 'é'],
      ['utf-16', 'fffe e900', 'é'],
      ['utf-16', 'feff 00e9', 'é'],
      ['utf-16be', '00e9', 'é'],
    ]
    for (const [label, bytes, text] of cases) assert.equal(decode(label, hex(bytes)), text, label)
  })

  it('is none for a label that nobody knows or that says nothing', () => {
    assert.equal(findCharset('x-unheard-of'), null)
    assert.equal(findCharset('base64'), null)
    assert.equal(findCharset('a'.repeat(1000)), null)
    assert.equal(findCharset('us-ascii'), 'undeclared')
    assert.equal(findCharset(''), 'undeclared')
  })

  it('is guessed as UTF-8 where nearly all of it is that, else as windows-1252', () => {
    const guess = (bytes: Buffer): string => guessCharset(bytes).decode(bytes)
    assert.equal(guess(Buffer.from('Grüße')), 'Grüße')
    assert.equal(guess(Buffer.from('Gr\xfc\xdfe', 'latin1')), 'Grüße')
    assert.equal(guess(Buffer.from('Юникод вовсе').subarray(0, -1)), 'Юникод вовс�')
  })

  it('that shifts is read by its rules', () => {
    const read = (label: string, text: string): string => decode(label, Buffer.from(text, 'latin1'))
    assert.equal(read('hz-gb-2312', 'a~~{ ~{Dc:C~} b~\nc~{Dc\nd~'), 'a~{ 你好 bc你\nd~')
    assert.equal(read('iso-2022-kr', '\x1b$)C\x0e>H3g\x0f a\n\x0e>H\nb\x1b'), '안녕 a\n안\nb\x1b')
  })

  it('is decoded in pieces where a line is longer than what is held, the same ones however it comes', () => {
    const charset = findCharset('gb18030')
    assert.ok(charset !== null && charset !== 'undeclared')
    const inChunks = (bytes: Buffer): string => {
      const decoder = charset.open()
      let text = ''
      for (let at = 0; at < bytes.length; at += 100_001) text += decoder.write(bytes.subarray(at, at + 100_001))
      return text + decoder.end()
    }
    const word = Buffer.from('c4e3bac320', 'hex')
    const withBlanks = Buffer.concat(Array<Buffer>(500_000).fill(word))
    assert.equal(inChunks(withBlanks), '你好 '.repeat(500_000), 'cut behind blanks')
    const odd = Buffer.concat([Buffer.from('x'), Buffer.alloc(2_500_000, word.subarray(0, 4))])
    assert.equal(inChunks(odd), charset.decode(odd))
  })
})
