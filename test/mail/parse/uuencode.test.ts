import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { DefectLog } from '../../../src/mail/parse/defects.ts'
import { UuDecoder } from '../../../src/mail/parse/uuencode.ts'

const decode = (...chunks: string[]): [text: string, defects: string[]] => {
  const defects = new DefectLog()
  const decoder = new UuDecoder(defects)
  const pieces = chunks.map((chunk) => Buffer.from(decoder.write(Buffer.from(chunk, 'latin1'))))
  return [Buffer.concat([...pieces, decoder.end()]).toString('latin1'), defects.list()]
}

const broken = ['uuencode: no begin or no end; read as far as it goes']

describe('uuencoded content', () => {
  it('is decoded between begin and end, whatever stands around it and however it comes', () => {
    const whole = 'a note\r\n\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nfooter\r\n'
    assert.deepEqual(decode(whole), ['Cat', []])
    assert.deepEqual(decode(...whole.split('')), ['Cat', []])
  })

  it('may have lost the blanks at the ends of its lines, which are zeros', () => {
    assert.deepEqual(decode('begin 644 x\n(0V%T0V%T\n \nend\n'), ['CatCat\0\0', []])
    assert.deepEqual(decode('begin 644 x\nM0V%T\n`\nend\n'), ['Cat', []], 'no line of 45 bytes')
  })

  it('without an end is read as far as it goes, without a begin stays as it is', () => {
    assert.deepEqual(decode('begin 644 x\n#0V%T'), ['Cat', broken])
    assert.deepEqual(decode('no uuencode\n', 'at all'), ['no uuencode\nat all', broken])
    const long = 'x'.repeat(70_000)
    assert.deepEqual(decode(long, '\nmore'), [`${long}\nmore`, broken])
  })
})
