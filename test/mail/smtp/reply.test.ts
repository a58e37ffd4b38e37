import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { ReplyReader, type SmtpReply } from '../../../src/mail/smtp/reply.ts'
import { serverMessageIdOf } from '../../../src/mail/smtp/server-message-id.ts'

const read = (...chunks: string[]): SmtpReply[] => {
  const reader = new ReplyReader()
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk, 'utf8')))
}

const isProtocolError = { code: 'SMTP_PROTOCOL_ERROR' }

void describe('replies', () => {
  void test('one line, several lines and several replies in one piece are read', () => {
    assert.deepEqual(read('250 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n354 go\r\n221\r\n'), [
      { code: 250, enhancedCode: null, text: 'ok' },
      { code: 550, enhancedCode: '5.1.1', text: 'no such user' },
      { code: 354, enhancedCode: null, text: 'go' },
      { code: 221, enhancedCode: null, text: '' },
    ])
  })

  void test('how the bytes are cut does not matter', () => {
    const bytes = Buffer.from('250-first ünï\r\n250 2.0.0 läst\r\n450 4.2.0 später\r\n')
    const whole = new ReplyReader().push(bytes)
    assert.equal(whole[1]?.text, 'später')
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const reader = new ReplyReader()
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        const replies = edges.slice(1).flatMap((end, at) => reader.push(bytes.subarray(edges[at], end)))
        assert.deepEqual(replies, whole)
      }),
    )
  })

  void test('control characters, direction overrides and excess never get into the text', () => {
    const [reply] = read(`550 evil\u001b[31m \u202etxt\u0000${'x'.repeat(2000)}\r\n`)
    assert.match(reply?.text ?? '', /^evil \[31m txt x+…$/)
    assert.equal(reply?.text.length, 500)
  })

  void test('a line end without CR is taken, as servers send it', () => {
    assert.deepEqual(read('250 ok\n'), [{ code: 250, enhancedCode: null, text: 'ok' }])
  })

  for (const line of ['hello', '25 short', '650 out of range', '2500 long', 'HTTP/1.1 400 Bad Request', '\u0000']) {
    void test(`${JSON.stringify(line)} is no reply`, () => {
      assert.throws(() => read(`${line}\r\n`), isProtocolError)
    })
  }

  void test('a reply without an end is bounded, in one line and in many', () => {
    const reader = new ReplyReader()
    assert.throws(() => {
      for (let at = 0; at < 100; at++) reader.push(Buffer.alloc(1000, 'x'))
    }, isProtocolError)
    const other = new ReplyReader()
    assert.throws(() => {
      for (let at = 0; at < 10_000; at++) other.push(Buffer.from('250-and more\r\n'))
    }, isProtocolError)
  })
})

void describe('the id that the server gave the mail', () => {
  const cases: [string, string | null][] = [
    ['250 2.0.0 Ok: queued as 4XyZ12abc', '4XyZ12abc'],
    ['250 OK id=1rK2aB-0001xY-2Z', '1rK2aB-0001xY-2Z'],
    ['250 2.0.0 OK  1700000000 d2e1a72fcca58-6c4cb0a8sm123 - gsmtp', 'd2e1a72fcca58-6c4cb0a8sm123'],
    ['250 2.0.0 OK <AS8P@AS8P.eurprd.prod.outlook.com> [Hostname=x]', '<AS8P@AS8P.eurprd.prod.outlook.com>'],
    ['250 2.0.0 43GBxyz012345 Message accepted for delivery', '43GBxyz012345'],
    ['250 Ok 0100018b5c3c0a4f-1f2e3d4c-0000-000000', '0100018b5c3c0a4f-1f2e3d4c-0000-000000'],
    ['250 2.0.0 Ok', null],
    ['250 thanks', null],
  ]
  for (const [line, id] of cases) {
    void test(`is ${id} in ${JSON.stringify(line)}`, () => {
      const [reply] = read(`${line}\r\n`)
      assert.equal(reply === undefined ? undefined : serverMessageIdOf(reply), id)
    })
  }
})
