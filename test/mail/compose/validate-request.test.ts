import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { SendRequest } from '../../../src/avro/records.ts'
import type { OutgoingMessage } from '../../../src/mail/compose/outgoing-message.ts'
import {
  messageIdOf,
  requireValid,
  validateRequest,
  type SendingRules,
} from '../../../src/mail/compose/validate-request.ts'
import { sendAttachment, sendingRules, sendRequest } from '../../support/send-request.ts'

const valid = (request: Partial<SendRequest>, rules: Partial<SendingRules> = {}): OutgoingMessage =>
  requireValid(sendRequest(request), sendingRules(rules))

const pathsOf = (request: Partial<SendRequest>, rules: Partial<SendingRules> = {}): string[] => {
  const result = validateRequest(sendRequest(request), sendingRules(rules))
  return 'problems' in result ? result.problems.map(({ path }) => path) : []
}

const object = { bucket: 'mail', key: 'k', versionId: null, size: null, sha256: null }

void test('what needs a mailbox is refused where the account has none', () => {
  const rules = { hasMailbox: false }
  assert.deepEqual(pathsOf({ delivery: 'VERIFY' }, rules), ['delivery'])
  assert.deepEqual(pathsOf({ saveToFolder: 'Sent' }, rules), ['saveToFolder'])
  assert.deepEqual(pathsOf({ delivery: 'VERIFY', saveToFolder: 'Sent' }), [])
})

void describe('a request is refused, with the path of what is wrong', () => {
  const cases: [what: string, Partial<SendRequest>, path: string][] = [
    ['an empty id', { id: '' }, 'id'],
    ['an id of 256 characters', { id: 'x'.repeat(256) }, 'id'],
    ['an id with a control character', { id: 'a\u0085' }, 'id'],
    ['nobody to send it to', { to: [] }, 'to'],
    ['more recipients than a result can name', { to: [Array(2_001).fill('a@example.com').join(', ')] }, 'to'],
    ['only separators as recipients', { to: [' ; ,'] }, 'to'],
    ['a malformed recipient', { to: ['a@example.com', 'nobody'] }, 'to[1]'],
    ['a malformed copy', { cc: ['nobody'] }, 'cc[0]'],
    ['a line break in a blind copy', { bcc: ['a@example.com\r\nX: y'] }, 'bcc[0]'],
    ['a malformed reply address', { replyTo: ['nobody'] }, 'replyTo[0]'],
    ['two senders', { from: 'support@example.com, b@example.com' }, 'from'],
    ['a malformed sender', { from: 'support' }, 'from'],
    ['a subject with a line break', { subject: 'a\r\nBcc: x@example.com' }, 'subject'],
    ['a subject with a NUL', { subject: 'a\0b' }, 'subject'],
    ['a subject that can not be folded', { subject: 'x'.repeat(1000) }, 'subject'],
    ['a body beside a text', { body: { contentType: 'text/xml', content: Buffer.from('') }, text: 'x' }, 'body'],
    ['a multipart body', { body: { contentType: 'multipart/mixed', content: Buffer.from('') } }, 'body.contentType'],
    ['a message as body', { body: { contentType: 'message/rfc822', content: Buffer.from('') } }, 'body.contentType'],
    [
      'a media type with a line break',
      { body: { contentType: 'text/xml\r\nX: y', content: Buffer.from('') } },
      'body.contentType',
    ],
    ['a malformed media type', { attachments: [sendAttachment({ contentType: 'pdf' })] }, 'attachments[0].contentType'],
    [
      'a file name with a line break',
      { attachments: [sendAttachment({ fileName: 'a\nb' })] },
      'attachments[0].fileName',
    ],
    ['a malformed content id', { attachments: [sendAttachment({ contentId: 'a b' })] }, 'attachments[0].contentId'],
    [
      'a content id twice',
      { attachments: [sendAttachment({ contentId: '<a@b>' }), sendAttachment({ contentId: 'a@b' })] },
      'attachments[1].contentId',
    ],
    [
      'a bucket that may not be read',
      { attachments: [sendAttachment({ content: { ...object, bucket: 'other' } })] },
      'attachments[0].content.bucket',
    ],
    [
      'an object without a key',
      { attachments: [sendAttachment({ content: { ...object, key: '' } })] },
      'attachments[0].content.key',
    ],
    [
      'a malformed hash',
      { attachments: [sendAttachment({ content: { ...object, sha256: 'x' } })] },
      'attachments[0].content.sha256',
    ],
    ['too many bytes', { attachments: [sendAttachment({ content: { ...object, size: 1_000_001 } })] }, 'attachments'],
    ['a header name with a blank', { headers: { 'X Y': 'z' } }, 'headers'],
    ['a header name with a colon', { headers: { 'X:': 'z' } }, 'headers'],
    ['a header name with a line break', { headers: { 'X\r\nBcc': 'z' } }, 'headers'],
    ['a header value with a line break', { headers: { 'X-Y': 'a\r\nBcc: x@example.com' } }, 'headers.X-Y'],
    ['a header twice', { headers: { 'X-Y': 'a', 'x-y': 'b' } }, 'headers.x-y'],
    ['a priority header beside priority', { priority: 'HIGH', headers: { Importance: 'low' } }, 'headers.Importance'],
    ['a message id without brackets', { messageId: 'a@b' }, 'messageId'],
    ['a message id with a line break', { messageId: '<a@b>\r\nX: <c@d>' }, 'messageId'],
    ['a malformed inReplyTo', { inReplyTo: '<a b@c>' }, 'inReplyTo'],
    ['a malformed reference', { references: ['<a@b>', 'c'] }, 'references[1]'],
    ['a folder name with a line break', { saveToFolder: 'a\r\nb' }, 'saveToFolder'],
    ['NEVER beside another', { dsn: { notify: ['NEVER', 'FAILURE'], return: 'FULL' } }, 'dsn.notify'],
  ]
  for (const [what, request, path] of cases) {
    void test(what, () => assert.deepEqual(pathsOf(request), [path]))
  }

  for (const name of [
    'Bcc',
    'FROM',
    'sender',
    'Return-Path',
    'Received',
    'DKIM-Signature',
    'Content-Type',
    'Resent-To',
    'MIME-Version',
    'Message-ID',
    'ARC-Seal',
  ]) {
    void test(`the header ${name}, which a request must not set`, () => {
      assert.deepEqual(pathsOf({ headers: { [name]: 'x' } }), [`headers.${name}`])
    })
  }

  void test('everything at once, and no value of it in the message', () => {
    const request = sendRequest({ id: '', to: ['geheim'], subject: 'geheim\n', headers: { Bcc: 'geheim' } })
    assert.throws(
      () => requireValid(request, sendingRules()),
      (error: Error & { code?: string; retryable?: boolean }) => {
        assert.equal(error.code, 'REQUEST_INVALID')
        assert.equal(error.retryable, false)
        for (const path of ['id:', 'to[0]:', 'subject:', 'headers.Bcc:']) assert.ok(error.message.includes(path))
        assert.ok(!error.message.includes('geheim'))
        return true
      },
    )
  })

  void test('a reference to an object where no storage is configured', () => {
    assert.deepEqual(pathsOf({ attachments: [sendAttachment({ content: object })] }, { readableBuckets: null }), [
      'attachments[0].content',
    ])
  })
})

void describe('senders', () => {
  const notAllowed = { code: 'REQUEST_SENDER_NOT_ALLOWED' }

  void test('without one the account’s own is taken, name and all', () => {
    assert.deepEqual(valid({}).from, { name: 'Support', address: 'support@example.com', path: 'support@example.com' })
  })

  void test('another one than those allowed is refused, also behind a display name or in capitals', () => {
    for (const from of [
      'ceo@example.com',
      '"support@example.com" <ceo@example.com>',
      'support@example.com.evil.example',
    ]) {
      assert.throws(() => valid({ from }), notAllowed)
    }
    assert.equal(valid({ from: 'Me <SUPPORT@Example.com>' }).from.address, 'SUPPORT@Example.com')
  })

  void test('globs allow many, an IDN in either form', () => {
    const rules = { allowedFrom: ['*@news.example.com', '*@bücher.example'] }
    assert.equal(valid({ from: 'weekly@news.example.com' }, rules).from.path, 'weekly@news.example.com')
    assert.equal(
      valid({ from: 'a@xn--bcher-kva.example' }, { allowedFrom: ['*@xn--bcher-kva.example'] }).from.name,
      null,
    )
    assert.equal(valid({ from: 'a@bücher.example' }, rules).from.path, 'a@xn--bcher-kva.example')
    assert.throws(() => valid({ from: 'a@example.com' }, rules), notAllowed)
  })

  void test('an account without a default needs one in each request', () => {
    assert.deepEqual(pathsOf({}, { from: null }), ['from'])
  })
})

void describe('what a valid request becomes', () => {
  void test('each mailbox is one recipient, however often and wherever it is named', () => {
    const { recipients, to, cc } = valid({
      to: ['Ann <ann@example.com>; bob@example.com'],
      cc: ['ANN@example.com', 'ann@EXAMPLE.com'],
      bcc: ['bob@example.com', 'eve@bücher.example'],
    })
    assert.deepEqual(recipients, [
      { address: 'ann@example.com', path: 'ann@example.com' },
      { address: 'bob@example.com', path: 'bob@example.com' },
      { address: 'ANN@example.com', path: 'ANN@example.com' },
      { address: 'eve@bücher.example', path: 'eve@xn--bcher-kva.example' },
    ])
    assert.deepEqual([to.length, cc.length], [2, 2])
  })

  void test('the envelope id is the request id', () => {
    assert.deepEqual(valid({ id: 'order 7', dsn: { notify: ['FAILURE', 'FAILURE'], return: 'HEADERS' } }).dsn, {
      envelopeId: 'order 7',
      return: 'HDRS',
      notify: ['FAILURE'],
    })
    assert.deepEqual(valid({ id: 'order 7' }).dsn, { envelopeId: 'order 7', return: null, notify: [] })
  })

  void test('an empty file name is none', () => {
    assert.equal(valid({ attachments: [sendAttachment({ fileName: '' })] }).attachments[0]?.fileName, null)
  })
})

void describe('the Message-ID', () => {
  void test('is the same for one request and another for each other', () => {
    const own = messageIdOf(sendRequest(), sendingRules())
    assert.match(own, /^<[0-9a-f]{40}@example\.com>$/)
    assert.equal(messageIdOf(sendRequest({ subject: 'changed' }), sendingRules()), own)
    assert.equal(valid({}).messageId, own)
    for (const other of [{ id: 'r-2' }, { account: 'other' }, { id: '1', account: 'supportr-' }]) {
      assert.notEqual(messageIdOf(sendRequest(other), sendingRules()), own)
    }
  })

  void test('is what the request names, where that is one', () => {
    assert.equal(messageIdOf(sendRequest({ messageId: '<a@b>' }), sendingRules()), '<a@b>')
    assert.match(messageIdOf(sendRequest({ messageId: 'nonsense' }), sendingRules()), /@example\.com>$/)
  })

  void test('has the domain of the sender in ASCII, and exists for a request without a readable one', () => {
    assert.match(messageIdOf(sendRequest({ from: 'a@Bücher.example' }), sendingRules()), /@xn--bcher-kva\.example>$/)
    assert.match(messageIdOf(sendRequest({ from: 'nobody' }), sendingRules()), /@posthorn\.invalid>$/)
  })
})
