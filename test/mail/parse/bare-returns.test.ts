import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { defaultParseLimits } from '../../../src/mail/parse/limits.ts'
import { parseMessage } from '../../../src/mail/parse/parse-message.ts'

const read = (text: string) => parseMessage(Buffer.from(text, 'latin1'), defaultParseLimits)

describe('carriage returns that end lines', () => {
  it('are read as line breaks, and stay what they are in attachments', () => {
    const { message, attachments } = read(
      'Subject: x\rContent-Type: multipart/mixed; boundary=b\r\r--b\r\ra\rb\r--b\rContent-Type: a/b\r\r1\r2\r--b--\r',
    )
    assert.deepEqual([message.subject, message.text], ['x', 'a\nb'])
    assert.equal(attachments[0]?.content.toString(), '1\r2')
  })

  it('may stand behind a field that a server put in front', () => {
    const { message } = read('Received: by x\r\nSubject: x\rTo: a@b\r\rbody\r')
    assert.deepEqual([message.subject, message.to.length, message.text], ['x', 1, 'body\n'])
  })

  it('are strays in mail whose lines end otherwise: they begin no field', () => {
    const { message } = read('Subject: x\rTo: forged@example.com\r\nFrom: a@b\r\n\r\na\rb\r\n')
    assert.deepEqual([message.to.length, message.from.length, message.text], [0, 1, 'a\rb\n'])
    assert.deepEqual(
      message.headers.map(({ name }) => name),
      ['Subject', 'From'],
    )
  })
})
