import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { decompressRtf } from '../../../src/mail/parse/compressed-rtf.ts'
import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'
import { readRtfBody } from '../../../src/mail/parse/rtf-body.ts'
import { tnefWith, type BodyOfTnef } from '../../support/tnef.ts'

/** RTF that is not compressed, with its header (MS-OXRTFCP 2.1.3.1). */
const stored = (rtf: string): Buffer => {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(rtf.length + 12, 0)
  head.writeUInt32LE(rtf.length, 4)
  head.write('MELA', 8, 'latin1')
  return Buffer.concat([head, Buffer.from(rtf, 'latin1')])
}

const read = (body: BodyOfTnef, own = '') => {
  const tnef = tnefWith([{ title: 'a.txt', content: Buffer.from('one') }], body).toString('base64')
  const raw = [
    'Content-Type: multipart/mixed; boundary=b',
    '',
    ...(own === '' ? [] : ['--b', '', own]),
    '--b',
    'Content-Type: application/ms-tnef',
    'Content-Transfer-Encoding: base64',
    '',
    tnef,
    '--b--',
  ]
  const { message, attachments } = parseMessage(Buffer.from(raw.join('\r\n')), defaultParseLimits)
  assert.equal(attachments.length, 2)
  return message
}

describe('the body in winmail.dat', () => {
  it('is the body of a mail that has no other, in each form that there is', () => {
    const { text, html, defects } = read({ text: 'Gr\xfc\xdfe\r\nAnn' })
    assert.deepEqual([text, html], ['Grüße\nAnn', null])
    assert.deepEqual(defects, ['tnef: the body of the message is in it; it was read'])
    assert.equal(read({ html: '<p>Grüße</p>' }).html, '<p>Grüße</p>')
    assert.equal(read({ rtf: stored(String.raw`{\rtf1\ansi\ansicpg1252\fromtext Hello\par Ann}`) }).text, 'Hello\nAnn')
  })

  it('is no second body', () => {
    const { text, defects } = read({ text: 'inside' }, 'outside')
    assert.deepEqual([text, defects], ['outside', []])
  })

  it('costs no file where it can not be read', () => {
    assert.equal(read({ rtf: Buffer.from('nothing') }).text, null)
  })
})

describe('compressed RTF', () => {
  it('is what the examples of MS-OXRTFCP are', () => {
    const simple = '2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0'
    assert.equal(
      decompressRtf(Buffer.from(simple, 'hex'), 1000)?.toString('latin1'),
      '{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n',
    )
    // A reference that runs into what it writes.
    const crossing = '1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0'
    assert.equal(decompressRtf(Buffer.from(crossing, 'hex'), 1000)?.toString('latin1'), '{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}')
  })

  it('is bounded, whatever it says of its size', () => {
    assert.equal(decompressRtf(stored('{\\rtf1 x}'), 5)?.length, 5)
    const bomb = Buffer.alloc(16 + 30_000, 0xff)
    bomb.writeUInt32LE(0xffffffff, 4)
    bomb.write('LZFu', 8, 'latin1')
    assert.ok((decompressRtf(bomb, 100_000)?.length ?? 0) <= 100_000)
    assert.equal(decompressRtf(Buffer.from('{\\rtf1 plain}      '), 1000), null)
  })
})

describe('the body in RTF', () => {
  const body = (rtf: string) => readRtfBody(Buffer.from(rtf, 'latin1'))

  it('is its text without what only says how it looks', () => {
    const rtf = String.raw`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}\pard Gr\'fc\'dfe \{x\}\tab \u8364?\~\emdash\par{\b bold}\line end}behind`
    assert.deepEqual(body(rtf), { kind: 'text', body: 'Grüße {x}\t€\xa0—\nbold\nend' })
    assert.equal(body(String.raw`{\rtf1\ansi\ansicpg932 \'93\'fa\'96\'7b}`)?.body, '日本')
    assert.equal(body(String.raw`{\rtf1\uc2 \u-10179\'3f\'3f\u-8704 ??x}`)?.body, '😀x')
  })

  it('is the HTML that it was made of, where it says so (MS-OXRTFEX)', () => {
    const rtf = String.raw`{\rtf1\ansi\ansicpg1252\fromhtml1 {\*\htmltag18 <html>}{\*\htmltag64 <p>}\htmlrtf {\b\htmlrtf0 Gr\'fc\'dfe &amp; more\htmlrtf }\par\htmlrtf0{\*\htmltag72 </p>}{\*\htmltag27 </html>}}`
    assert.deepEqual(body(rtf), { kind: 'html', body: '<html><p>Grüße &amp; more</p></html>' })
  })

  it('is null for what is no RTF, and costs no more than its length', () => {
    assert.equal(body('no RTF'), null)
    const started = process.cpuUsage()
    body(`{\\rtf1 ${'{\\b'.repeat(500_000)}`)
    body(`{\\rtf1 ${"\\'e9".repeat(500_000)}`)
    body(`{\\rtf1 ${'\\'.repeat(1_000_000)}`)
    const { user, system } = process.cpuUsage(started)
    assert.ok(user + system < 2_000_000, `${(user + system) / 1e6} s of CPU`)
  })
})
