import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { mailboxKey, needsSmtpUtf8, readMailboxes } from '../../../src/mail/compose/mailbox-list.ts'
import type { Mailbox } from '../../../src/mail/compose/outgoing-message.ts'

const accepted = (text: string): Mailbox[] => {
  const mailboxes = readMailboxes(text)
  if (typeof mailboxes === 'string') throw new Error(`${JSON.stringify(text)} was refused: it ${mailboxes}`)
  return mailboxes
}

const shown = (text: string): [string | null, string][] => accepted(text).map(({ name, path }) => [name, path])

void describe('mailboxes that are read', () => {
  const cases: [string, [string | null, string][]][] = [
    ['a@example.com', [[null, 'a@example.com']]],
    ['<a@example.com>', [[null, 'a@example.com']]],
    ['Ann <a@example.com>', [['Ann', 'a@example.com']]],
    ['John Q. Public <j@example.com>', [['John Q. Public', 'j@example.com']]],
    ['"Doe, John" <j@example.com>', [['Doe, John', 'j@example.com']]],
    ['"say \\"hi\\"" <j@example.com>', [['say "hi"', 'j@example.com']]],
    [
      'a@x.example, b@y.example; c@z.example',
      [
        [null, 'a@x.example'],
        [null, 'b@y.example'],
        [null, 'c@z.example'],
      ],
    ],
    ['; a@x.example,,', [[null, 'a@x.example']]],
    ['', []],
    ['Ann (sales; EU) <a@example.com>', [['Ann', 'a@example.com']]],
    ['a@example.com <a@example.com>', [['a@example.com', 'a@example.com']]],
    ['"a@b" <c@example.com>', [['a@b', 'c@example.com']]],
    ['=?UTF-8?Q?J=C3=B6rg?= <j@example.com>', [['Jörg', 'j@example.com']]],
    ['Jörg Müller <j@bücher.example>', [['Jörg Müller', 'j@xn--bcher-kva.example']]],
    ['jörg@bücher.example', [[null, 'jörg@xn--bcher-kva.example']]],
    ['"a b;c,d"@example.com', [[null, '"a b;c,d"@example.com']]],
    ['a+b@[192.0.2.1]', [[null, 'a+b@[192.0.2.1]']]],
    ['a@[IPv6:2001:db8::1]', [[null, 'a@[IPv6:2001:db8::1]']]],
    ['root@localhost', [[null, 'root@localhost']]],
    ["o'neil!#$%&*+/=?^_`{|}~-@example.com", [[null, "o'neil!#$%&*+/=?^_`{|}~-@example.com"]]],
  ]
  for (const [text, expected] of cases) {
    void test(JSON.stringify(text), () => assert.deepEqual(shown(text), expected))
  }
})

void describe('mailboxes that are refused', () => {
  const cases = [
    'a',
    'a@',
    '@example.com',
    'a@b@example.com',
    'a b@example.com',
    'a@example.com b@example.com',
    'b@example.com <a@example.com>',
    'Ann <a@example.com> Bob',
    'Ann <a@example.com',
    '"Ann <a@example.com>',
    'Ann (sales <a@example.com>',
    'Team: a@example.com, b@example.com;',
    'a..b@example.com',
    '.a@example.com',
    'a@-example.com',
    'a@exam ple.com',
    'a@example..com',
    'a@example.com\r\nBcc: x@example.com',
    'Ann (a\r\nb) <a@example.com>',
    'a@example.com\u0000',
    '"a\r\nRCPT TO:<x@example.com>"@example.com',
    '=?UTF-8?Q?a=0D=0ABcc:_x@example.com?= <a@example.com>',
    'a\u202e@example.com',
    'a\u00a0b@example.com',
    '"a>b"@example.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(64)}.example`,
    `a@${'bc.'.repeat(100)}example`,
  ]
  for (const text of cases) {
    void test(JSON.stringify(text).slice(0, 80), () => assert.equal(typeof readMailboxes(text), 'string'))
  }
})

const local = fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}$/)
const domain = fc.stringMatching(/^[a-z0-9]{1,10}(?:\.[a-z0-9]{1,10}){0,2}$/)
const name = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter((text) => !/[\p{C}\p{Z}]/u.test(text.replaceAll(' ', '')))

void describe('properties', () => {
  void test('a list that was written by the rules is read as it was meant', () => {
    const mailbox = fc.record({
      name: fc.option(name),
      address: fc.tuple(local, domain).map((parts) => parts.join('@')),
    })
    const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
    fc.assert(
      fc.property(fc.array(mailbox, { maxLength: 6 }), fc.constantFrom(',', ';', ' ; ', ', '), (list, separator) => {
        const written = list.map((each) =>
          each.name === null ? each.address : `${quoted(each.name)} <${each.address}>`,
        )
        const expected = list.map((each) => [each.name?.replace(/\s+/g, ' ').trim() || null, each.address])
        assert.deepEqual(
          shown(written.join(separator)).map(([text, path]) => [text?.includes('=?') === true ? null : text, path]),
          expected.map(([text, path]) => [text?.includes('=?') === true ? null : text, path]),
        )
      }),
    )
  })

  void test('whatever is written, no path could end an SMTP command or a header field', () => {
    const hostile = fc.string({
      unit: fc.constantFrom('a', '@', '.', '<', '>', '"', '\\', ' ', ',', ';', '(', ')', '\r', '\n', '\0', 'ü'),
      maxLength: 40,
    })
    fc.assert(
      fc.property(hostile, (text) => {
        const mailboxes = readMailboxes(text)
        if (typeof mailboxes === 'string') return
        for (const { path, name: shownName } of mailboxes) {
          assert.doesNotMatch(path, /[\r\n\0<>]/)
          assert.doesNotMatch(shownName ?? '', /[\r\n\0]/)
          assert.equal(accepted(`<${path}>`)[0]?.path, path)
        }
      }),
      { numRuns: 5000 },
    )
  })

  void test('reading takes time in proportion to the text', () => {
    for (const text of ['('.repeat(50_000), '"'.repeat(50_001), '<'.repeat(50_000), 'a@b.example,'.repeat(20_000)]) {
      const startedAt = performance.now()
      readMailboxes(text)
      assert.ok(performance.now() - startedAt < 1000)
    }
  })
})

void test('the same mailbox is one, whatever the case of its domain; another local part is another', () => {
  const keys = ['a@Example.com', 'a@example.COM', 'A@example.com'].map((text) => accepted(text).map(mailboxKey)[0])
  assert.equal(keys[0], keys[1])
  assert.notEqual(keys[0], keys[2])
})

void test('a local part that is not ASCII needs SMTPUTF8, a domain does not', () => {
  assert.deepEqual(['jörg@example.com', 'a@bücher.example'].flatMap(accepted).map(needsSmtpUtf8), [true, false])
})
