import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'
import { expandTnef } from '../../../src/mail/parse/tnef.ts'
import { tnefWith } from '../../support/tnef.ts'

const files = [
  { title: 'Gr\xfc\xdfe.txt', content: Buffer.from('one') },
  {
    title: 'SHORT~1.PDF',
    longName: 'Ein langer Name – 漢字.pdf',
    mimeTag: 'Application/PDF',
    content: Buffer.from('two\0'),
  },
  { title: 'image.png', contentId: 'image@x', isObject: true, content: Buffer.from('three') },
]

const mail = (tnef: Buffer, type = 'application/ms-tnef'): Buffer =>
  Buffer.from(
    [
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      '',
      'hello',
      '--b',
      `Content-Type: ${type}; name=winmail.dat`,
      'Content-Transfer-Encoding: base64',
      '',
      tnef.toString('base64'),
      '--b',
      'Content-Type: image/png',
      '',
      'last',
      '--b--',
    ].join('\r\n'),
  )

describe('expandTnef', () => {
  it('takes out each file with the longest name it has, and its content to the byte', () => {
    assert.deepEqual(expandTnef(tnefWith(files)), {
      damaged: false,
      body: { text: null, html: null },
      files: [
        { fileName: 'Grüße.txt', contentType: null, contentId: null, content: Buffer.from('one') },
        {
          fileName: 'Ein langer Name – 漢字.pdf',
          contentType: 'Application/PDF',
          contentId: null,
          content: Buffer.from('two\0'),
        },
        { fileName: 'image.png', contentType: null, contentId: 'image@x', content: Buffer.from('three') },
      ],
    })
  })

  it('gives a message within as TNEF', () => {
    const inner = tnefWith([])
    const [file] = expandTnef(tnefWith([{ title: 'fwd', isObject: true, content: inner }]))?.files ?? []
    assert.equal(file?.contentType, 'application/ms-tnef')
    assert.deepEqual(file?.content, inner)
  })

  it('reads as far as it can, wherever it is cut', () => {
    const whole = tnefWith(files)
    for (let length = 0; length < whole.length; length++) {
      const expanded = expandTnef(whole.subarray(0, length))
      if (length < 6) assert.equal(expanded, null)
      else assert.ok((expanded?.files.length ?? 4) <= 3)
    }
    assert.equal(expandTnef(whole.subarray(0, -1))?.damaged, true)
  })

  it('is not taken in by lengths and counts that lie', () => {
    const whole = tnefWith(files)
    for (let at = 6; at + 4 <= whole.length; at++) {
      const lying = Buffer.from(whole)
      lying.writeUInt32LE(0xffffffff, at)
      assert.doesNotThrow(() => expandTnef(lying))
    }
  })

  it('knows what is none', () => {
    assert.equal(expandTnef(Buffer.from('plain text')), null)
  })
})

describe('a winmail.dat', () => {
  it('stays as it is, with its files as attachments of their own behind it', () => {
    const tnef = tnefWith(files)
    const { message, attachments } = parseMessage(mail(tnef), defaultParseLimits)
    assert.deepEqual(
      attachments.map(({ index, fileName, contentType, contentId }) => [index, fileName, contentType, contentId]),
      [
        [0, 'winmail.dat', 'application/ms-tnef', null],
        [1, 'Grüße.txt', 'application/octet-stream', null],
        [2, 'Ein langer Name – 漢字.pdf', 'application/pdf', null],
        [3, 'image.png', 'application/octet-stream', '<image@x>'],
        [4, null, 'image/png', null],
      ],
    )
    assert.deepEqual(attachments[0]?.content, tnef)
    assert.deepEqual(message.defects, [])
  })

  it('is told by its name where the type says nothing', () => {
    assert.equal(
      parseMessage(mail(tnefWith(files), 'application/octet-stream'), defaultParseLimits).attachments.length,
      5,
    )
  })

  it('is left alone where it is larger than the bound, and that is told', () => {
    const limits = { ...defaultParseLimits, maxTnefBytes: 100 }
    const { message, attachments } = parseMessage(mail(tnefWith(files)), limits)
    assert.equal(attachments.length, 2)
    assert.deepEqual(message.defects, ['tnef: larger than the bound; its files were not taken out'])
  })

  it('is told to be damaged where it is', () => {
    const { message } = parseMessage(mail(tnefWith(files).subarray(0, -1)), defaultParseLimits)
    assert.deepEqual(message.defects, ['tnef: damaged; the files that could be read were taken out'])
  })
})
