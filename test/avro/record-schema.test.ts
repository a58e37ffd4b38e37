import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { RecordName } from '../../src/avro/records.ts'
import { parseRecordType } from '../../src/avro/avro-type.ts'
import { compileRecord } from '../../src/avro/record-schema.ts'
import { schemaText } from './arbitrary-records.ts'

const none = Buffer.alloc(0)

const compiled = (record: RecordName) => {
  const schema = compileRecord(record, schemaText(record))
  const read = schema.readerOf(parseRecordType(JSON.parse(schema.json)))
  return {
    ...schema,
    roundTrip: (value: unknown, strict = true): unknown => read(schema.write(none, value, { strict }), 0),
  }
}

const sendRequest = compiled('SendRequest')
const mailboxCommand = compiled('MailboxCommand')
const command = { id: '1', account: 'a', action: 'MOVE' }

test('a request with nothing but an id gets every default', () => {
  assert.deepEqual(sendRequest.roundTrip({ id: 'r1' }), {
    id: 'r1',
    account: 'default',
    from: null,
    to: [],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: null,
    text: null,
    html: null,
    body: null,
    attachments: [],
    headers: {},
    messageId: null,
    inReplyTo: null,
    references: [],
    priority: null,
    sendAt: null,
    expiresAt: null,
    delivery: 'AT_LEAST_ONCE',
    dsn: null,
    saveToFolder: null,
    tags: {},
  })
})

test('bytes are golden: a request, a command', () => {
  assert.equal(
    sendRequest.write(sendRequest.singleObjectHeader, { id: 'r1', to: ['ä@b.c'] }, { strict: true }).toString('hex'),
    ['c301c193148dac738910', '047231', '0e64656661756c74', '00', '020cc3a440622e6300', '00'.repeat(19)].join(''),
  )
  assert.equal(
    mailboxCommand
      .write(mailboxCommand.singleObjectHeader, { ...command, target: { all: true } }, { strict: true })
      .toString('hex'),
    ['c3015a79a916facb7346', '0231', '0261', '00', '0a494e424f58', '00', '01', '00', '0601', '00'].join(''),
  )
})

test('an attachment has bytes or an object', () => {
  const object = { bucket: 'b', key: 'k', versionId: null, size: 3, sha256: null }
  const head = { fileName: null, contentType: null, contentId: null, disposition: 'INLINE' }
  const attachments = [
    { ...head, content: Buffer.from([0, 255]) },
    { ...head, content: object },
  ]
  assert.deepEqual(Object(sendRequest.roundTrip({ id: 'r1', attachments })).attachments, attachments)
})

test('each target of a command comes back as it went in, without a wrapper', () => {
  const filter = {
    subject: 'x',
    from: null,
    to: null,
    seen: false,
    since: 1,
    before: null,
    larger: null,
    smaller: null,
  }
  for (const target of [
    { uids: [1, 2], uidValidity: 4_294_967_295 },
    { messageIds: ['<a@b>'] },
    { filter },
    { all: true },
  ])
    assert.deepEqual(Object(mailboxCommand.roundTrip({ ...command, target })).target, target)
})

test('the caller keeps its command as it was', () => {
  const value = { ...command, target: { all: true } }
  mailboxCommand.write(none, value, { strict: true })
  assert.deepEqual(value, { ...command, target: { all: true } })
})

test('a decoded value does not share memory with the record', () => {
  const bytes = sendRequest.write(
    none,
    { id: 'r1', body: { contentType: 'a/b', content: Buffer.from('x') } },
    { strict: true },
  )
  const read = sendRequest.readerOf(parseRecordType(JSON.parse(sendRequest.json)))
  const value = read(bytes, 0) as { body: { content: Buffer } }
  bytes.fill(0)
  assert.equal(value.body.content.toString(), 'x')
})

test('a record above the scratch buffer is written whole', () => {
  for (const length of [65_000, 65_490, 65_510, 65_536, 70_000, 5_000_000]) {
    const text = 'ä'.repeat(length / 2)
    assert.equal(Object(sendRequest.roundTrip({ id: 'r1', text })).text, text)
  }
})

test('unpaired surrogates become U+FFFD, in short text and long, in keys and values', () => {
  const value = { id: 'a\ud800', text: '\udfff'.repeat(100), tags: { '\ud800k': 'v\udc00' }, subject: 'ok 😀' }
  const read = Object(sendRequest.roundTrip(value))
  assert.deepEqual(
    { id: read.id, text: read.text, tags: read.tags, subject: read.subject },
    { id: 'a\ufffd', text: '\ufffd'.repeat(100), tags: { '\ufffdk': 'v\ufffd' }, subject: 'ok 😀' },
  )
})

const refusals: [RecordName, unknown, string][] = [
  ['SendRequest', {}, 'SendRequest.id must be a string, not nothing'],
  ['SendRequest', null, 'SendRequest must be an object (SendRequest), not null'],
  ['SendRequest', 'x', 'SendRequest must be an object (SendRequest), not a string'],
  ['SendRequest', { id: 1 }, 'SendRequest.id must be a string, not a number'],
  ['SendRequest', { id: 'a', foo: 1 }, 'SendRequest has no field "foo"'],
  ['SendRequest', { id: 'a', to: 'x@y' }, 'SendRequest.to must be an array, not a string'],
  ['SendRequest', { id: 'a', to: ['x', null] }, 'SendRequest.to[1] must be a string, not null'],
  ['SendRequest', { id: 'a', headers: { a: 1 } }, 'SendRequest.headers.a must be a string, not a number'],
  [
    'SendRequest',
    { id: 'a', attachments: [{ content: 'x' }] },
    'SendRequest.attachments[0].content must be a Buffer or an object (ObjectRef), not a string',
  ],
  [
    'SendRequest',
    { id: 'a', attachments: [{ content: { bucket: 'b', key: 'k', path: '/etc' } }] },
    'SendRequest.attachments[0].content has no field "path"',
  ],
  [
    'SendRequest',
    { id: 'a', delivery: 'constructor' },
    'SendRequest.delivery must be one of AT_LEAST_ONCE, AT_MOST_ONCE, VERIFY',
  ],
  ['SendRequest', { id: 'a', sendAt: 1.5 }, 'SendRequest.sendAt must be a whole number, not a number like this'],
  ['SendRequest', { id: 'a', sendAt: '2026' }, 'SendRequest.sendAt must be null or a whole number, not a string'],
  ['MailboxCommand', command, 'MailboxCommand.target must have uids and uidValidity, or messageIds, or filter, or all'],
  [
    'MailboxCommand',
    { ...command, target: { uids: ['1'], uidValidity: 1 } },
    'MailboxCommand.target.uids[0] must be a whole number, not a string',
  ],
  ['MailboxCommand', { ...command, target: { all: true, uid: 1 } }, 'MailboxCommand.target has no field "uid"'],
]

for (const [record, value, message] of refusals)
  test(`refused: ${message}`, () => {
    assert.throws(() => compiled(record).write(none, value, { strict: true }), { code: 'RECORD_INVALID', message })
  })

test('what does not fit is refused without strictness too, and fields that are not known are left out', () => {
  assert.throws(() => sendRequest.write(none, { id: 'a', delivery: 'toString' }, { strict: false }), {
    code: 'RECORD_INVALID',
    message: 'SendRequest.delivery must be one of AT_LEAST_ONCE, AT_MOST_ONCE, VERIFY',
  })
  assert.deepEqual(sendRequest.roundTrip({ id: 'a', foo: 1 }, false), sendRequest.roundTrip({ id: 'a' }))
})

test('a refusal does not quote the value', () => {
  const secret = 'the content of a mail'
  const values = [
    { id: 'a', text: [secret] },
    { id: 'a', delivery: secret },
    { id: 'a', attachments: [secret] },
  ]
  for (const value of values)
    for (const strict of [true, false])
      assert.throws(
        () => sendRequest.write(none, value, { strict }),
        (error: Error) => !`${error.message} ${String(error.cause)}`.includes(secret),
      )
})
