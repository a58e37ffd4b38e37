import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFetchLine, type FetchAnswer } from '../../src/mail/fetch-answer.ts'

const read = (line: string, isFirst = true) => {
  const answer: FetchAnswer = {}
  const meaning = readFetchLine(line, isFirst, answer)
  return { meaning, answer }
}

test('an answer in one line tells what it says', () => {
  const { meaning, answer } = read(
    '* 12 FETCH (UID 5 FLAGS (\\Seen \\*x $MDNSent) RFC822.SIZE 77 X-GM-MSGID 1278 X-GM-THRID 12 INTERNALDATE "17-Jul-1996 02:44:25 -0700")',
  )
  assert.equal(meaning.kind, 'foreign', 'a flag with a wildcard is no flag')
  assert.notEqual(answer.uid, undefined)
  const plain = read(
    '* 12 fetch (uid 5 FLAGS (\\Seen $MDNSent) RFC822.SIZE 77 X-GM-MSGID 1278 X-GM-THRID 12 INTERNALDATE "17-Jul-1996 02:44:25 -0700")',
  )
  assert.deepEqual(plain.meaning, { kind: 'end' })
  assert.deepEqual(plain.answer, {
    uid: 5,
    flags: new Set(['\\Seen', '$MDNSent']),
    size: 77,
    emailId: '1278',
    threadId: '12',
    internalDate: '17-Jul-1996 02:44:25 -0700',
  })
})

test('a literal ends the line, and what follows it is read on', () => {
  const { meaning, answer } = read('* 1 FETCH (UID 5 BODY[HEADER.FIELDS ("FROM" TO MESSAGE-ID)] {10}')
  assert.deepEqual(meaning, { kind: 'literal', name: 'headers', bytes: 10 })
  assert.deepEqual(readFetchLine(' BODY[] {0}', false, answer), { kind: 'literal', name: 'source', bytes: 0 })
  assert.deepEqual(readFetchLine(' FLAGS ())', false, answer), { kind: 'end' })
  assert.deepEqual(answer, { uid: 5, flags: new Set() })
  assert.deepEqual(readFetchLine(')', false, answer), { kind: 'end' })
})

test('a message that is told twice in one answer is left to the client, which bounds how much it holds', () => {
  const answer = { uid: 5, source: Buffer.from('once') }
  assert.deepEqual(readFetchLine(' BODY[] {4}', false, answer), { kind: 'foreign' })
})

for (const line of [
  '* 1 EXISTS',
  '* 1 FETCH',
  '* 1 FETCH ()',
  '* 1 FETCH (UID 5',
  '* 1 FETCH (UID 5) ',
  '* 1 FETCH (UID 5  FLAGS ())',
  '* 1 FETCH (UID 5 BODY[] NIL)',
  '* 1 FETCH (UID 5 BODY[] "text")',
  '* 1 FETCH (UID 5 BODY[]<0> {5}',
  '* 1 FETCH (UID 5 BODY[] {5+}',
  '* 1 FETCH (UID 5 BODY[] ~{5}',
  '* 1 FETCH (UID 5 BODY[1] {5}',
  '* 1 FETCH (UID 5 BODY[HEADER] {5}',
  '* 1 FETCH (UID 5 BODY[] {5} FLAGS ())',
  '* 1 FETCH (UID 5 FLAGS (NIL))',
  '* 1 FETCH (UID 5 FLAGS ("\\\\Seen"))',
  '* 1 FETCH (UID 5 FLAGS (caf\u00e9))',
  '* 1 FETCH (UID 5 INTERNALDATE NIL)',
  '* 1 FETCH (UID 5 EMAILID (nil))',
  '* 1 FETCH (UID 99999999999)',
  'A1 OK FETCH done',
]) {
  test(`left to the client's own parser: ${line}`, () => assert.equal(read(line).meaning.kind, 'foreign'))
}
