/** Header blocks and ids. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'

const read = (text: string, limits = {}) =>
  parseMessage(Buffer.from(text), { ...defaultParseLimits, ...limits }).message

describe('a header', () => {
  it('has its fields in order, with names as written and values decoded', () => {
    const { headers } = read('RECEIVED: a\r\n b\r\nX-Y: =?utf-8?Q?=C3=A9?=\r\nreceived:c\r\n\r\n')
    assert.deepEqual(headers, [
      { name: 'RECEIVED', value: 'a b' },
      { name: 'X-Y', value: 'é' },
      { name: 'received', value: 'c' },
    ])
  })

  it('is read with blanks before colons, in names, and debris between fields', () => {
    const { subject, headers, defects } = read('Subject : x\r\nQuite Odd: y\r\ngarbage\r\nX-A: z\r\n\r\nbody')
    assert.equal(subject, 'x')
    assert.deepEqual(
      headers.map(({ name }) => name),
      ['Subject', 'Quite Odd', 'X-A'],
    )
    assert.deepEqual(defects, [
      'header: a line that is no field was left out',
      'header: space before the colon was ignored',
      'header: a field name with blanks in it was kept as written',
    ])
  })

  it('ends where text begins without an empty line', () => {
    const { subject, text } = read('Subject: x\r\nDear all,\r\nmore text\r\n')
    assert.deepEqual([subject, text], ['x', 'Dear all,\nmore text\n'])
  })

  it('uses the first of what may stand once, and all of the recipients', () => {
    const { subject, from, to, replyTo, defects } = read(
      'Subject: 1\r\nSubject: 2\r\nFrom: a@x\r\nFrom: b@x\r\nTo: c@x\r\nTo: d@x\r\nReply-To: e@x\r\nReply-To: f@x\r\n\r\n',
    )
    assert.deepEqual([subject, from.length, to.length, replyTo.length], ['1', 1, 2, 2])
    assert.deepEqual(defects, ['header value: the same field again; the first was used'])
  })

  it('is bounded, and what is over is told', () => {
    const { headers, defects } = read('A: 1\r\nB: 2\r\nC: 3\r\n\r\n', { maxHeaderFields: 2 })
    assert.deepEqual([headers.length, defects], [2, ['header: more fields than the bound; the rest was left out']])
    assert.equal(read(`Subject: ${'é'.repeat(50)}\r\n\r\n`, { maxValueLength: 10 }).subject, 'é'.repeat(10))
  })
})

describe('ids', () => {
  it('have their brackets, are as written otherwise, and are never invented', () => {
    const id = (value: string): string | null => read(`Message-ID: ${value}\r\n\r\n`).messageId
    assert.equal(id('<a@b>'), '<a@b>')
    assert.equal(id('a@b'), '<a@b>')
    assert.equal(id('<a@b> (comment)'), '<a@b>')
    assert.equal(id('<no-at-sign>'), '<no-at-sign>')
    assert.equal(id('<ü@exämple.com>'), '<ü@exämple.com>')
    assert.equal(id(''), null)
    assert.equal(read('Subject: x\r\n\r\n').messageId, null)
  })

  it('of a thread are a list, the latest ones of a long one', () => {
    const { references, inReplyTo } = read('References: <a@b><c@d>\r\n <e@f>\r\nIn-Reply-To: <e@f>\r\n\r\n')
    assert.deepEqual([references, inReplyTo], [['<a@b>', '<c@d>', '<e@f>'], '<e@f>'])
    assert.deepEqual(read('References: <a@b <c@d>\r\n\r\n').references, ['<a@b>', '<c@d>'])
    assert.deepEqual(read('References: <a@b> <c@d> <e@f>\r\n\r\n', { maxReferences: 2 }).references, ['<c@d>', '<e@f>'])
    assert.equal(read('In-Reply-To: your message of Tuesday\r\n\r\n').inReplyTo, null)
  })
})
