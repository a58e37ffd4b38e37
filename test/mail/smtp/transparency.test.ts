import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { DotStuffer } from '../../../src/mail/smtp/dot-stuffing.ts'
import { envelopeIdOf, toXtext } from '../../../src/mail/smtp/xtext.ts'

const stuff = (...chunks: Buffer[]): string => {
  const stuffer = new DotStuffer()
  return Buffer.concat([...chunks.map((chunk) => stuffer.push(chunk)), stuffer.end()]).toString('latin1')
}

/** What a server that knows only CRLF makes of the data: the mail, and nothing behind its end. */
const unstuff = (data: string): string => {
  const end = `\r\n${data}`.indexOf('\r\n.\r\n')
  assert.equal(end + 3, data.length, 'the data ends before its end')
  return data.slice(0, end).replace(/(^|\r\n)\./g, '$1')
}

/** Mail has CRLF line ends and ends with one, if it is not empty. */
const canonical = (text: string): string => {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n')
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`
}

const mailText = fc.string({ unit: fc.constantFrom('\r', '\n', '\r\n', '.', 'a', '\r\n.', '.\r\n'), maxLength: 60 })

void describe('dot-stuffing', () => {
  void test('what the server takes off gives the mail back, wherever it was cut', () => {
    fc.assert(
      fc.property(mailText, fc.array(fc.nat(120), { maxLength: 6 }), (text, cuts) => {
        const bytes = Buffer.from(text, 'latin1')
        const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const chunks = edges.slice(1).map((end, at) => bytes.subarray(edges[at], end))
        assert.equal(unstuff(stuff(...chunks)), canonical(text))
      }),
      { numRuns: 2000 },
    )
  })

  void test('no CR and no LF stands alone, so that no server sees another end than the others', () => {
    fc.assert(
      fc.property(mailText, (text) => {
        assert.doesNotMatch(stuff(Buffer.from(text)), /\r(?!\n)|(?<!\r)\n/)
      }),
    )
  })

  void test('bytes that need no change are not copied', () => {
    const bytes = Buffer.from('a line\r\n')
    assert.equal(new DotStuffer().push(bytes), bytes)
  })
})

/** RFC 3461 4. */
const fromXtext = (text: string): string =>
  Buffer.from(
    text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8')

void describe('xtext', () => {
  void test('decodes to what was encoded and has only characters that an SMTP parameter may have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = toXtext(text)
        assert.match(encoded, /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/)
        assert.equal(fromXtext(encoded), text)
      }),
    )
  })

  void test('an id that ENVID can carry is the envelope id', () => {
    assert.equal(envelopeIdOf('order 17'), 'order 17')
  })

  void test('any other id becomes one that ENVID can carry, the same each time and unlike others', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 255, unit: 'grapheme' }), (id) => {
        assert.match(envelopeIdOf(id), /^[ -~]{1,100}$/)
        assert.equal(envelopeIdOf(id), envelopeIdOf(id))
      }),
    )
    assert.notEqual(envelopeIdOf('ü1'), envelopeIdOf('ü2'))
  })
})
