/** Parts: boundaries, nesting, what is a body and what an attachment. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'
import { parseInChunks } from '../../support/parse-in-chunks.ts'

const read = (lines: string[], limits = {}, eol = '\r\n') => {
  const raw = Buffer.from(lines.join(eol), 'latin1')
  const { message, attachments } = parseMessage(raw, { ...defaultParseLimits, ...limits })
  const { text, html, defects } = message
  const files = attachments.map(({ fileName, contentType, content }) => [
    fileName ?? contentType,
    content.toString('latin1'),
  ])
  return { text, html, defects, files }
}

const mixed = (...parts: string[][]): string[] => [
  'Content-Type: multipart/mixed; boundary=b',
  '',
  ...parts.flatMap((part) => ['--b', ...part]),
  '--b--',
  '',
]

describe('a multipart', () => {
  it('is read as RFC 2046 section 5.1.1 shows', () => {
    const { text, defects, files } = read([
      'Content-type: multipart/mixed; boundary="simple boundary"',
      '',
      'This is the preamble.  It is to be ignored.',
      '',
      '--simple boundary',
      '',
      'This is implicitly typed plain US-ASCII text.',
      'It does NOT end with a linebreak.',
      '--simple boundary',
      'Content-type: text/plain; charset=us-ascii',
      '',
      'This is explicitly typed plain US-ASCII text.',
      'It DOES end with a linebreak.',
      '',
      '--simple boundary--',
      '',
      'This is the epilogue.  It is also to be ignored.',
    ])
    assert.deepEqual({ defects, files }, { defects: [], files: [] })
    assert.equal(
      text,
      'This is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n' +
        'This is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n',
    )
  })

  it('has parts to the byte, whatever the line breaks', () => {
    for (const eol of ['\r\n', '\n']) {
      const part = ['Content-Type: application/x-data', '', `one${eol === '\n' ? '\r' : '\n'}two`, '']
      assert.deepEqual(read(mixed(part), {}, eol).files, [
        ['application/x-data', `one${eol === '\n' ? '\r' : '\n'}two${eol}`],
      ])
    }
  })

  it('ends where an outer one goes on, and says so', () => {
    const inner = [
      'Content-Type: multipart/alternative; boundary=c',
      '',
      '--c',
      '',
      'text',
      '--c',
      'Content-Type: text/html',
      '',
      '<p>',
    ]
    const { text, html, files, defects } = read(mixed(inner, ['Content-Type: image/gif', '', 'GIF']))
    assert.deepEqual([text, html, files], ['text', '<p>', [['image/gif', 'GIF']]])
    assert.deepEqual(defects, [
      'multipart: closing boundary missing; the part ends where the message or the outer part ends',
    ])
  })

  it('is not ended by what only begins like a delimiter', () => {
    const { files } = read(mixed(['Content-Type: application/x', '', '--bc', '--b-', ' --b', '-- b', 'x--b']))
    assert.deepEqual(files, [['application/x', '--bc\r\n--b-\r\n --b\r\n-- b\r\nx--b']])
  })

  it('has nothing behind its closing delimiter', () => {
    const { files } = read([...mixed(['Content-Type: application/x', '', 'exact']), 'junk', '--b', '', 'more junk'])
    assert.deepEqual(files[0], ['application/x', 'exact'])
  })
})

describe('a part', () => {
  it('is a body where it is plain text or HTML and is not said to be an attachment', () => {
    const attached = ['Content-Type: text/plain', 'Content-Disposition: attachment', '', 'file']
    const { text, html, files } = read(
      mixed(['', 'one'], ['Content-Type: text/html; name=x.html', '', '<p>'], attached, [
        'Content-Type: text',
        '',
        'two',
      ]),
    )
    assert.deepEqual([text, html, files], ['one\ntwo', '<p>', [['text/plain', 'file']]])
  })

  it('that is a message stays one attachment', () => {
    const inner = mixed(['Content-Type: image/gif; name=inner.gif', '', 'GIF']).map((line) => line.replace('b', 'i'))
    const { files } = read(mixed(['Content-Type: message/rfc822', '', ...inner]))
    assert.equal(files.length, 1)
    assert.equal(files[0]?.[1], inner.join('\r\n'))
  })

  it('of a digest is a message by default', () => {
    const { files } = read([
      'Content-Type: multipart/digest; boundary=b',
      '',
      '--b',
      '',
      'Subject: x',
      '',
      'y',
      '--b--',
    ])
    assert.deepEqual(files, [['message/rfc822', 'Subject: x\r\n\r\ny']])
  })
})

describe('text', () => {
  it('of format=flowed arrives line by line as it was sent (RFC 3676)', () => {
    const { text } = read([
      'Content-Type: text/plain; format=flowed; delsp=yes',
      '',
      '>> a ',
      '>> b',
      ' >c ',
      ' d',
      '-- ',
      'x',
    ])
    assert.equal(text, '>> a \n>> b\n >c \n d\n-- \nx')
  })

  it('above the inline bound is handed over whole', () => {
    const raw = Buffer.from(`\r\n${'é'.repeat(100)}`)
    const { message, largeBodies } = parseMessage(raw, { ...defaultParseLimits, maxInlineBodyBytes: 50 })
    assert.equal(message.text, null)
    assert.deepEqual(largeBodies, [{ kind: 'text', content: Buffer.from('é'.repeat(100)) }])
  })
})

describe('beyond a bound', () => {
  it('the rest of too many parts is one attachment, undecoded', () => {
    const { files, defects } = read(mixed(['', '1'], ['', '2'], ['', '3'], ['', '4']), { maxParts: 2 })
    assert.deepEqual(files, [['application/octet-stream', '--b\r\n\r\n3\r\n--b\r\n\r\n4\r\n--b--\r\n']])
    assert.deepEqual(defects, ['parts: more than the bound; the rest was kept undecoded as one attachment'])
  })

  it('a multipart that is nested too deep is one attachment', () => {
    const inner = ['Content-Type: multipart/mixed; boundary=c', '', '--c', '', 'x', '--c--']
    const { files } = read(mixed(inner), { maxNestingDepth: 1 })
    assert.deepEqual(files, [['multipart/mixed', '--c\r\n\r\nx\r\n--c--']])
  })

  it('a header that never ends still has its attachment', () => {
    const raw = Buffer.from(`Content-Disposition: attachment; filename=a.pdf\r\nX: ${'x'.repeat(500)}`)
    const limits = { ...defaultParseLimits, maxHeaderBytes: 100 }
    assert.equal(parseMessage(raw, limits).attachments[0]?.fileName, 'a.pdf')
    assert.deepEqual(parseInChunks([raw.subarray(0, 300), raw.subarray(300)], limits), parseMessage(raw, limits))
  })
})
