import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import * as fc from 'fast-check'

import {
  everyMessage,
  matchesGlob,
  matchesMessage,
  type MatchableMessage,
  type MessageSelector,
} from '../../src/mail/match-message.ts'

const message: MatchableMessage = {
  subject: 'Your INVOICE for März',
  from: [{ address: 'Billing@Example.com' }],
  to: [{ address: 'first@example.org' }, { address: 'second@example.org' }],
  flags: ['\\Seen', '$Label1'],
  receivedAtMs: 1_000_000,
  size: 2048,
  hasAttachment: true,
}

const matches = (criteria: Partial<MessageSelector>, changes: Partial<MatchableMessage> = {}): boolean =>
  matchesMessage({ ...everyMessage, ...criteria }, { ...message, ...changes })

describe('matchesMessage', () => {
  it('takes everything where nothing is asked', () => {
    assert.ok(matches({}))
    assert.ok(matches({}, { subject: null, from: [], to: [], flags: [] }))
  })

  it('finds a part of the subject in any case and composition', () => {
    assert.ok(matches({ subject: 'invoice' }))
    assert.ok(matches({ subject: 'MA\u0308RZ' }))
    assert.ok(!matches({ subject: 'receipt' }))
    assert.ok(!matches({ subject: 'invoice' }, { subject: null }))
    assert.ok(!matches({ subject: 'in*ce' }), 'a subject is no glob')
  })

  it('compares globs with the whole bare address of any mailbox', () => {
    assert.ok(matches({ from: '*@example.com' }))
    assert.ok(matches({ from: 'billing@example.com' }))
    assert.ok(!matches({ from: 'billing' }))
    assert.ok(!matches({ from: '*@example.co' }))
    assert.ok(matches({ to: 'second@*' }))
    assert.ok(!matches({ to: '*' }, { to: [] }))
  })

  it('tells read from unread, in either direction', () => {
    assert.ok(matches({ unread: false }))
    assert.ok(!matches({ unread: true }))
    assert.ok(matches({ unread: true }, { flags: ['\\Flagged'] }))
    assert.ok(!matches({ unread: true }, { flags: new Set(['\\SEEN']) }))
  })

  it('includes the first moment of a span and excludes the last', () => {
    assert.ok(matches({ sinceMs: 1_000_000 }))
    assert.ok(!matches({ sinceMs: 1_000_001 }))
    assert.ok(!matches({ beforeMs: 1_000_000 }))
    assert.ok(matches({ beforeMs: 1_000_001 }))
  })

  it('is strict about larger and smaller', () => {
    assert.ok(matches({ largerThanBytes: 2047, smallerThanBytes: 2049 }))
    assert.ok(!matches({ largerThanBytes: 2048 }))
    assert.ok(!matches({ smallerThanBytes: 2048 }))
  })

  it('asks for attachments and keywords', () => {
    assert.ok(matches({ hasAttachment: true, keyword: '$label1' }))
    assert.ok(!matches({ hasAttachment: false }))
    assert.ok(!matches({ keyword: '$Label' }))
  })

  it('wants every criterion to hold', () => {
    assert.ok(!matches({ subject: 'invoice', keyword: 'absent' }))
  })
})

describe('matchesGlob', () => {
  it('takes every other character literally', () => {
    assert.ok(matchesGlob('a.b+c[d]@x', 'A.B+C[D]@X'))
    assert.ok(!matchesGlob('a.b', 'axb'))
    assert.ok(matchesGlob('?', '😀'))
    assert.ok(!matchesGlob('?', ''))
    assert.ok(matchesGlob('**', ''))
  })

  it('agrees with a regular expression on any pattern and text', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'B', '.', '*', '?', '\n') })
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const escaped = pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')
        assert.equal(matchesGlob(pattern, text), new RegExp(`^${escaped}$`, 'isu').test(text))
      }),
    )
  })

  it('needs no exponential time for any number of stars', () => {
    const startedAt = performance.now()
    assert.ok(!matchesGlob(`${'*a'.repeat(150)}b`, 'a'.repeat(2000)))
    assert.ok(performance.now() - startedAt < 1000)
  })
})
