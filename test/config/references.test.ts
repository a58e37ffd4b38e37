import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import { hideReferences, showReferences, splitReferences } from '../../src/config/references.ts'
import { compile, refusals, withSections, withSmtp } from './support.ts'

const passwordOf = (written: string): string => {
  const auth = compile(withSmtp(`auth: { user: u, password: ${written} }`)).accounts['a']?.smtp?.auth
  return auth?.method === 'password' ? auth.password.reveal() : ''
}

describe('references in values', () => {
  it('are filled in bare, quoted and in the middle of text', () => {
    assert.equal(passwordOf('${KAFKA_PASSWORD}'), 'kafka-secret')
    assert.equal(passwordOf('"${KAFKA_PASSWORD}"'), 'kafka-secret')
    assert.equal(passwordOf("'a-${KAFKA_PASSWORD}-${S3_SECRET}'"), 'a-kafka-secret-s3-secret')
  })

  it('never become structure, whatever they are replaced by', () => {
    assert.equal(passwordOf('${file:password.txt}'), 'from: a file, "quoted" {and} more')
  })

  it('are literal after a second dollar sign', () => {
    assert.equal(passwordOf('$${KAFKA_PASSWORD}'), '${KAFKA_PASSWORD}')
    assert.equal(passwordOf('"a$${b"'), 'a${b')
    assert.equal(passwordOf('a$b'), 'a$b')
    assert.equal(passwordOf('"$$"'), '$$')
  })

  it('give a number or a flag where one belongs', () => {
    assert.equal(compile(withSmtp('port: ${PORT}')).accounts['a']?.smtp?.port, 2526)
    assert.equal(compile(withSmtp('port: ${file:port.txt}')).accounts['a']?.smtp?.port, 2525)
    assert.equal(compile(withSmtp('allowPlaintextAuth: ${ON}')).accounts['a']?.smtp?.allowPlaintextAuth, true)
    const ssl = compile('kafka: { brokers: [k:1], ssl: ${ON} }').kafka.tls
    assert.equal(ssl?.minVersion, 'TLSv1.2')
  })

  it('are shown as written, never as what they stand for', () => {
    assert.deepEqual(refusals(withSections('limits: { maxParts: ${S3_SECRET} }')), [
      'limits.maxParts (line 2): "${S3_SECRET}": must be an integer from 1 to 1000000',
    ])
  })

  it('to nothing are refused with the path of the key, once', () => {
    assert.deepEqual(refusals(withSections('limits: { maxParts: ${GONE}, maxMessageBytes: "${file:gone.txt}" }')), [
      'limits.maxParts (line 2): environment variable GONE is not set',
      'limits.maxMessageBytes (line 2): file "gone.txt" can\'t be read (ENOENT)',
    ])
  })

  it('that are malformed or stand in a key are refused', () => {
    const rule = /a reference is \$\{NAME\} or \$\{file:PATH\}/
    for (const written of ['${}', '${a b}', '${file:}', '"${open"', '${1A}']) {
      const [line = ''] = refusals(withSmtp(`serverName: ${written}`))
      assert.match(line, rule, written)
    }
    assert.match(
      refusals(withSections('limits: { "${PORT}": 1 }')).join('\n'),
      /references are for values, not for keys/,
    )
  })

  it('survive YAML untouched, whatever they hold', () => {
    const inner = fc.string({ unit: 'grapheme' }).filter((text) => !/[{}"'\r\n]/.test(text))
    fc.assert(
      fc.property(inner, fc.string({ unit: 'grapheme' }), (name, around) => {
        const text = `\${${name}}${around}`
        const hidden = hideReferences(text)
        assert.ok(hidden)
        assert.equal(hidden.text.length, text.length)
        assert.equal(showReferences(hidden.text, hidden.base), text)
        assert.doesNotMatch(hidden.text.slice(0, name.length + 3), /[\0-#%-\x7f]/)
      }),
    )
  })

  it('leave a text without them as it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('${') && text !== ''),
        (text) => {
          const hidden = hideReferences(text)
          assert.ok(hidden)
          assert.deepEqual(splitReferences(hidden.text, hidden.base), [{ kind: 'text', text }])
        },
      ),
    )
  })
})

describe('YAML', () => {
  it('errors name the line and the column', () => {
    assert.match(
      refusals('kafka: { brokers: [k:1] }\naccounts: { a: [ }')[0] ?? '',
      /not valid YAML at line 2, column \d+/,
    )
  })

  it('refuses the same key twice', () => {
    assert.match(
      refusals('kafka: { brokers: [k:1] }\naccounts: {}\naccounts: {}')[0] ?? '',
      /line 3, column 1: Map keys must be unique/,
    )
  })

  it('does not quote a value that it can not read', () => {
    for (const value of ['*hunter2', '!hunter2', '"\\hunter2"']) {
      const lines = refusals(withSmtp(`auth: { user: u, password: ${value} }`))
      assert.ok(lines.length > 0)
      assert.doesNotMatch(lines.join('\n').replace('"\\h', ''), /hunter2/, value)
    }
  })

  it('that is no mapping, is empty or hides a prototype is refused', () => {
    assert.match(refusals('')[0] ?? '', /must be a YAML mapping/)
    assert.match(refusals('- a')[0] ?? '', /must be a YAML mapping/)
    assert.match(refusals('kafka: { brokers: [k:1] }\naccounts: { __proto__: {} }')[0] ?? '', /__proto__ is no key/)
  })

  it('bombs of aliases are refused', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => pair.split(''))) {
      bomb.push(`${name}: &${name} [${Array(10).fill(`*${of}`).join(',')}]`)
    }
    assert.match(refusals(bomb.join('\n'))[0] ?? '', /not valid YAML/)
  })
})
